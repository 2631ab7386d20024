"""How the command speaks: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Final, Self

import click

from flagseal.model.characters import escaped, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TextIO

    from flagseal.model.errors import FlagsealError
    from flagseal.model.finding import Finding

_PATIENCE: Final = 1.0
"""Seconds in which nobody wonders."""
_BEAT: Final = 0.1
_BAR: Final = 30


def print_error(error: FlagsealError) -> None:
    """Write a failure: what is wrong, and on a line of its own what to do.

    Both may quote what others wrote: what would steer a terminal is spelled out.
    """
    click.secho("error", fg="red", bold=True, err=True, nl=False, color=None if _colours_suit() else False)
    click.echo(f"[{error.code}]: {_shown(error.message)}", err=True)
    if error.remedy:
        click.echo(f"  → {_shown(error.remedy)}", err=True)


def _shown(text: str) -> str:
    return "\n".join(map(visible, text.split("\n")))


def print_findings(findings: Iterable[Finding]) -> None:
    """Write findings, one a line, to standard error."""
    for finding in findings:
        click.echo(finding.text(), err=True)


class Failures:
    """Says a failure when it begins and when it is over, however often it is met in between."""

    def __init__(self) -> None:
        self._said: tuple[str, str] | None = None

    def tell(self, failure: FlagsealError | None) -> None:
        """Take what is the matter now; None if nothing is."""
        now = None if failure is None else (failure.code, failure.message)
        if now == self._said:
            return
        self._said = now
        if failure is None:
            note("That is over: going on.")
        else:
            print_error(failure)


def note(text: str) -> None:
    """Say something beside the result."""
    click.echo(text, err=True)


def print_json(value: object) -> None:
    """Write a result for a program; on a terminal, which people read it on as well, nothing in it does anything."""
    click.echo(escaped(json.dumps(value, indent=2, ensure_ascii=False, default=_plain)))


def _plain(value: object) -> str:
    """Write what JSON has no form for: instants as RFC 3339."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def wants_colour() -> bool:
    """Tell whether results may be coloured: for a terminal whose person did not ask for none (no-color.org)."""
    return sys.stdout.isatty() and _colours_suit()


def _colours_suit() -> bool:
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Progress:
    """Shows on a terminal how far a command is that takes longer than a second; use it as a context.

    Args:
        stream: Where; standard error, as it is no result.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._began = self._last = time.monotonic()
        self._shown = False

    def say(self, what: str) -> Callable[[int, int], None]:
        """Give what is to be told how many of how many are done."""
        return lambda done, total: self._tell(what, done, total)

    def _tell(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if not self._stream.isatty() or now - self._began < _PATIENCE or (self._shown and now - self._last < _BEAT):
            return
        self._shown, self._last = True, now
        filled = _BAR * done // max(1, total)
        self._stream.write(f"\r\x1b[K{what} [{'=' * filled:{_BAR}}] {done:,} of {total:,}")
        self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
