"""Days and instants as they are written in documents.

A day is ``YYYY-MM-DD`` and means the whole day in UTC. An instant is RFC 3339 in UTC, in whole seconds, with a
capital ``T`` and ``Z``: one spelling for one instant, so one digest. Years run from 2000 to 2999, so that no
arithmetic on what was written can leave the calendar.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

_DAY = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}")
# Spelled out: what Python takes for a time of day (24:00, for one) differs between its versions.
_INSTANT = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z")
_EPOCH = date(1970, 1, 1).toordinal()
_SECONDS_A_DAY = 86_400
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": _SECONDS_A_DAY}


def parse_day(text: str) -> date:
    """Read a day.

    Raises:
        ValueError: The text is not written ``YYYY-MM-DD``, or no such day exists.
    """
    if _DAY.fullmatch(text) is None:
        msg = f"not a day written YYYY-MM-DD: {text!r}"
        raise ValueError(msg)
    return date.fromisoformat(text)


def parse_instant(text: str) -> datetime:
    """Read an instant.

    Raises:
        ValueError: The text is not written ``YYYY-MM-DDThh:mm:ssZ``, or no such instant exists.
    """
    if _INSTANT.fullmatch(text) is None:
        msg = f"not an instant written YYYY-MM-DDThh:mm:ssZ: {text!r}"
        raise ValueError(msg)
    return datetime.fromisoformat(text)


def unix_seconds(text: str) -> int:
    """Read an instant as unix seconds.

    Raises:
        ValueError: As :func:`parse_instant`.
    """
    return int(parse_instant(text).timestamp())


def day_start(day: date) -> int:
    """Give the first second of a day, UTC, as unix seconds."""
    return (day.toordinal() - _EPOCH) * _SECONDS_A_DAY


def day_end(day: date) -> int:
    """Give the first second after a day, UTC: the exclusive end of something whose last day it is."""
    return day_start(day) + _SECONDS_A_DAY


def parse_days(text: str) -> int:
    """Read a number of days (``180d``)."""
    return int(text.removesuffix("d"))


def parse_duration(text: str) -> int:
    """Read a duration (``30s``, ``15m``, ``8h``, ``2d``) in seconds."""
    return int(text[:-1]) * _UNITS[text[-1]]


def utc(seconds: int) -> datetime:
    """Give unix seconds as an aware instant in UTC."""
    return datetime.fromtimestamp(seconds, tz=UTC)


def is_day(text: str) -> bool:
    """Tell whether a text is a day."""
    try:
        parse_day(text)
    except ValueError:
        return False
    return True


def is_instant(text: str) -> bool:
    """Tell whether a text is an instant."""
    try:
        parse_instant(text)
    except ValueError:
        return False
    return True
