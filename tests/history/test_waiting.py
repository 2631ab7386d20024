"""Accepted and in effect are two things (docs/adr/0010-what-waits.md)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.evaluation import FlagSet
from flagseal.history import build, in_effect, next_change, replay
from tests.history.company import (
    MONDAY,
    NEXT_MONDAY,
    SATURDAY,
    Chronicle,
    document,
    edited,
    flag,
    organisation,
    rule,
    segment,
)

if TYPE_CHECKING:
    from datetime import datetime

    from flagseal.model.document import Document

SECOND = timedelta(seconds=1)


def dear(name: str = "checkout", **more: Any) -> Document:  # noqa: ANN401 (as flag)
    """Give a flag whose widening waits for the window."""
    return flag(name, tier="high-risk", **more)


CLOSED = dear()
OPEN = dear(production=rule())
OFF = dear(production=rule() | {"off": True})


@pytest.fixture
def history() -> Chronicle:
    """Give a history with a flag that is off, and another beside it."""
    return Chronicle.of(CLOSED, dear("other"))


def answers(history: Chronicle, now: datetime, key: str = "checkout", org: str = "acme") -> bool:
    """Ask the flag as it is published for an instant."""
    files = build(history.head, "production", now).files
    value = FlagSet.load(files["payments/flags.json"]).evaluate(key, {"targetingKey": "u", "org": org}).value
    assert isinstance(value, bool)
    return value


def test_a_change_outside_its_window_is_accepted_and_waits(history: Chronicle) -> None:
    """It is the head from Saturday, and in effect from Monday nine o'clock in Berlin."""
    head = history.change(OPEN, now=SATURDAY)
    assert head.documents[OPEN.subject] == OPEN
    assert next_change(head, "production", SATURDAY) == NEXT_MONDAY
    assert not answers(history, SATURDAY)
    assert not answers(history, NEXT_MONDAY - SECOND)
    assert answers(history, NEXT_MONDAY)
    assert next_change(head, "production", NEXT_MONDAY) is None


def test_within_its_window_it_is_in_effect_at_once(history: Chronicle) -> None:
    """Nothing waits that need not."""
    history.change(OPEN, now=MONDAY)
    assert answers(history, MONDAY)
    assert history.head.pending == ()


def test_environments_wait_each_for_itself(history: Chronicle) -> None:
    """What production waits for is in effect in staging."""
    both = dear(production=rule(), staging=rule())
    history.change(both, now=SATURDAY)
    assert in_effect(history.head, "staging", SATURDAY)[both.subject] == both
    assert in_effect(history.head, "production", SATURDAY)[both.subject] == CLOSED


def test_what_is_in_effect_names_its_own_approval(history: Chronicle) -> None:
    """While a change waits, the answer comes from the statement before it."""
    history.change(OPEN, now=SATURDAY)
    head = history.head
    assert head.effective_approvals("production", SATURDAY)[OPEN.subject].startswith("genesis:")
    assert head.effective_approvals("production", NEXT_MONDAY)[OPEN.subject] == head.statement


def test_a_kill_switch_never_queues(history: Chronicle) -> None:
    """The flag is open; something of it waits for Monday; switching it off does not."""
    history.change(OPEN, now=MONDAY)
    history.change(edited(OPEN, variants={"enabled": True, "disabled": False, "more": True}), now=SATURDAY)
    assert answers(history, SATURDAY)
    history.change(OFF, now=SATURDAY, approved=["alice", "dora"])
    assert not answers(history, SATURDAY)
    assert not answers(history, NEXT_MONDAY)


def test_a_kill_switch_replaces_what_waited(history: Chronicle) -> None:
    """Switched off on Saturday, the flag does not come on by itself on Monday."""
    history.change(OPEN, now=SATURDAY)
    history.change(OFF, now=SATURDAY, approved=["alice"])
    assert history.head.pending == ()
    assert not answers(history, NEXT_MONDAY)


def test_a_kill_switch_does_not_wait_for_what_it_switches_off(history: Chronicle) -> None:
    """What waits brings a segment along, which the flag that is switched off would use were it on."""
    behind = dear(production=rule({"segment": "pilots"}))
    beside = dear("other", production=rule({"segment": "pilots"}))
    history.change(dear(production=rule({"org": {"in": ["acme"]}})), now=MONDAY)
    history.change(segment("pilots", "acme", "globex"), behind, beside, now=SATURDAY)
    assert answers(history, SATURDAY)
    off = dear(production=rule({"segment": "pilots"}) | {"off": True})
    history.change(off, now=SATURDAY, approved=["alice"])
    assert not answers(history, SATURDAY)
    assert not answers(history, SATURDAY, "other")
    assert not answers(history, NEXT_MONDAY)
    assert answers(history, NEXT_MONDAY, "other")


def test_a_later_statement_replaces_what_waited(history: Chronicle) -> None:
    """A mistake that is corrected before Monday is never in effect."""
    history.change(OPEN, now=SATURDAY)
    history.change(dear(production=rule({"org": "acme"})), now=SATURDAY + SECOND)
    assert len(history.head.pending) == 1
    for now in (SATURDAY, NEXT_MONDAY - SECOND, NEXT_MONDAY):
        assert not answers(history, now, org="globex")
    assert answers(history, NEXT_MONDAY)


def test_taking_back_what_waits_needs_nothing_to_wait(history: Chronicle) -> None:
    """Back to what is in effect anyway: at once, and nothing is left of what waited."""
    history.change(OPEN, now=SATURDAY)
    history.change(CLOSED, now=SATURDAY, approved=["alice"])
    assert history.head.pending == ()
    assert not answers(history, NEXT_MONDAY)


def test_a_harmless_edit_does_not_carry_in_what_waits(history: Chronicle) -> None:
    """Other words for a flag whose opening waits: the document holds both, and waits with it."""
    history.change(OPEN, now=SATURDAY)
    words = edited(OPEN, description="Other words.")
    assert history.refused(words, now=SATURDAY, approved=["alice"]) == "RoleMissing"
    history.change(words, now=SATURDAY)
    assert not answers(history, NEXT_MONDAY - SECOND)
    assert answers(history, NEXT_MONDAY)


def test_a_segment_of_a_waiting_flag_waits_with_it(history: Chronicle) -> None:
    """Two changes that meet in a flag come into effect in their order."""
    history.change(segment("pilots", "acme"), dear("cheap", production=rule({"segment": "pilots"})), now=MONDAY)
    history.change(dear(production=rule({"segment": "pilots"})), now=SATURDAY)
    history.change(segment("pilots", "acme", "globex"), now=SATURDAY)
    for org, before, after in (("acme", True, True), ("globex", False, True)):
        assert answers(history, NEXT_MONDAY - SECOND, "cheap", org) is before
        assert answers(history, NEXT_MONDAY, "cheap", org) is after
        assert answers(history, NEXT_MONDAY - SECOND, org=org) is False
        assert answers(history, NEXT_MONDAY, org=org) is after


def test_what_shares_nothing_does_not_wait(history: Chronicle) -> None:
    """A change of another flag, that may take effect now, does."""
    history.change(OPEN, now=SATURDAY)
    cheap = flag("cheap", tier="informational", production={"default": "enabled"})
    history.change(cheap, now=SATURDAY, approved=["alice"])
    assert answers(history, SATURDAY, "cheap")
    assert not answers(history, SATURDAY)


def test_a_new_flag_may_not_take_a_key_that_is_still_in_effect(history: Chronicle) -> None:
    """The removal of a flag waits; one that takes its key over waits with it."""
    history.change(remove=[CLOSED], now=SATURDAY)
    heir = flag("heir", tier="informational", key="checkout", production={"default": "enabled"})
    history.change(heir, now=SATURDAY, approved=["alice"])
    assert not answers(history, SATURDAY)
    assert answers(history, NEXT_MONDAY)


def test_the_rest_of_what_was_replaced_does_not_come_alone(history: Chronicle) -> None:
    """Two flags were to open together; one of them is changed again, later than the first: both wait."""
    history.change(OPEN, dear("other", production=rule()), now=SATURDAY)
    history.change(dear(production=rule({"org": "acme"})), now=SATURDAY)
    pending = {entry.sequence: set(entry.before) for entry in history.head.pending}
    assert pending == {1: {"FlagDefinition/payments/other"}, 2: {OPEN.subject}}
    assert not answers(history, NEXT_MONDAY - SECOND, "other")
    assert answers(history, NEXT_MONDAY, "other")
    assert answers(history, NEXT_MONDAY)
    assert not answers(history, NEXT_MONDAY, org="globex")


def test_policies_may_not_wait(history: Chronicle) -> None:
    """They are in force when accepted, so they do not come with what has to wait."""
    people = organisation()
    people["people"]["newcomer"] = {"name": "New"}
    changed = document("Organisation", "organisation", people)
    assert (
        history.refused(changed, OPEN, now=SATURDAY, approved=["alice", "dora", "erin", "frank"]) == "PolicyMayNotWait"
    )
    assert history.attempt(changed, OPEN, now=MONDAY, approved=["alice", "dora", "erin", "frank"]).head is not None


def test_who_leaves_while_a_change_waits_does_not_take_it_along(history: Chronicle) -> None:
    """Decided once: what was accepted comes into effect, whoever of its authors and approvers has left meanwhile."""
    history.change(OPEN, now=SATURDAY)
    people = organisation()
    for name in ("alice", "dora"):
        del people["people"][name]
    people["teams"]["team-payments"]["members"] = ["bob"]
    people["roles"]["release-manager"]["people"] = ["carol"]
    gone = document("Organisation", "organisation", people)
    history.change(gone, now=SATURDAY, by=["bob"], approved=["erin", "frank"])
    assert not answers(history, NEXT_MONDAY - SECOND)
    assert answers(history, NEXT_MONDAY)


def test_a_clock_set_back_brings_nothing_back(history: Chronicle) -> None:
    """What is in effect is never computed for an instant before the last acceptance."""
    history.change(OPEN, now=SATURDAY)
    history.change(flag("cheap", tier="informational"), now=NEXT_MONDAY, approved=["alice"])
    assert answers(history, SATURDAY)
    assert history.head.pending == ()


def test_replaying_gives_the_same_head_with_what_waits(history: Chronicle) -> None:
    """What waits is a function of the entries, too."""
    history.change(OPEN, dear("other", production=rule()), now=SATURDAY)
    history.change(dear(production=rule({"org": "acme"})), now=SATURDAY + SECOND)
    assert replay(history.trust, history.start, history.entries) == history.head
