"""What the commands about a git host share: which repository, by which token, through which remote."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from flagseal.model.errors import ForgeError, UsageError
from flagseal.repository import FlagRepository
from flagseal.repository.sharing import Remote
from flagseal_cli.console import print_json
from flagseal_cli.render import attested_lines, check_lines
from flagseal_cli.workspace import find_repository

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal_validators.attestor import Attestation, Saved
    from flagseal_validators.forge.github import GitHubDesk, GitHubForge, GitHubSettings
    from flagseal_validators.forge.github.asking import Asker

_NAME = re.compile(r"[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}")

github_option = click.option(
    "--github",
    "name",
    metavar="OWNER/NAME",
    help="The repository on GitHub. Default: the trust's or the remote's, or GITHUB_REPOSITORY.",
)
remote_option = click.option(
    "--remote", "remote_name", default="origin", show_default=True, metavar="NAME", help="Where git fetches and pushes."
)


def open_forge(name: str | None, fallback: str = "") -> GitHubForge:
    """Open GitHub by what the environment says.

    Args:
        name: What ``--github`` says.
        fallback: What the trust or the remote calls the repository.

    Raises:
        UsageError: ``NoRepository``; nothing names it.
        ForgeError: ``NoToken``, ``BadToken``.
    """
    from flagseal_validators.forge.github import GitHubForge

    return GitHubForge(*open_asker(name, fallback))


def open_desk(name: str | None, fallback: str = "") -> GitHubDesk:
    """Open GitHub to write, by what the environment says (as :func:`open_forge`)."""
    from flagseal_validators.forge.github import GitHubDesk

    return GitHubDesk(*open_asker(name, fallback))


def open_asker(name: str | None, fallback: str = "") -> tuple[Asker, str]:
    """Open GitHub for one repository, by what the environment says.

    Args:
        name: What ``--github`` says.
        fallback: What the trust or the remote calls the repository.

    Raises:
        UsageError: ``NoRepository``; nothing names it.
        ForgeError: ``NoToken``, ``BadToken``.

    Returns:
        Whom to ask, and the repository's name.
    """
    from flagseal_validators.forge.github import access_from, open_github

    found = next(filter(_NAME.fullmatch, filter(None, (name, fallback, os.environ.get("GITHUB_REPOSITORY")))), None)
    if found is None or (name is not None and found != name):
        raise UsageError(
            "--github: which repository on GitHub is not known", code="NoRepository", remedy="Write OWNER/NAME."
        )
    return open_github(access_from(os.environ), sleep=time.sleep), found


def open_settings(git: FlagRepository, name: str | None, remote: str) -> GitHubSettings:
    """Open how a repository is set up: the one that is named, else the remote's.

    Raises:
        UsageError: ``NoRepository``.
        ForgeError: ``NoToken``, ``BadToken``.
    """
    from flagseal_validators.forge.github import GitHubSettings

    return GitHubSettings(*open_asker(name, name_in(address_of(git, remote))))


def name_here(start: Path | None, remote: str) -> str:
    """Find ``owner/name`` by the remote of the flag repository at or above a folder; empty outside of any."""
    try:
        return name_in(address_of(FlagRepository(find_repository(start)), remote))
    except UsageError:
        return ""


def address_of(git: FlagRepository, remote: str) -> str:
    """Give where a remote is; empty if there is none of that name."""
    return git.git.run("config", "--get", f"remote.{remote}.url", accept=(0, 1))[1].decode("utf-8", "replace").strip()


def name_in(address: str) -> str:
    """Find ``owner/name`` in an address of git on a network; empty if it is none."""
    match = re.fullmatch(r"(?:https://[^/]+/|ssh://git@[^/]+/|git@[^/:]+:)([^/]+/[^/]+?)(?:\.git)?/?", address)
    return match[1] if match else ""


def open_remote(git: FlagRepository, name: str) -> Remote:
    """Open the remote; with the token that GitHub is asked by, if it is GitHub's own, by https."""
    from flagseal_validators.forge.github import access_from

    address = address_of(git, name)
    try:
        access = access_from(os.environ)
    except ForgeError:
        # Whoever needs a token for the forge itself is told there.
        return Remote(git.git, name)
    return Remote(git.git, name, password=access.password() if is_host_of(address or name, access.api) else None)


def is_host_of(address: str, api: str) -> bool:
    """Tell whether a git address is on the host of an API: a token for one is shown to no other."""
    parts, of = urlsplit(address), urlsplit(api)
    return (
        parts.scheme == "https"
        and (parts.username, parts.port) == (None, None)
        and parts.hostname
        in {
            of.hostname,
            (of.hostname or "").removeprefix("api."),
        }
    )


def saved_facts(files: tuple[Path, ...]) -> Saved:
    """Read facts that were fetched before.

    Raises:
        ForgeError: ``FactsMalformed``.
    """
    from flagseal_validators.attestor import Saved
    from flagseal_validators.forge.facts import Facts

    return Saved(Facts.parse(path.read_bytes(), place=str(path)) for path in files)


def tell_attestation(found: Attestation, style: str) -> None:
    """Say check by check what was seen of a commit, and what is missing."""
    if style == "json":
        print_json(
            {
                "commit": found.commit,
                "allowed": found.allowed,
                "checks": [check.to_json() for check in found.checks],
                "decision": found.decision.to_json(),
                "statement": found.proposal.statement.body(),
            }
        )
        return
    for landing in found.landings:
        request = landing.facts.request
        click.echo(f"Request {request.number}, landed as {landing.commit[:12]} on {landing.base[:12]}")
    for line in check_lines((*found.checks, *found.sufficient.checks)):
        click.echo(line)
    for line in attested_lines(found.proposal.statement):
        click.echo(line)
