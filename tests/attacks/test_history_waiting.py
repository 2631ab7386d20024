"""Have a change in effect before its time, or after it was taken back.

The attacker's changes are approved; what they lack is the window, which opens on Monday.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from flagseal.evaluation import FlagSet
from flagseal.history import accept, build, replay
from tests.history.company import (
    MONDAY,
    NEXT_MONDAY,
    SATURDAY,
    Chronicle,
    code,
    document,
    edited,
    flag,
    organisation,
    policies,
    rule,
    segment,
)

if TYPE_CHECKING:
    from datetime import datetime

CLOSED = flag(tier="high-risk")
OPEN = flag(tier="high-risk", production=rule())
SECOND = timedelta(seconds=1)
WINDOWS = {
    "business-hours": {
        "timezone": "Europe/Berlin",
        "days": ["mon", "tue", "wed", "thu"],
        "from": "09:00",
        "to": "16:00",
    }
}


@pytest.fixture
def history() -> Chronicle:
    """Give a history in which the opening of a flag is approved on Saturday, and waits."""
    history = Chronicle.of(CLOSED, segment("pilots", "acme"))
    history.change(OPEN, now=SATURDAY)
    return history


def is_open(history: Chronicle, now: datetime, org: str = "acme") -> bool:
    """Ask the flag as it is published for an instant."""
    files = build(history.head, "production", now).files
    answer = FlagSet.load(files["payments/flags.json"]).evaluate("checkout", {"targetingKey": "u", "org": org})
    return answer.value is True


def test_it_opens_on_monday_and_not_before(history: Chronicle) -> None:
    """What the attacks are held against."""
    assert not is_open(history, NEXT_MONDAY - SECOND)
    assert is_open(history, NEXT_MONDAY)


def test_by_overtaking_it_with_a_harmless_edit(history: Chronicle) -> None:
    """Against the accepted state only words change, which need no window; yet the document opens the flag."""
    words = edited(OPEN, description="Other words.")
    assert history.refused(words, now=SATURDAY, approved=["alice"]) == "RoleMissing"
    history.change(words, now=SATURDAY)
    assert not is_open(history, NEXT_MONDAY - SECOND)


def test_by_overtaking_it_with_something_the_flag_depends_on(history: Chronicle) -> None:
    """A segment needs no window of its own, but opens the flag by the back door."""
    history.change(flag(tier="high-risk", production=rule({"segment": "pilots"})), now=SATURDAY)
    history.change(segment("pilots", "acme", "globex"), now=SATURDAY)
    for org in ("acme", "globex"):
        assert not is_open(history, NEXT_MONDAY - SECOND, org)
        assert is_open(history, NEXT_MONDAY, org)


def test_by_a_lower_tier_that_knows_no_window(history: Chronicle) -> None:
    """The flag is made cheap, and opened once more as a cheap one; it was dear before, and waits."""
    cheap = edited(OPEN, riskTier="informational")
    history.change(cheap, now=SATURDAY)
    history.change(edited(cheap, description="Cheap now."), now=SATURDAY)
    assert not is_open(history, NEXT_MONDAY - SECOND)


def test_by_closing_and_opening(history: Chronicle) -> None:
    """Closing replaces what waits; opening again asks for the window again."""
    history.change(CLOSED, now=SATURDAY, approved=["alice"])
    assert not is_open(history, NEXT_MONDAY)
    history.change(OPEN, now=SATURDAY)
    assert not is_open(history, NEXT_MONDAY - SECOND)
    assert is_open(history, NEXT_MONDAY)


def test_by_dropping_the_window_from_policy(history: Chronicle) -> None:
    """A window that security opens later does not open what was decided before it."""
    calendar = history.head.documents["ChangeCalendar/calendar"]
    always = {
        "timezone": "UTC",
        "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        "from": "00:00",
        "to": "24:00",
    }
    loose = edited(calendar, windows={"business-hours": always})
    history.change(loose, now=SATURDAY, approved=["erin", "frank"])
    assert not is_open(history, NEXT_MONDAY - SECOND)


def test_by_a_clock_set_forward_and_back(history: Chronicle) -> None:
    """Whoever sets the clock forward moves acceptance with it: nothing is accepted before it any more, nor undone."""
    history.change(segment("later", "acme"), now=NEXT_MONDAY, approved=["alice"])
    assert is_open(history, SATURDAY)
    head = history.change(segment("earlier", "acme"), now=SATURDAY, approved=["alice"])
    assert head.accepted_at == NEXT_MONDAY


def test_a_clock_set_back_does_not_reopen_what_is_closed() -> None:
    """A closing that came into effect is in effect by every clock."""
    history = Chronicle.of(OPEN)
    assert is_open(history, MONDAY)
    history.change(CLOSED, now=MONDAY, approved=["alice"])
    assert not is_open(history, MONDAY - timedelta(days=365))


def test_by_backdating_an_acceptance() -> None:
    """A stored entry claims an earlier time, within a window: it counts from what was accepted before it."""
    late = Chronicle.of(CLOSED)
    late.change(segment("first", "acme"), now=SATURDAY, approved=["alice"])
    late.change(OPEN, now=SATURDAY)
    assert not is_open(late, SATURDAY)
    entries = list(late.entries)
    entries[1] = type(entries[1])(entries[1].envelope, entries[1].documents, MONDAY)
    again = replay(late.trust, late.start, entries)
    assert again.accepted_at == SATURDAY
    assert again == late.head


def test_by_removing_whoever_could_object(history: Chronicle) -> None:
    """A person is removed while a change of theirs waits: it was decided once, and comes when it was to come."""
    people = organisation()
    for name in ("alice", "bob"):
        del people["people"][name]
    people["teams"]["team-payments"]["members"] = ["carol"]
    gone = document("Organisation", "organisation", people)
    history.change(gone, now=SATURDAY, by=["mallory"], approved=["erin", "frank"])
    assert not is_open(history, NEXT_MONDAY - SECOND)
    assert is_open(history, NEXT_MONDAY)
    closing = history.proposal(CLOSED, by=["mallory"])
    assert (
        code(accept(history.head, history.bundle(closing, "alice"), history.trust, now=SATURDAY)) == "NoValidSignature"
    )
    history.change(CLOSED, now=SATURDAY, by=["mallory"], approved=["carol"])
    assert not is_open(history, NEXT_MONDAY)


def test_by_moving_it_out_of_its_window_behind_a_cheaper_change() -> None:
    """Half of what waits is changed again, along with something for a Saturday; the dear half must not move there."""
    saturday = {"name": "stocktaking", "from": "2026-11-29T00:00:00Z", "until": "2026-12-05T10:00:00Z"}
    spec = {"windows": WINDOWS, "blackouts": [{**saturday, "tiers": ["informational"]}]}
    others = [entry for entry in policies() if entry.kind != "ChangeCalendar"]
    banner, hint = flag("banner", tier="operational"), flag("hint", tier="informational")
    history = Chronicle((*others, document("ChangeCalendar", "calendar", spec), CLOSED, banner, hint))
    history.change(OPEN, edited(banner, environments={"production": rule()}), now=SATURDAY)
    again = edited(banner, environments={"production": rule({"org": {"in": ["acme"]}})})
    on_saturday = edited(hint, environments={"production": rule()})
    assert history.refused(again, on_saturday, now=SATURDAY) == "PendingInPart"
    history.change(banner, now=SATURDAY, approved=["alice"])
    assert not is_open(history, NEXT_MONDAY - SECOND)
    assert is_open(history, NEXT_MONDAY)
