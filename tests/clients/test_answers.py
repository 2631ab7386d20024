"""Each client answers as our own evaluation does: value, variant, reason, error and metadata."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.clients.asking import python, python_flagd_file
from tests.clients.company import HASHED, QUESTIONS, Question
from tests.clients.conftest import Served, connected

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.clients.asking import Answer, Client

PAYMENTS = tuple(question for question in QUESTIONS if question.key != "ranker")
ASKING = (("python-ofrep", "v2"), ("python-ofrep", "v3"), ("node-ofrep", "v2"), ("node-ofrep-web", "v3"))
"""Clients that ask the relay for answers, and how it hashes, which is none of theirs."""
EVALUATING = (("python-flagd", "v3"), ("node-flagd", "v2"))
"""Clients that evaluate in process, and how they hash."""


def differences(client: Client, served: Served, questions: Sequence[Question]) -> dict[str, tuple[Answer, Answer]]:
    """Ask, and give by key the first pair of theirs and ours that is not the same."""
    found: dict[str, tuple[Answer, Answer]] = {}
    for question, said in zip(questions, client.ask(questions), strict=True):
        ours = served.expected(question)
        # The JavaScript provider adds the selector as scope; errors carry what metadata the client has at hand.
        metadata = {name: value for name, value in said.metadata.items() if name != "scope"}
        theirs = replace(said, metadata={} if ours.error is not None else metadata)
        if theirs != ours:
            found.setdefault(question.key, (theirs, ours))
    return found


@pytest.mark.parametrize(("kind", "bucketing"), ASKING)
def test_who_asks_the_relay_is_answered_as_we_evaluate(
    kind: str, bucketing: str, request: pytest.FixtureRequest
) -> None:
    """Over OFREP, splits included, however the environment hashes."""
    served: Served = request.getfixturevalue(bucketing)
    with connected(kind, served.at, request) as client:
        assert differences(client, served, QUESTIONS) == {}


@pytest.mark.parametrize(("kind", "bucketing"), EVALUATING)
@pytest.mark.parametrize("selector", [None, "flagSetId=payments", "payments"])
def test_who_evaluates_in_process_answers_as_we_do(
    kind: str, bucketing: str, selector: str | None, request: pytest.FixtureRequest
) -> None:
    """In an environment that hashes as that provider does, with all namespaces or one."""
    served: Served = request.getfixturevalue(bucketing)
    questions = QUESTIONS if selector is None else PAYMENTS
    with connected(kind, served.at, request, selector) as client:
        assert differences(client, served, questions) == {}


@pytest.mark.parametrize(("kind", "bucketing"), [("python-flagd", "v2"), ("node-flagd", "v3")])
def test_in_process_providers_that_hash_otherwise_differ_in_splits_alone(
    kind: str, bucketing: str, request: pytest.FixtureRequest
) -> None:
    """The document says how its environment hashes, but no provider looks: this is what the guide warns of."""
    served: Served = request.getfixturevalue(bucketing)
    with connected(kind, served.at, request) as client:
        different = differences(client, served, QUESTIONS)
        assert different
        assert set(different) <= HASHED
        for theirs, _ in different.values():
            assert theirs.metadata["bucketing"] == bucketing


def test_javascripts_flagd_core_hashes_ascii_alone_as_others_do(v2: Served, request: pytest.FixtureRequest) -> None:
    """Named here and in the guide, so that we learn when it is repaired: it takes no UTF-8 of the rest."""

    def asked(prefix: str) -> list[Question]:
        return [Question("split", fallback=False, context={"targetingKey": f"{prefix}-{n}"}) for n in range(30)]

    with connected("node-flagd", v2.at, request) as client:
        assert differences(client, v2, asked("strasse")) == {}
        assert set(differences(client, v2, asked("straße"))) == {"split"}


def test_a_compiled_document_is_a_file_that_flagds_provider_takes(v3: Served, tmp_path: Path) -> None:
    """As `flagseal compile` writes it, for programs that get their flags by file; and they follow it."""
    assert v3.client.current is not None
    published = v3.client.current.namespaces["payments"].flags
    path = tmp_path / "flags.json"
    path.write_bytes(published)
    with python(lambda: python_flagd_file(path)) as client:
        assert differences(client, v3, PAYMENTS) == {}
        aside = tmp_path / "next"
        aside.write_bytes(published.replace(b'"acme"', b'"globex"'))
        aside.replace(path)
        client.wait_for_change()
        question = Question("equal", fallback=False, context={"org": "globex"})
        assert client.ask([question])[0].value is True
