"""What a head publishes: the same bytes for everybody, and no work for what did not change."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal.evaluation import FlagSet
from flagseal.history import Build, build, replay
from flagseal.model.canonical import canonical_json
from flagseal.model.errors import ApprovalError
from flagseal.model.loader import parse_body
from tests.history.company import (
    MONDAY,
    NEXT_MONDAY,
    SATURDAY,
    Chronicle,
    document,
    edited,
    flag,
    policies,
    rule,
    segment,
)

if TYPE_CHECKING:
    from flagseal.history import Head
    from flagseal.model.document import Document

GATE = flag("gate", "search", owner="team-search", production={"default": "enabled"})
CHECKOUT = flag(production={**rule({"segment": "pilots"}), "requires": [{"flag": "search/gate", "variant": "enabled"}]})
LONELY = flag("lonely", "alone", production={"default": "disabled"})
STAGED = flag("staged", "lab")


@pytest.fixture
def history() -> Chronicle:
    """Give a history over three namespaces that hang together in part."""
    spec = dict(STAGED.spec) if isinstance(STAGED.spec, dict) else {}
    spec["environments"] = {"staging": {"default": "enabled"}}
    staged = document("FlagDefinition", "staged", spec, "lab")
    return Chronicle.of(segment("pilots", "acme"), CHECKOUT, GATE, LONELY, staged)


def body(built: Build, path: str) -> Any:  # noqa: ANN401 (JSON)
    """Read a file of a build."""
    return json.loads(built.files[path])


def test_each_namespace_with_a_flag_in_the_environment_has_its_files(history: Chronicle) -> None:
    """And the repository has one; a namespace that serves nothing here has none."""
    built = build(history.head, "production", MONDAY)
    assert sorted(built.files) == sorted(
        [
            "_repository/head.json",
            *(
                f"{name}/{file}"
                for name in ("alone", "payments", "search")
                for file in ("access.json", "flags.json", "provenance.json")
            ),
        ]
    )
    assert "lab/flags.json" in build(history.head, "staging", MONDAY).files


def test_every_file_is_canonical(history: Chronicle) -> None:
    """RFC 8785 and a line break, so that anybody can write the same bytes."""
    history.change(edited(LONELY, description="x"), by=["bob"])
    for path, data in build(history.head, "production", MONDAY).files.items():
        assert data == canonical_json(json.loads(data)) + b"\n", path


def test_provenance_holds_all_that_was_compiled_from(history: Chronicle) -> None:
    """Segments and prerequisites of other namespaces included, each with the digest of the manifest."""
    found = body(build(history.head, "production", MONDAY), "payments/provenance.json")
    documents = [parse_body(entry, place="provenance") for entry in found["documents"]]
    assert [entry.subject for entry in documents] == [
        "FlagDefinition/payments/checkout",
        "FlagDefinition/search/gate",
        "Segment/payments/pilots",
    ]
    assert all(history.head.manifest.entries[entry.subject] == entry.digest for entry in documents)
    assert found["pending"] == []


def test_the_head_file_says_where_it_stands(history: Chronicle) -> None:
    """Sequence, commit, manifest, instants, policies and what waits, with what is in effect meanwhile."""
    dear = edited(LONELY, riskTier="high-risk")
    history.change(dear, now=MONDAY, approved=["alice", "dora"])
    opened = edited(dear, environments={"production": rule(), "staging": {"default": "enabled"}})
    history.change(opened, now=SATURDAY)
    found = body(build(history.head, "production", SATURDAY), "_repository/head.json")
    assert found["sequence"] == 2
    assert found["commit"] == history.head.commit
    assert found["manifest"] == history.head.manifest.digest
    assert found["statement"] == history.head.statement
    assert found["asOf"] == found["acceptedAt"] == "2026-11-28T10:00:00Z"
    assert found["policies"]["digest"] == history.head.policies.digest
    assert {entry["kind"] for entry in found["policies"]["documents"]} == {entry.kind for entry in policies()}
    (pending,) = found["pending"]
    assert pending["effectiveFrom"] == "2026-11-30T08:00:00Z"
    assert pending["before"] == {dear.subject: dear.body()}
    waiting = body(build(history.head, "production", SATURDAY), "alone/provenance.json")["pending"]
    assert waiting == [{"sequence": 2, "effectiveFrom": "2026-11-30T08:00:00Z", "subjects": [dear.subject]}]
    assert body(build(history.head, "staging", SATURDAY), "_repository/head.json")["pending"] == []


def test_access_is_cut_down_to_the_namespace(history: Chronicle) -> None:
    """A relay of one namespace does not learn who reads another."""
    built = build(history.head, "production", MONDAY)
    payments, search = (body(built, f"{name}/access.json")["policy"] for name in ("payments", "search"))
    assert [binding["name"] for binding in payments["bindings"]] == ["payments reads its own"]
    assert search["bindings"] == []
    assert "anonymous" not in payments
    assert search["anonymous"] == {"namespaces": ["search"]}
    assert body(build(history.head, "staging", MONDAY), "payments/access.json")["policy"]["bindings"] == []


def test_without_an_access_policy_nothing_is_open() -> None:
    """No policy, no reader."""
    history = Chronicle((*(entry for entry in policies() if entry.kind != "AccessPolicy"), LONELY))
    assert body(build(history.head, "production", MONDAY), "alone/access.json")["policy"] is None


def test_the_flags_carry_their_approvals(history: Chronicle) -> None:
    """An answer names the statement it rests on."""
    assert approval(build(history.head, "production", MONDAY)).startswith("genesis:")
    history.change(edited(CHECKOUT, description="Other words."))
    assert approval(build(history.head, "production", MONDAY)) == history.head.statement


def approval(built: Build) -> str:
    """Give the approval that an answer carries."""
    answer = FlagSet.load(built.files["payments/flags.json"]).evaluate("checkout", {})
    return str((answer.metadata or {})["approval"])


def test_only_what_changed_is_built_again(history: Chronicle) -> None:
    """The bytes of the other namespaces are the same objects."""
    first = build(history.head, "production", MONDAY)
    history.change(edited(LONELY, description="Other words."))
    second = build(history.head, "production", MONDAY, previous=first)
    new = {path for path, data in second.files.items() if first.files.get(path) is not data}
    assert new == {"_repository/head.json", "alone/flags.json", "alone/provenance.json"}


def test_a_prerequisite_of_another_namespace_is_built_with_what_requires_it(history: Chronicle) -> None:
    """Dependencies cross namespaces."""
    first = build(history.head, "production", MONDAY)
    closed = edited(GATE, environments={"production": {"default": "disabled"}, "staging": {"default": "enabled"}})
    history.change(closed, approved=["alice", "carol", "dora"])
    second = build(history.head, "production", MONDAY, previous=first)
    assert first.files["payments/flags.json"] != second.files["payments/flags.json"]
    assert second.files["alone/flags.json"] is first.files["alone/flags.json"]


def test_where_nothing_differs_the_previous_build_comes_back(history: Chronicle) -> None:
    """A publisher has nothing to publish; who compares asks for the very instant."""
    first = build(history.head, "production", MONDAY)
    later = MONDAY + timedelta(hours=1)
    assert build(history.head, "production", later, previous=first) is first
    exact = build(history.head, "production", later, previous=first, exact=True)
    assert exact.as_of == later
    assert exact == build(history.head, "production", later)
    assert {path for path in exact.files if exact.files[path] is not first.files[path]} == {"_repository/head.json"}


def test_a_publishers_clock_does_not_go_back(history: Chronicle) -> None:
    """What came into effect stays in effect, even before the next acceptance."""
    dear = edited(LONELY, riskTier="high-risk")
    history.change(dear, now=MONDAY, approved=["alice", "dora"])
    opened = edited(dear, environments={"production": rule(), "staging": {"default": "enabled"}})
    history.change(opened, now=SATURDAY)
    open_now = build(history.head, "production", NEXT_MONDAY)
    assert build(history.head, "production", SATURDAY, previous=open_now) is open_now


def test_an_environment_that_is_none_is_refused(history: Chronicle) -> None:
    """With the ones there are."""
    with pytest.raises(ApprovalError) as caught:
        build(history.head, "moon", MONDAY)
    assert caught.value.code == "UnknownEnvironment"
    assert "production" in caught.value.remedy


POOL = [
    flag("a", "one", tier="informational", production=rule({"org": "acme"})),
    flag("a", "one", tier="informational", production=rule({"segment": "s"}) | {"off": True}),
    flag("b", "two", tier="informational", production={"default": "enabled"}),
    flag("b", "two", tier="informational"),
    flag(
        "c",
        "three",
        tier="informational",
        production={**rule(), "requires": [{"flag": "two/b", "variant": "enabled"}]},
    ),
    flag("c", "three", tier="informational", production={"default": "disabled"}),
    segment("s", "acme", namespace="one"),
    segment("s", "acme", "globex", namespace="one"),
]
CHANGES = st.lists(st.lists(st.sampled_from(POOL), min_size=1, max_size=3), max_size=8)


@given(CHANGES, st.booleans())
def test_building_on_the_previous_build_changes_no_byte(changes: list[list[Document]], skip: bool) -> None:
    """However changes come, building by the difference and from nothing are the same, and so is replaying."""
    history = Chronicle.of(POOL[2])
    now = MONDAY
    previous: Build | None = None
    for number, change in enumerate(changes):
        now += timedelta(minutes=1)
        documents = {entry.subject: entry for entry in change}
        removed = [POOL[3]] if number % 3 == 2 and POOL[2].subject not in documents else []
        if removed and history.head.documents.live(POOL[2].subject) is None:
            removed = []
        try:
            acceptance = history.attempt(*documents.values(), remove=removed, approved=["alice"], now=now)
        except ApprovalError:
            continue  # nothing changes
        if acceptance.head is not None:
            history.take(acceptance)
        if skip and number % 2:
            continue
        built = build(history.head, "production", now, previous=previous, exact=True)
        assert built == build(history.head, "production", now)
        previous = built
    again: Head = replay(history.trust, history.start, history.entries)
    assert again == history.head
    assert build(again, "production", now).files == build(history.head, "production", now).files


def test_history_needs_neither_git_nor_yaml() -> None:
    """A verifying client is a bare install."""
    program = "import sys, flagseal.history; print(sorted({'git', 'yaml', 'subprocess'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "git" not in done.stdout
    assert "yaml" not in done.stdout
