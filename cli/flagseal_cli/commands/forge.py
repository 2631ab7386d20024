"""``flagseal forge``: what Flagseal does at a git host."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagseal.model.errors import UsageError
from flagseal.repository import FlagRepository
from flagseal_cli.commands.protection import check_protection, set_up_protection
from flagseal_cli.console import note
from flagseal_cli.forge import address_of, github_option, name_in, open_asker, open_remote, remote_option
from flagseal_cli.group import group
from flagseal_cli.options import repo_option
from flagseal_cli.starter import write_files
from flagseal_cli.workflows import flag_workflows
from flagseal_cli.workspace import find_repository, quick_reader

if TYPE_CHECKING:
    from flagseal.model.canonical import Json
    from flagseal_validators.forge.github.asking import Asker
    from flagseal_validators.forge.opened import OpenRequest

_EVENT = "GITHUB_EVENT_PATH"
_ATTEST = "attest.yaml"
_BRANCH = "main"


@group("forge")
def forge_command() -> None:
    """Do at a git host what Flagseal needs there."""


@forge_command.command("comment")
@click.argument("number", type=click.IntRange(min=1), metavar="REQUEST", required=False)
@github_option
@remote_option
@repo_option
def comment(number: int | None, *, name: str | None, remote_name: str, repo: Path | None) -> None:
    """Say in an open pull request what it does: one comment, made anew each time.

    Without REQUEST, the one whose workflow has run is meant, as the event of a workflow on `workflow_run` names it. The
    request is fetched by git, merged in memory and read as data; nothing of it is run. The token is read from
    FLAGSEAL_GITHUB_TOKEN (or GITHUB_TOKEN).
    """
    from flagseal_cli.requests import comment_on, fetch_request
    from flagseal_validators.forge.desk import Mark, Writing
    from flagseal_validators.forge.github import GitHubDesk

    repository = find_repository(repo)
    git = FlagRepository(repository, read=quick_reader(repository))
    asker, full_name = open_asker(name, name_in(address_of(git, remote_name)))
    found = _requests(asker, full_name, number)
    if not found:
        note("The request is closed or has changed since; nothing is said.")
    remote = open_remote(git, remote_name)
    for request in found:
        if not fetch_request(git, remote, request):
            note(f"Request {request.number} has changed since; nothing is said.")
            continue
        writing = Writing(Mark.of("plan", "request"), "", comment_on(git, repository, request, full_name))
        done = GitHubDesk(asker, full_name).put_comment(request.number, writing)
        note(f"Request {request.number}: comment {done}.")


@forge_command.command("ask")
@click.argument("attestor", metavar="OWNER/NAME")
def ask(attestor: str) -> None:
    """Ask the attestor, whose workflow is in the repository OWNER/NAME, to look at what was merged.

    Nothing is handed over but the wish. The token (FLAGSEAL_GITHUB_TOKEN) needs Actions: write there. Without one the
    attestor is not asked, which is no error: it comes by itself.
    """
    from flagseal_validators.forge.github import wake

    if not os.environ.get("FLAGSEAL_GITHUB_TOKEN"):
        note(f"FLAGSEAL_GITHUB_TOKEN is not set, so {attestor} is not asked; it comes by itself.")
        return
    asker, full_name = open_asker(attestor)
    wake(asker, full_name, _ATTEST, _BRANCH)
    note(f"Asked {full_name}.")


@forge_command.command("identity")
@click.option("--audience", required=True, metavar="WHO", help="For whom the token is: sts.amazonaws.com.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file that only this job can read.",
)
def identity(*, audience: str, out: Path) -> None:
    """Write the token by which this job of GitHub Actions proves to a KMS who it is.

    The job needs `id-token: write`. The clients of the clouds read the file where their variable names it:
    AWS_WEB_IDENTITY_TOKEN_FILE, AZURE_FEDERATED_TOKEN_FILE, or the file of GOOGLE_APPLICATION_CREDENTIALS.
    """
    from flagseal_validators.forge.github.identity import job_identity

    token = job_identity(os.environ, audience)
    out.unlink(missing_ok=True)
    # The mode is given at creation: between a write and a chmod anybody could read it.
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(token)
    note(f"{out}: who this job is, for {audience}")


@forge_command.command("workflows")
@repo_option
def workflows(*, repo: Path | None) -> None:
    """Write the workflows of a flag repository, with their pins, over those that are there.

    For a repository that has none, and after an upgrade of Flagseal. Commit them as any change of `.github/`.
    """
    repository = find_repository(repo)
    files = flag_workflows()
    write_files(repository, files)
    note(f"Wrote {len(files)} files below {repository / '.github'}.")


def _requests(asker: Asker, name: str, number: int | None) -> tuple[OpenRequest, ...]:
    from flagseal_validators.forge.github import GitHubOpened, origin_of

    opened = GitHubOpened(asker, name)
    return (opened.request(number),) if number is not None else opened.requests_from(origin_of(_event()))


def _event() -> Json:
    """Read what GitHub says started this job."""
    path = os.environ.get(_EVENT)
    try:
        found: Json = json.loads(Path(path).read_bytes()) if path else None
    except (OSError, ValueError, RecursionError):
        found = None
    if found is None:
        raise UsageError(
            f"REQUEST: which request is meant is not said, and {_EVENT} names no event",
            code="NoRequest",
            remedy="Write its number.",
        )
    return found


forge_command.add_command(check_protection)
forge_command.add_command(set_up_protection)
