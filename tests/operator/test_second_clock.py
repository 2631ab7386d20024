"""Two clocks that agree, and two that do not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flagseal.model.errors import FlagsealError
from flagseal_operator.second_clock import TOLERANCE, SecondClock

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
HEADER = "Wed, 25 Nov 2026 12:00:00 GMT"


class Seconds:
    """A clock that only runs forward."""

    def __init__(self) -> None:
        self.passed = 0.0

    def __call__(self) -> float:
        """Read it."""
        return self.passed


def heard() -> tuple[SecondClock, Seconds]:
    """Give a clock that was heard of at noon."""
    passed = Seconds()
    clock = SecondClock(passed)
    clock.hear(HEADER)
    return clock, passed


def test_as_long_as_nothing_was_heard_nothing_disagrees() -> None:
    """Whoever holds a Lease has heard something."""
    SecondClock().require_agreement(NOON)


@pytest.mark.parametrize("fast", [-TOLERANCE, timedelta(), TOLERANCE])
def test_what_the_network_may_be_late_is_no_disagreement(fast: timedelta) -> None:
    """A minute either way."""
    heard()[0].require_agreement(NOON + fast)


@pytest.mark.parametrize(("fast", "word"), [(timedelta(seconds=61), "61 s ahead"), (-timedelta(hours=1), "behind")])
def test_more_than_that_decides_nothing(fast: timedelta, word: str) -> None:
    """And it is said in which direction, and by how much."""
    with pytest.raises(FlagsealError, match=word) as refused:
        heard()[0].require_agreement(NOON + fast)
    assert refused.value.code == "ClockDisagrees"
    assert "NTP" in (refused.value.remedy or "")


def test_between_answers_it_runs_on_by_a_clock_that_nobody_sets() -> None:
    """An API server that was last heard of an hour ago was an hour behind then."""
    clock, passed = heard()
    passed.passed = 3600.0
    clock.require_agreement(NOON + timedelta(hours=1))
    with pytest.raises(FlagsealError):
        clock.require_agreement(NOON)


@pytest.mark.parametrize("odd", [None, "", "soon", "Wed, 25 Nov 2026 25:00:00 GMT", "Wed, 25 Nov 2026 12:00:00 -0000"])
def test_a_date_that_is_none_is_passed_over(odd: str | None) -> None:
    """What was heard before stands."""
    clock, _ = heard()
    clock.hear(odd)
    clock.require_agreement(NOON)
