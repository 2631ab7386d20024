"""The API server's clock beside one's own: where the two disagree, nothing is decided by either (docs/adr/0106)."""

from __future__ import annotations

import email.utils
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from flagseal.model.errors import FlagsealError

if TYPE_CHECKING:
    from collections.abc import Callable

TOLERANCE: Final = timedelta(minutes=1)
"""The API server's dates are whole seconds and arrive late; clients refuse what lies 30 s in the future."""


class SecondClock:
    """What the API server last said of the time, carried on by a clock that nobody sets.

    Fed and read from any thread.

    Args:
        monotonic: A clock that only runs forward, in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._heard: tuple[datetime, float] | None = None

    def hear(self, date: str | None) -> None:
        """Take note of an answer.

        Args:
            date: Its ``Date`` header; what is none is passed over.
        """
        try:
            found = email.utils.parsedate_to_datetime(date or "")
        except ValueError:
            return
        if found.tzinfo is not None:
            self._heard = found.astimezone(UTC), self._monotonic()

    def require_agreement(self, now: datetime) -> None:
        """Compare.

        Args:
            now: By one's own clock; aware.

        Raises:
            FlagsealError: ``ClockDisagrees``.
        """
        if self._heard is None:
            return
        said, at = self._heard
        fast = now - (said + timedelta(seconds=self._monotonic() - at))
        if abs(fast) > TOLERANCE:
            way = "ahead of" if fast > timedelta() else "behind"
            raise FlagsealError(
                f"This machine's clock is {abs(fast).total_seconds():.0f} s {way} the API server's: nothing is accepted"
                " or signed by it, since clients would refuse that, and what follows it.",
                code="ClockDisagrees",
                remedy="Set both clocks right (NTP); this goes on by itself.",
            )
