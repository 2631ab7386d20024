"""``flagseal debt``: which flags should not be there any more, by owner and age."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from flagseal.repository import FlagRepository
from flagseal_cli.console import print_json
from flagseal_cli.options import data_option, repo_option
from flagseal_cli.retirement import look, sources_option
from flagseal_cli.workspace import find_repository, quick_reader
from flagseal_validators.retirement.debt import report
from flagseal_validators.retirement.debt_pages import as_markdown, as_text

if TYPE_CHECKING:
    from pathlib import Path


@click.command("debt")
@sources_option
@click.option("--commit", "revision", default="HEAD", show_default=True, metavar="REV", help="At which commit to look.")
@click.option("--format", "style", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
@repo_option
@data_option
def debt_command(*, sources: tuple[Path, ...], revision: str, style: str, repo: Path | None, data: Path | None) -> int:
    """Report the flags that should not be there any more, by owner and age, with one number for all.

    Debt is what has expired, has no end, is an entitlement whose review is overdue, has served everybody the same for
    a month without a change, or is retired and not deleted. With --sources it is said where code still asks for it.
    """
    repository = find_repository(repo)
    git = FlagRepository(repository, read=quick_reader(repository))
    now = datetime.now(UTC)
    looked = look(git, git.resolve(revision), repository, data=data, sources=sources, now=now)
    found = report(looked.subjects, now.date(), looked.policies.lifecycle)
    match style:
        case "json":
            print_json(found.to_json())
        case "markdown":
            click.echo(as_markdown(found), nl=False)
        case _:
            click.echo(as_text(found), nl=False)
    return 0
