from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal.model.policies import Blackout, ChangeWindow
from flagseal.policy.calendar import HORIZON, UnknownTimeZone, allowed_at, effective_from

WORKING = frozenset(range(4))
EVERY_DAY = frozenset(range(7))
BERLIN = ChangeWindow("business-hours", "Europe/Berlin", WORKING, time(9), time(16))
YEAR_END = Blackout(
    "year end", datetime(2026, 12, 20, tzinfo=UTC), datetime(2027, 1, 3, tzinfo=UTC), ("sensitive", "high-risk")
)


def at(text: str) -> datetime:
    """Read an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(start: str, end: str, *, zone: str = "Europe/Berlin", days: frozenset[int] = EVERY_DAY) -> ChangeWindow:
    """Make a window of every day."""
    return ChangeWindow("w", zone, days, time.fromisoformat(start), time.fromisoformat(end))


def test_a_change_inside_the_window_takes_effect_now() -> None:
    """Nothing waits that need not."""
    assert effective_from(at("2026-11-23T10:00"), BERLIN, (), ()) == at("2026-11-23T10:00")


def test_a_change_on_friday_waits_for_monday_morning_in_the_windows_own_zone() -> None:
    """Nine in Berlin in winter is eight in UTC."""
    assert effective_from(at("2026-11-27T10:00"), BERLIN, (), ()) == at("2026-11-30T08:00")


def test_the_end_of_a_window_is_exclusive_and_its_start_is_not() -> None:
    """The window is open at its start, and closed at its end."""
    assert allowed_at(at("2026-11-23T08:00"), BERLIN, (), ())
    assert allowed_at(at("2026-11-23T14:59:59"), BERLIN, (), ())
    assert not allowed_at(at("2026-11-23T15:00"), BERLIN, (), ())
    assert not allowed_at(at("2026-11-23T07:59:59"), BERLIN, (), ())


def test_summer_time_moves_the_window_by_an_hour_of_utc() -> None:
    """The window follows the clock on the wall."""
    assert effective_from(at("2026-07-24T20:00"), BERLIN, (), ()) == at("2026-07-27T07:00")


def test_a_window_that_begins_in_the_hour_that_is_skipped_opens_with_the_jump() -> None:
    """On 29 March 2026 Berlin goes from two to three o'clock at 01:00 UTC."""
    assert effective_from(at("2026-03-29T00:00"), window("02:30", "05:00"), (), ()) == at("2026-03-29T01:00")


def test_a_window_inside_the_hour_that_is_skipped_does_not_open_that_day() -> None:
    """No clock shows half past two on that day."""
    assert effective_from(at("2026-03-29T00:00"), window("02:15", "02:45"), (), ()) == at("2026-03-30T00:15")


def test_a_window_over_the_hour_that_comes_twice_opens_in_both() -> None:
    """On 25 October 2026 Berlin goes from three back to two o'clock at 01:00 UTC."""
    twice = window("02:15", "02:45")
    opened = [
        at("2026-10-25T00:00") + timedelta(minutes=minute)
        for minute in range(180)
        if allowed_at(at("2026-10-25T00:00") + timedelta(minutes=minute), twice, (), ())
    ]
    assert opened[0] == at("2026-10-25T00:15")
    assert opened[29] == at("2026-10-25T00:44")
    assert opened[30] == at("2026-10-25T01:15")
    assert len(opened) == 60
    assert effective_from(at("2026-10-25T00:45"), twice, (), ()) == at("2026-10-25T01:15")


def test_the_clock_put_back_can_open_a_window_again() -> None:
    """01:00 to 02:30 closes at half past two, and opens again when it is two o'clock again."""
    assert effective_from(at("2026-10-25T00:30"), window("01:00", "02:30"), (), ()) == at("2026-10-25T01:00")


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    """Monday night ends on Tuesday morning; Sunday night is none."""
    night = window("22:00", "04:00", zone="UTC", days=frozenset({0}))
    assert allowed_at(at("2026-11-24T03:59"), night, (), ())
    assert not allowed_at(at("2026-11-24T04:00"), night, (), ())
    assert not allowed_at(at("2026-11-23T03:00"), night, (), ())


def test_a_window_from_midnight_to_midnight_is_the_whole_day() -> None:
    """That is how an always open calendar is written."""
    assert allowed_at(at("2026-11-23T23:59:59"), window("00:00", "00:00", zone="UTC"), (), ())


def test_a_blackout_holds_its_tiers_back_to_its_end() -> None:
    """3 January 2027 is a Sunday, so the window adds a day."""
    assert effective_from(at("2026-12-21T10:00"), BERLIN, (YEAR_END,), ("high-risk",)) == at("2027-01-04T08:00")


def test_a_blackout_of_other_tiers_holds_nothing_back() -> None:
    """The calendar names the tiers it means."""
    assert effective_from(at("2026-12-21T10:00"), BERLIN, (YEAR_END,), ("operational",)) == at("2026-12-21T10:00")


def test_the_end_of_a_blackout_is_exclusive() -> None:
    """At its end it is over."""
    assert not allowed_at(at("2027-01-02T23:59:59"), None, (YEAR_END,), ("sensitive",))
    assert allowed_at(at("2027-01-03T00:00"), None, (YEAR_END,), ("sensitive",))


def test_blackouts_that_overlap_are_waited_for_together() -> None:
    """The end of the first lies within the second."""
    second = Blackout("audit", at("2027-01-01"), at("2027-01-10"), ("sensitive",))
    assert effective_from(at("2026-12-25"), None, (YEAR_END, second), ("sensitive",)) == at("2027-01-10")


def test_a_window_that_never_opens_gives_nothing() -> None:
    """No days, or a blackout over the whole horizon."""
    assert effective_from(at("2026-11-23"), window("09:00", "16:00", days=frozenset()), (), ()) is None
    forever = Blackout("for ever", at("2020-01-01"), at("2099-01-01"), ("sensitive",))
    assert effective_from(at("2026-11-23"), None, (forever,), ("sensitive",)) is None


@pytest.mark.parametrize("name", ["Europe/Nowhere", "/etc/passwd", "", "Europe"])
def test_an_unknown_time_zone_is_refused_by_name(name: str) -> None:
    """It never becomes UTC by itself, and never a traceback."""
    with pytest.raises(UnknownTimeZone):
        effective_from(at("2026-11-23"), window("09:00", "16:00", zone=name), (), ())


ZONES = ("UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu")
minutes = st.integers(0, 24 * 60 - 1).map(lambda m: time(m // 60, m % 60))
windows = st.builds(
    ChangeWindow,
    name=st.just("w"),
    timezone=st.sampled_from(ZONES),
    days=st.frozensets(st.integers(0, 6), min_size=1),
    start=minutes,
    end=minutes,
)
# Around the days on which clocks change: Berlin, Lord Howe (by half an hour) and Sao Paulo (at midnight, in 2018).
starts = st.sampled_from(
    ["2026-03-28T12:00", "2026-10-24T12:00", "2018-11-03T12:00", "2018-02-17T12:00", "2026-04-04T06:00"]
).flatmap(lambda day: st.integers(0, 36 * 60).map(lambda m: at(day) + timedelta(minutes=m)))


@st.composite
def blackouts(draw: st.DrawFn) -> tuple[Blackout, ...]:
    """Draw up to two blackouts around the same days."""
    found = []
    for number in range(draw(st.integers(0, 2))):
        since = draw(starts)
        length = timedelta(minutes=draw(st.integers(1, 1500)))
        found.append(Blackout(f"b{number}", since, since + length, ("sensitive",)))
    return tuple(found)


@given(now=starts, window=windows, blackouts=blackouts())
def test_the_instant_found_is_allowed_and_none_before_it_is(
    now: datetime, window: ChangeWindow, blackouts: tuple[Blackout, ...]
) -> None:
    """Held against a search minute by minute over the next two days."""
    found = effective_from(now, window, blackouts, ("sensitive",))
    minutes_ahead = 2 * 24 * 60
    expected = next(
        (
            instant
            for instant in (now + timedelta(minutes=minute) for minute in range(minutes_ahead))
            if allowed_at(instant, window, blackouts, ("sensitive",))
        ),
        None,
    )
    if expected is None:
        assert found is None or found >= now + timedelta(minutes=minutes_ahead)
    else:
        assert found == expected
        assert found - now <= HORIZON
