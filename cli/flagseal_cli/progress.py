"""A bar on a terminal for what takes longer than a second; nothing anywhere else."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

_PATIENCE: Final = 1.0
"""Seconds before a bar is shown at all."""
_PAUSE: Final = 0.1
_WIDTH: Final = 30


class Progress:
    """Counts steps, and shows on standard error how far they are, if that is a terminal and it takes a while.

    Args:
        what: What is done, in a few words.
        total: How many steps there are, if that is known yet.
    """

    def __init__(self, what: str, total: int = 0) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._next = time.monotonic() + _PATIENCE
        self._shown = False
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()

    def reach(self, done: int, total: int) -> None:
        """Say how many steps are done, of how many."""
        self._done, self._total = done, total
        self.step(0)

    def step(self, number: int = 1) -> None:
        """Say that so many more steps are done."""
        self._done += number
        if not self._terminal or (now := time.monotonic()) < self._next:
            return
        self._next = now + _PAUSE
        self._shown = True
        part = min(1.0, self._done / self._total) if self._total else 1.0
        full = round(part * _WIDTH)
        bar = "█" * full + "░" * (_WIDTH - full)
        sys.stderr.write(f"\r{self._what} {bar} {self._done:,} of {self._total:,}")
        sys.stderr.flush()
