"""How the command speaks: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
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


def note(text: str) -> None:
    """Say something beside the result."""
    click.echo(text, err=True)


def print_json(value: object) -> None:
    """Write a result for a program."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
