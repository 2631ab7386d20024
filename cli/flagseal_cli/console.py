"""How the command speaks: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagseal.model.errors import FlagsealError
    from flagseal.model.finding import Finding


def print_error(error: FlagsealError) -> None:
    """Write a failure: what is wrong, and on a line of its own what to do."""
    click.secho("error", fg="red", bold=True, err=True, nl=False)
    click.echo(f"[{error.code}]: {error.message}", err=True)
    if error.remedy:
        click.echo(f"  → {error.remedy}", err=True)


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
    """Write a result for a program."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: object) -> str:
    """Write what JSON has no form for: instants as RFC 3339."""
    return value.isoformat() if isinstance(value, datetime) else str(value)
