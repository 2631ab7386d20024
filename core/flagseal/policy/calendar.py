"""When a change may take effect: windows in a time zone, and blackouts by tier (formats.md, Policies).

A window is open at an instant if a clock on a wall in its time zone says so. Hence at daylight saving's edges:
where the clock jumps over an hour, a window that begins within it opens with the jump; where an hour comes
twice, a window over that hour is open in both. The end is exclusive, and one not after its start belongs
to the following day (``22:00`` to ``04:00``; ``00:00`` to ``00:00`` is the whole day).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from flagseal.model.errors import FlagsealError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flagseal.model.flag import RiskTier
    from flagseal.model.policies import Blackout, ChangeWindow

HORIZON: Final = timedelta(days=400)
"""How far ahead an opening is sought: more than a year, so that a yearly blackout cannot hide one."""

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)


class UnknownTimeZone(FlagsealError):
    """Say that a window's time zone is not one of the IANA database at hand."""

    code = "UnknownTimeZone"


def allowed_at(
    instant: datetime, window: ChangeWindow | None, blackouts: Iterable[Blackout], tiers: Iterable[RiskTier]
) -> bool:
    """Tell whether a change of these tiers may take effect at an instant.

    Args:
        instant: Aware.
        window: None is always open.
        blackouts: All of the calendar's.
        tiers: A blackout of any of them counts.

    Raises:
        UnknownTimeZone: The window's zone does not exist.
    """
    concerned = frozenset(tiers)
    return is_open(instant, window) and not any(_covers(blackout, instant, concerned) for blackout in blackouts)


def effective_from(
    now: datetime, window: ChangeWindow | None, blackouts: Iterable[Blackout], tiers: Iterable[RiskTier]
) -> datetime | None:
    """Find the earliest instant, from now on, at which a change of these tiers may take effect.

    Args:
        now: Aware; given back as it is if a change may take effect now.
        window: None is always open.
        blackouts: All of the calendar's.
        tiers: A blackout of any of them counts.

    Raises:
        UnknownTimeZone: The window's zone does not exist.

    Returns:
        An instant in UTC, or None where there is none within :data:`HORIZON`.
    """
    concerned = frozenset(tiers)
    stretches = [blackout for blackout in blackouts if concerned.intersection(blackout.tiers)]
    horizon = now + HORIZON
    instant: datetime | None = now.astimezone(UTC)
    while instant is not None and instant <= horizon:
        over = max((b.until for b in stretches if b.since <= instant < b.until), default=None)
        if over is not None:
            instant = over.astimezone(UTC)
        elif is_open(instant, window):
            return instant
        else:
            instant = _next_opening(instant, window, horizon)
    return None


def is_open(instant: datetime, window: ChangeWindow | None) -> bool:
    """Tell whether a window is open at an instant; None is always open.

    Raises:
        UnknownTimeZone: The window's zone does not exist.
    """
    if window is None:
        return True
    local = instant.astimezone(zone(window.timezone))
    clock = local.time()
    if window.start < window.end:
        return local.weekday() in window.days and window.start <= clock < window.end
    opened_today = local.weekday() in window.days and clock >= window.start
    opened_yesterday = (local.weekday() - 1) % 7 in window.days and clock < window.end
    return opened_today or opened_yesterday


def zone(name: str) -> ZoneInfo:
    """Find a time zone of the IANA database.

    Raises:
        UnknownTimeZone: There is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown, ill-formed (an absolute path), or a folder
        raise UnknownTimeZone(
            f"{name!r} is not a time zone of the IANA database here",
            remedy="Name one like Europe/Berlin in policies/calendar.yaml, or install the package tzdata.",
        ) from error


def _covers(blackout: Blackout, instant: datetime, tiers: frozenset[RiskTier]) -> bool:
    return blackout.since <= instant < blackout.until and not tiers.isdisjoint(blackout.tiers)


def _next_opening(instant: datetime, window: ChangeWindow | None, horizon: datetime) -> datetime | None:
    """Find the first opening after an instant at which the window is closed."""
    if window is None:
        return None
    day = instant
    while day <= horizon:
        openings = [c for c in _candidates(day, window) if c > instant and is_open(c, window)]
        if openings:
            return min(openings)
        day += _DAY
    return None


def _candidates(day: datetime, window: ChangeWindow) -> Iterator[datetime]:
    """List the instants around a day at which a clock on the wall can enter the window.

    That is where it shows the start (twice, if the hour comes twice), and where it is put forward or back.
    """
    place = zone(window.timezone)
    date = day.astimezone(place).date()
    midnights = [datetime.combine(date + days * _DAY, datetime.min.time(), place).astimezone(UTC) for days in (0, 1, 2)]
    for offset in (0, 1):
        wall = datetime.combine(date + offset * _DAY, window.start, place)
        yield from (wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        if midnights[offset].astimezone(place).utcoffset() != midnights[offset + 1].astimezone(place).utcoffset():
            yield _transition(midnights[offset], midnights[offset + 1], place)


def _transition(before: datetime, after: datetime, place: ZoneInfo) -> datetime:
    """Find, by halving, the second at which the offset from UTC changes."""
    offset = before.astimezone(place).utcoffset()
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if middle.astimezone(place).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
