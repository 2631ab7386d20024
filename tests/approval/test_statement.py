"""Statements have one spelling."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal.approval.statement import Statement
from flagseal.model.canonical import canonical_json
from flagseal.model.errors import ApprovalError
from tests.approval.samples import STATEMENT

FORGE: dict[str, Any] = {
    "request": {
        "number": 12,
        "author": {"person": "bob", "login": "bob-k", "id": 102},
        "mergedAt": "2026-11-23T10:00:00Z",
    },
    "approvals": [{"person": "alice", "login": "alice-m", "id": 101, "roles": ["owner"], "at": "2026-11-23T09:00:00Z"}],
    "decision": {"policy": "sha256:" + "0" * 64, "environments": {}},
    "verifier": {"id": "https://flagseal.dev/attestor", "version": "1"},
    "observedAt": "2026-11-23T10:01:00Z",
}


def test_a_statement_reads_back_as_it_was_written() -> None:
    """Parsing and writing are inverse."""
    for statement in (STATEMENT, replace(STATEMENT, ticket=None), replace(STATEMENT, forge=FORGE)):
        assert Statement.parse(statement.payload()) == statement


def test_the_id_is_the_digest_of_the_payload() -> None:
    """Two statements share an id only if they share every byte."""
    assert STATEMENT.id != replace(STATEMENT, sequence=8).id
    assert len(STATEMENT.id) == 64


def test_approvals_of_the_forge_are_read_with_their_times() -> None:
    """The lower block names people and instants."""
    approvals = replace(STATEMENT, forge=FORGE).forge_approvals()
    assert [(approval.person, approval.at.isoformat()) for approval in approvals] == [
        ("alice", "2026-11-23T09:00:00+00:00")
    ]


def other_spellings() -> list[bytes]:
    """The same JSON value, written otherwise."""
    body = STATEMENT.body()
    text = STATEMENT.payload().decode()
    return [
        json.dumps(body).encode(),
        STATEMENT.payload() + b"\n",
        json.dumps(body, separators=(",", ":")).encode(),
        text.replace('"sequence":7', '"sequence":7.0').encode(),
        text.replace("new-checkout", "new\\u002dcheckout").encode(),
        text.replace('"ref":', '"ref":"refs/heads/other","ref":').encode(),
    ]


@pytest.mark.parametrize("payload", other_spellings())
def test_the_same_words_in_another_spelling_are_refused(payload: bytes) -> None:
    """Two parsers could read two things into anything that is not canonical."""
    assert payload != STATEMENT.payload()
    with pytest.raises(ApprovalError) as caught:
        Statement.parse(payload)
    assert caught.value.code == "StatementMalformed"


def bent() -> list[dict[str, Any]]:
    """Statements with one thing wrong, each in canonical form."""
    subject = "FlagDefinition/payments/new-checkout"
    digest = {"sha256": "f" * 64}
    changes: list[tuple[list[str], Any]] = [
        (["_type"], "https://in-toto.io/Statement/v0.1"),
        (["predicateType"], "https://slsa.dev/provenance/v1"),
        (["extra"], 1),
        (["predicate", "extra"], 1),
        (["predicate", "sequence"], 0),
        (["predicate", "sequence"], True),
        (["predicate", "sequence"], "8"),
        (["predicate", "before"], "sha256:" + "D" * 64),
        (["predicate", "before"], None),
        (["predicate", "ref"], "main"),
        (["predicate", "ref"], "refs/heads/a..\nb"),
        (["predicate", "commit"], "b" * 39),
        (["predicate", "contributors"], ["bob", "alice"]),
        (["predicate", "contributors"], ["bob", "bob"]),
        (["predicate", "contributors"], "bob"),
        (["predicate", "replaces"], {}),
        (["predicate", "replaces"], {"FlagDefinition/payments/other": None}),
        (["predicate", "repository"], {"id": "git:1"}),
        (["predicate", "observedAt"], "2026-11-23T10:01:00Z"),
        (["predicate", "ticket"], ""),
        (["subject"], []),
        (["subject"], [{"name": subject, "digest": digest}, {"name": subject, "digest": digest}]),
        (["subject"], [{"name": "Secret/default/x", "digest": digest}]),
        (["subject"], [{"name": "FlagDefinition/x", "digest": digest}]),
        (["subject"], [{"name": subject, "digest": {"sha1": "f" * 40}}]),
        (["subject"], [{"name": subject, "digest": digest, "uri": "x"}]),
        (["predicate"], "x"),
    ]
    statements = []
    for path, value in changes:
        body: Any = json.loads(STATEMENT.payload())
        place = body
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        statements.append(body)
    return statements


@pytest.mark.parametrize("body", bent(), ids=str)
def test_a_bent_statement_is_refused(body: dict[str, Any]) -> None:
    """Unknown, missing and malformed fields refuse the whole."""
    with pytest.raises(ApprovalError) as caught:
        Statement.parse(canonical_json(body))
    assert caught.value.code == "StatementMalformed"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["_type", "subject", "predicateType", "predicate"]), x),
    )
)
def test_no_json_is_a_traceback(value: object) -> None:
    """Whatever the JSON, the answer is the room's own error."""
    with pytest.raises(ApprovalError):
        Statement.parse(json.dumps(value).encode())


@given(st.binary(max_size=200))
def test_no_bytes_are_a_traceback(data: bytes) -> None:
    """Whatever the bytes, the answer is the room's own error."""
    with pytest.raises(ApprovalError):
        Statement.parse(data)
    with pytest.raises(ApprovalError):
        Statement.parse(b"[" * 100_000)
