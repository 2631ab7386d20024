"""``flagseal retire``: the expiry bot."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from flagseal.model.errors import RepositoryError
from flagseal.repository import FlagRepository
from flagseal_cli.console import note, print_json
from flagseal_cli.forge import github_option, open_desk, open_remote, remote_option
from flagseal_cli.options import data_option, format_option, repo_option
from flagseal_cli.retirement import look, sources_option
from flagseal_cli.workspace import find_repository, quick_reader
from flagseal_validators.retirement.bot import Bot, edit_of
from flagseal_validators.retirement.branches import Branches
from flagseal_validators.retirement.describing import is_pull
from flagseal_validators.retirement.saying import as_json, as_text
from flagseal_validators.retirement.stepping import by_hand, due

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal_validators.retirement.branches import Edit
    from flagseal_validators.retirement.stepping import Due


@click.command("retire")
@click.option("--open-pull-requests", "opening", is_flag=True, help="Open and update requests and issues.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, with every change; touch nothing.")
@sources_option
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Flags to write about, most urgent first.",
)
@click.option("--base", metavar="BRANCH", help="Where requests go. Default: the branch that is checked out.")
@github_option
@remote_option
@repo_option
@data_option
@format_option
def retire_command(  # noqa: PLR0913 (each is an option)
    *,
    opening: bool,
    dry_run: bool,
    sources: tuple[Path, ...],
    limit: int,
    base: str | None,
    name: str | None,
    remote_name: str,
    repo: Path | None,
    data: Path | None,
    style: str,
) -> int:
    """Say which flags are at their end, and ask their owners to end them.

    Warns before a flag's date, proposes its retirement from the date on, and tells others two weeks after. A flag goes
    step by step as policies/lifecycle.yaml has it, is retired before it is deleted, and is never deleted while code
    asks for it. One branch and one pull request a flag, updated and never repeated; run it again after whatever
    happened. Without --open-pull-requests nothing is written anywhere.
    """
    repository = find_repository(repo)
    git = FlagRepository(repository, read=quick_reader(repository))
    now = datetime.now(UTC)
    branches = None
    if opening and not dry_run:
        branches = Branches(git, open_remote(git, remote_name), _base(git, base))
        commit = branches.fetch()
    else:
        commit = git.resolve(base or "HEAD")
    looked = look(git, commit, repository, data=data, sources=sources, now=now)
    found = [due(subject, now.date(), looked.policies.lifecycle) for subject in looked.subjects]
    outcomes = None
    if branches is not None:
        bot = Bot(open_desk(name), branches, looked.policies, lambda: datetime.now(UTC))
        outcomes = bot.run(found, limit)
    edits: dict[str, Edit] = {}
    if dry_run:
        found = [_tried(git, commit, it, edits) for it in found]
    if style == "json":
        print_json(as_json(found, now.date(), outcomes))
        return 0
    contents = {name: _content(git, commit, it.path) for name, it in edits.items()}
    click.echo(as_text(found, now.date(), outcomes, edits if dry_run else None, contents), nl=False)
    if branches is None and any(it.step != "none" for it in found):
        note(
            "Nothing was written (--dry-run)."
            if dry_run
            else "Nothing was written. --dry-run shows each change, --open-pull-requests makes it so."
        )
    return 0


def _base(git: FlagRepository, named: str | None) -> str:
    """Find the branch that requests go to; a name is never taken as an option."""
    found = named or os.environ.get("GITHUB_REF_NAME") or git.branch.removeprefix("refs/heads/")
    if git.git.run("check-ref-format", f"refs/heads/{found}", accept=(0, 1))[0] != 0 or found.startswith("-"):
        raise RepositoryError(f"--base: {found!r} is no branch.", code="BadBranch", remedy="Write its name: main.")
    return found


def _tried(git: FlagRepository, commit: str, it: Due, edits: dict[str, Edit]) -> Due:
    """Make a change that is due, as the bot would; leave what cannot be made to a person."""
    if is_pull(it):
        try:
            edits[it.reference] = edit_of(it, _content(git, commit, it.subject.path))
        except RepositoryError as error:
            if error.code != "NotEdited":
                raise
            return by_hand(it, error.message)
    return it


def _content(git: FlagRepository, commit: str, path: str) -> bytes:
    return git.git.run("cat-file", "blob", f"{commit}:{path}")[1]
