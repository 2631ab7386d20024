"""``flagseal attest``: whether what landed was approved in the forge; if so, signed, and noted where all fetch it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagseal.approval.trust import Trust
from flagseal.intake import advance, candidates, recover
from flagseal.model.errors import FlagsealError, UsageError
from flagseal.repository import FlagRepository
from flagseal.repository.sharing import Remote, SharedNotes
from flagseal.snapshot.keys import signer_among
from flagseal_cli.console import note, print_error
from flagseal_cli.forge import (
    github_option,
    open_forge,
    open_remote,
    remote_option,
    saved_facts,
    tell_attestation,
)
from flagseal_cli.offline import passphrase
from flagseal_cli.options import data_option, environment_option, facts_option, format_option, repo_option
from flagseal_cli.published import published_state
from flagseal_cli.workspace import data_folder, find_repository
from flagseal_validators.attestor import WithHeads, attest, sign

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagseal.history import Head
    from flagseal_validators.attestor import RequestSource

_TIP = "refs/flagseal/branch"
_HEADS = "refs/flagseal/requests"
_TRUE_OF_ALL = ("RateLimited", "ForgeDown", "NoToken", "BadToken", "BadApi", "NoRepository", "FetchFailed")
"""Errors that the next commit would meet as well."""


@click.command("attest")
@click.option("--commit", "revision", metavar="REV", help="What landed. Default: the tip of the protected branch.")
@click.option("--all", "everything", is_flag=True, help="Each commit that landed since the accepted one, in order.")
@facts_option
@click.option("--key", "uri", metavar="URI", help="The attestor's key: file:PATH, awskms:…, gcpkms:…, hv:…")
@click.option(
    "--trust",
    "trust_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A trust.json from which the accepted state is rebuilt out of git. Default: what is published in the data.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be signed; sign and write nothing.")
@click.option("--offline", is_flag=True, help="Neither fetch nor push: use what is in this clone, note it here.")
@github_option
@remote_option
@environment_option
@repo_option
@data_option
@format_option
def attest_command(  # noqa: PLR0913 (each is an option)
    *,
    revision: str | None,
    everything: bool,
    files: tuple[Path, ...],
    uri: str | None,
    trust_file: Path | None,
    dry_run: bool,
    offline: bool,
    name: str | None,
    remote_name: str,
    environment: str | None,
    repo: Path | None,
    data: Path | None,
    style: str,
) -> int:
    """Judge what landed by the git host's facts, and sign that it was approved.

    Everything is checked: who approved what and when, who wrote it, that the landed tree is what was reviewed, owners,
    policies, the gate, the branch's protection. What is in order is signed and noted under refs/notes/flagseal, there
    and not only here. Run again, it does nothing more. Exit code 1 if it is refused.
    """
    if everything and revision is not None:
        raise UsageError("--all and --commit exclude each other", remedy="Leave one of them out.")
    if uri is None and not dry_run:
        raise UsageError("--key: with which key to sign is not said", code="NoKey", remedy="Name it, or say --dry-run.")
    repository = find_repository(repo)
    git = FlagRepository(repository)
    remote = None if offline else open_remote(git, remote_name)
    now = datetime.now(UTC)
    trust, published = _trusted(trust_file, repository, environment, data)
    tip = _fetched(git, remote, trust)
    source = partial(_source, git, remote, files, name, trust)
    job = _Job(git, remote, trust, published, tip, now, source, None if dry_run else uri, style)
    if not everything:
        return 0 if job.settle(job.accepted(), git.resolve(revision or tip)) else 1
    return 0 if job.settle_all() else 1


@dataclass(frozen=True)
class _Job:
    """What a run works with.

    Attributes:
        remote: Where notes are fetched from and pushed to; None offline.
        published: The accepted state of this machine's store, if that is what is trusted.
        tip: Where the branch is.
        source: Opens what requests are asked of, when the first is asked for.
        uri: The key to sign with; None signs nothing.
    """

    git: FlagRepository
    remote: Remote | None
    trust: Trust
    published: Head | None
    tip: str
    now: datetime
    source: Callable[[], RequestSource]
    uri: str | None
    style: str

    def accepted(self) -> Head:
        """Take the accepted state as far as the notes reach by now."""
        if self.published is None:
            return recover(self.git, self.trust, now=self.now, tip=self.tip).head
        return advance(self.git, self.published, self.trust, now=self.now, tip=self.tip).head

    def settle_all(self) -> bool:
        """Settle each commit since the accepted one, oldest first; say whether none is refused."""
        head, refused = self.accepted(), 0
        commits = self.git.first_parent_line(head.commit, self.tip)
        if not commits:
            note("Nothing landed since the accepted commit.")
        for commit in commits:
            try:
                refused += not self.settle(head, commit)
            except FlagsealError as error:
                if error.code in _TRUE_OF_ALL:
                    raise
                # What is wrong with this one may be mended by the next.
                print_error(error)
                refused += 1
            else:
                # The next one is judged by what this one makes of the accepted state.
                head = self.accepted()
        return refused == 0

    def settle(self, head: Head, commit: str) -> bool:
        """Judge one commit, and sign what is in order; False if it is refused."""
        if (why := _settled(self.git, head, self.trust, commit)) is not None:
            note(f"{commit[:12]}: {why}")
            return True
        try:
            found = attest(self.git, head, self.trust, self.source(), commit, now=self.now, tip=self.tip)
        except FlagsealError as error:
            if error.code != "NothingChanges":
                raise
            note(f"{commit[:12]}: changes nothing that is governed; it needs no statement")
            return True
        tell_attestation(found, self.style)
        if not found.allowed:
            return False
        if self.uri is None:
            note("Nothing was signed (--dry-run).")
            return True
        signer = signer_among(self.uri, [entry.key for entry in self.trust.attestors], passphrase=passphrase)
        line = sign(found, signer).to_line()
        if self.remote is None:
            self.git.add_note(commit, line)
        elif not SharedNotes(self.git.git, self.remote, sleep=time.sleep).append(
            commit, line, needless=lambda: _settled(self.git, head, self.trust, commit) is not None
        ):
            note(f"{commit[:12]}: another attestor was quicker; it is attested already")
            return True
        note(f"Attested {commit[:12]} as statement {found.proposal.statement.sequence}.")
        return True


def _trusted(
    file: Path | None, repository: Path, environment: str | None, data: Path | None
) -> tuple[Trust, Head | None]:
    """Find whom to trust: a file somebody vouches for, or the verified store of this machine, with its head."""
    if file is not None:
        return Trust.parse(file.read_bytes()), None
    published = published_state(data_folder(repository, environment, data))
    return published.trust, published.head


def _fetched(git: FlagRepository, remote: Remote | None, trust: Trust) -> str:
    """Fetch the branch and the notes; give where the branch is."""
    if remote is None:
        return trust.ref
    remote.fetch(f"+{trust.ref}:{_TIP}")
    SharedNotes(git.git, remote, sleep=time.sleep).fetch()
    return _TIP


def _settled(git: FlagRepository, head: Head, trust: Trust, commit: str) -> str | None:
    """Say why nothing is left to be attested of a commit; None if something is."""
    if git.is_ancestor(commit, head.commit):
        return "it is accepted already"
    try:
        noted = candidates(git, head, trust, commit)
    except FlagsealError:
        return None
    return "it is attested already" if noted[0].proposal.statement.forge is not None else None


def _source(
    git: FlagRepository, remote: Remote | None, files: tuple[Path, ...], name: str | None, trust: Trust
) -> RequestSource:
    if files:
        source: RequestSource = saved_facts(files)
    else:
        source = open_forge(name, trust.repository_name)
    if remote is None:
        return WithHeads(source, git, None)
    return WithHeads(source, git, lambda number: remote.fetch(f"+refs/pull/{number}/head:{_HEADS}/{number}"))
