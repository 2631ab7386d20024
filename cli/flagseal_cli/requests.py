"""What an open pull request would do, read from git as data: nothing of it is checked out, run or believed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from flagseal.approval.authors import signers
from flagseal.intake import ticket_of
from flagseal.model.errors import InvalidDocuments, RepositoryError
from flagseal.repository.changes import changed_paths, is_guarded
from flagseal.repository.merging import merging
from flagseal_cli.planning import base_of, changes_of, judged, sound
from flagseal_validators.attestor.gate import findings_at
from flagseal_validators.attestor.people import accounts_of
from flagseal_validators.plan import plan
from flagseal_validators.plan.request import as_comment, as_conflict, as_unreadable, of_commit

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.repository import Commit, FlagRepository
    from flagseal.repository.sharing import Remote
    from flagseal_cli.planning import Base
    from flagseal_validators.forge.opened import OpenRequest
    from flagseal_validators.plan import Plan

_BASE: Final = "refs/flagseal/base"
_HEADS: Final = "refs/flagseal/requests"
_UNREADABLE: Final = frozenset({"BadTree", "TreeTooLarge"})
"""Whoever wrote the request can mend it, so they are told."""


def fetch_request(git: FlagRepository, remote: Remote, request: OpenRequest) -> bool:
    """Fetch a request and the branch it goes to.

    Raises:
        RepositoryError: ``FetchFailed``.

    Returns:
        Whether the request is still what it was; if not, whoever changed it is told of the change.
    """
    head = f"{_HEADS}/{request.number}"
    remote.fetch(f"+refs/heads/{request.base}:{_BASE}", f"+refs/pull/{request.number}/head:{head}")
    return git.resolve(head) == request.head


def comment_on(git: FlagRepository, repository: Path, request: OpenRequest, name: str) -> str:
    """Write what landing a request would do, onto its branch as it is now.

    Args:
        git: Where :func:`fetch_request` fetched it to.
        repository: Its folder.
        request: The request.
        name: ``owner/name`` of the repository in the forge.

    Raises:
        InvalidDocuments: The branch itself cannot be read.
    """
    onto = git.resolve(_BASE)
    base = base_of(git, onto, repository, None, None)
    try:
        with merging(git.git, kept=True) as merge:
            landed = merge.landed(onto, request.head)
        if landed is None:
            return of_commit(request.head, as_conflict(request.base))
        findings = findings_at(git, landed, today=datetime.now(UTC).date(), base=onto, host=name.partition("/")[0])
        guarded = [path for path in changed_paths(git.git, onto, landed) if is_guarded(path)]
        planned = _plan(git, base, landed, request)
    except RepositoryError as error:
        if error.code not in _UNREADABLE:
            raise
        return of_commit(request.head, as_unreadable(error.message, error.remedy))
    heading = f"From {onto[:12]} to {request.head[:12]}, merged"
    said = as_comment(findings, planned, heading=heading, guarded=guarded)
    return of_commit(request.head, said)


def _plan(git: FlagRepository, base: Base, landed: str, request: OpenRequest) -> Plan | None:
    try:
        different = changes_of(base, sound(git.documents(landed)))
    except InvalidDocuments:
        return None
    commits = git.commits_between(base.commit, request.head)
    people = sorted(_hands(base, commits, request))
    ticket = ticket_of(commits)
    return plan(judged(base, different, tuple(people), ticket), base.policies)


def _hands(base: Base, commits: tuple[Commit, ...], request: OpenRequest) -> set[str]:
    """Find who is known to have had a hand in it. The attestor asks for everybody; here, whoever is known is told."""
    organisation = base.policies.organisation
    author = accounts_of(organisation).get(request.author.id) if request.author is not None else None
    return {*signers(commits, organisation), *filter(None, (author,))}
