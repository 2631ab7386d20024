"""``flagseal facts fetch``: what a git host knows of a merged request, saved as it was."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from flagseal_cli.console import note
from flagseal_cli.forge import github_option, name_here, open_forge, remote_option
from flagseal_cli.group import group
from flagseal_cli.options import repo_option


@group("facts")
def facts_command() -> None:
    """Fetch what a git host knows of a merged pull request."""


@facts_command.command("fetch")
@click.argument("request", type=click.IntRange(min=1), metavar="PR")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Default: standard output.")
@github_option
@remote_option
@repo_option
def fetch_facts(request: int, *, out: Path | None, name: str | None, remote_name: str, repo: Path | None) -> None:
    """Fetch everything that approval asks of the merged pull request PR, as canonical JSON.

    The file can be judged anywhere, any time later: `flagseal attest --facts FILE`. The token is read from
    FLAGSEAL_GITHUB_TOKEN (or GITHUB_TOKEN), or made by an App's key (docs/github.md).
    """
    facts = open_forge(name, "" if name else name_here(repo, remote_name)).facts(request)
    if out is None:
        sys.stdout.write(facts.to_bytes().decode())
        return
    out.write_bytes(facts.to_bytes())
    note(f"{out}: facts of request {request}, {facts.digest}")
