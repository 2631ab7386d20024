from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from flagseal.policy import state as module
from flagseal.policy.classify import reached
from flagseal.policy.state import State, changed_subjects
from tests.policy.company import CHECKOUT, ORGANISATION, POLICIES, Company, Spec, document, documents, flag, production

if TYPE_CHECKING:
    import pytest

NAMES = ("a", "b", "c", "d")


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Spec | None]:
    """Draw flags that require each other, name a segment and ask for grants, and a binding."""
    found: dict[str, Spec | None] = {}
    for index, name in enumerate(NAMES):
        needed = draw(st.lists(st.sampled_from(NAMES[:index]), max_size=2, unique=True)) if index else []
        rules: list[Spec] = []
        if draw(st.booleans()):
            rules.append({"name": "s", "when": {"segment": "s"}, "serve": "enabled"})
        if draw(st.booleans()):
            rules.append({"name": "e", "when": {"entitled": True}, "serve": "enabled"})
        section = production(rules, requires=[{"flag": it, "variant": "enabled"} for it in needed])
        found[f"FlagDefinition/x/{name}"] = flag(environments={"production": section["production"]})
    entitled: Spec = {"entitled": True}
    found["Segment/x/s"] = {"when": draw(st.sampled_from([{"org": "acme"}, {"org": "globex"}, entitled]))}
    found["EntitlementBinding/x/b"] = {
        "org": "acme",
        "owner": "team-accounts",
        "agreement": {"id": "1", "from": "2026-01-01", "until": "2027-12-31"},
        "grants": [
            {"flag": f"x/{name}", "reason": "contract"}
            for name in draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True))
        ],
    }
    for subject in draw(st.lists(st.sampled_from(sorted(found)), max_size=2, unique=True)):
        found[subject] = None
    return found


@given(before=worlds(), after=worlds())
def test_no_flag_that_a_change_reaches_is_overlooked(
    before: dict[str, Spec | None], after: dict[str, Spec | None]
) -> None:
    """The index of the state before, and what changed, give at least what both indexes give."""
    old, new = State(documents(before)), State(documents(after))
    subjects = changed_subjects(old, new)
    everything = {
        reference for subject in subjects for state in (old, new) for reference in state.catalogue.dependents(subject)
    }
    assert everything <= reached(subjects, old, new)


@given(steps=st.lists(worlds(), min_size=2, max_size=4), gone=st.sampled_from(NAMES))
def test_a_state_made_from_another_knows_what_one_made_anew_knows(
    steps: list[dict[str, Spec | None]], gone: str
) -> None:
    """Who reaches what, which policies there are, and what differs: whatever way led here."""
    policies = documents(POLICIES)
    walked = first = State({**policies, **documents(steps[0])})
    for step in steps[1:]:
        walked = walked.changed(documents(step))
    walked = walked.changed({f"FlagDefinition/x/{gone}": None, "Organisation/organisation": None})
    anew = State(dict(walked.documents))
    assert walked.origin[0] is first
    for subject in anew:
        assert walked.dependents(subject) == anew.catalogue.dependents(subject)
    assert walked.policies == anew.policies
    assert changed_subjects(first, walked) == changed_subjects(dict(first), dict(walked))
    assert changed_subjects(walked, first) == changed_subjects(dict(walked), dict(first))


def test_a_long_way_ends_in_an_index_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept of the past is bounded."""
    monkeypatch.setattr(module, "_MOST_CHANGES", 2)
    state = State(documents({CHECKOUT: flag()}))
    one = state.changed(documents({"FlagDefinition/x/a": flag()}))
    two = one.changed(documents({"FlagDefinition/x/b": flag(), "FlagDefinition/x/c": flag()}))
    assert one.origin[0] is state
    assert two.origin[0] is two


def test_the_policies_of_a_state_are_those_that_are_there() -> None:
    """A removed one is none, and a flag is none."""
    company = Company.of({CHECKOUT: flag()})
    assert set(State.of(company.accepted).policies) == set(POLICIES)
    organisation = document("Organisation/organisation", ORGANISATION)
    removed = State.of(company.accepted).changed({organisation.subject: organisation.tombstone()})
    assert set(removed.policies) == set(POLICIES) - {"Organisation/organisation"}


@given(before=worlds(), after=worlds())
def test_an_index_that_follows_another_equals_one_from_scratch(
    before: dict[str, Spec | None], after: dict[str, Spec | None]
) -> None:
    """Flags, segments, bindings, namespaces, grants and references are the same, removed documents included."""
    old, new = State(documents(before)), documents(after)
    assert old.catalogue.namespaces is old.catalogue.namespaces  # made before, so that it is carried on
    old.catalogue.grants("x/a")
    changed = {**dict.fromkeys(old), **new}
    followed, fresh = old.changed(changed).catalogue, State(new).catalogue
    assert list(followed.namespaces.items()) == list(fresh.namespaces.items())
    assert dict(followed.flags) == dict(fresh.flags)
    assert dict(followed.segments) == dict(fresh.segments)
    assert dict(followed.bindings) == dict(fresh.bindings)
    for flag_name in fresh.flags:
        assert followed.grants(flag_name) == fresh.grants(flag_name)
        assert followed.references(flag_name) == fresh.references(flag_name)
