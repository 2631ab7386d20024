"""The statements of a repository's past: those that were accepted, and what is known of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flagseal.approval.envelope import parse_notes
from flagseal.approval.trust import Genesis, Trust
from flagseal.history import Manifest, accept, genesis
from flagseal.intake import candidate, recover
from flagseal.model.errors import ApprovalError, FlagsealError, RepositoryError, UsageError
from flagseal_validators.policy_replay import Past

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from flagseal.approval.statement import Statement
    from flagseal.history import Head, HistoryEntry
    from flagseal.repository import FlagRepository

_SHORT_IDENTITY: Final = len("git:") + 12
_NO_ENVIRONMENT: Final = "none"


@dataclass(frozen=True)
class _Noted:
    """Statements that somebody signed, by the head that they claim to build on (its commit and number)."""

    by_head: dict[tuple[str, int], tuple[str, ...]]

    @classmethod
    def read(cls, git: FlagRepository, line: Iterable[str]) -> _Noted:
        found: dict[tuple[str, int], dict[str, None]] = {}
        noted = git.noted_commits()
        for commit in line:
            for statement in _statements(git, commit) if commit in noted else ():
                found.setdefault((statement.from_commit, statement.sequence - 1), {})[commit] = None
        return cls({head: tuple(commits) for head, commits in found.items()})


def _statements(git: FlagRepository, commit: str) -> Iterator[Statement]:
    """Read what the notes of a commit say of it; what is no statement is passed over."""
    try:
        data = git.notes(commit)
    except RepositoryError:
        return
    for envelope in parse_notes(data) if data else ():
        try:
            statement = envelope.statement
        except ApprovalError:
            continue
        if statement.commit == commit:
            yield statement


def trust_from_notes(git: FlagRepository, revision: str | None) -> Trust:
    """Take a repository's own word for where its history begins, for a question that decides nothing.

    Args:
        git: The repository; the branch that is checked out is the protected one.
        revision: The genesis; None takes what the earliest signed statement builds on.

    Raises:
        UsageError: Nothing was ever signed here.
    """
    tip = git.resolve(git.branch)
    begin = git.identity.removeprefix("git:")
    said = [
        statement
        for commit in (begin, *git.first_parent_line(begin, tip))
        if commit in git.noted_commits()
        for statement in _statements(git, commit)
    ]
    commit = git.resolve(revision) if revision is not None else None
    building = [it for it in said if commit is None or it.from_commit == commit]
    if not building:
        raise UsageError(
            "no statement is noted on this branch" + (f" that builds on {commit[:12]}" if commit else ""),
            code="NoHistory",
            remedy="Fetch refs/notes/flagseal, or name the data of an installation with --data.",
        )
    first = min(building, key=lambda it: it.sequence)
    documents, _ = git.documents(first.from_commit)
    manifest = Manifest.of({document.subject: document for document in documents})
    return Trust(
        repository_id=first.repository_id if first.repository_id.startswith("github:") else git.identity,
        repository_name=git.identity[:_SHORT_IDENTITY],
        ref=git.branch,
        environment=_NO_ENVIRONMENT,
        genesis=Genesis(first.from_commit, manifest.digest, first.sequence - 1),
    )


def pasts_of(
    git: FlagRepository, trust: Trust, entries: Iterable[HistoryEntry] | None, *, now: datetime
) -> tuple[Past, ...]:
    """Give every statement that is known, each with the head that it met, in the order of the history.

    Args:
        git: The repository.
        trust: Says where the history begins.
        entries: What was accepted, as published; None to find it in the notes.
        now: The clock.

    Raises:
        FlagsealError: The history does not hold.
    """
    documents, _ = git.documents(trust.genesis.commit)
    tip = git.resolve(trust.ref)
    line = git.first_parent_line(trust.genesis.commit, tip)
    noted = _Noted.read(git, line)
    head = genesis(trust, documents)
    found: list[Past] = []
    for entry in recover(git, trust, now=now, tip=tip).entries if entries is None else entries:
        successor = accept(head, entry.bundle, trust, now=entry.accepted_at).require()
        found += _others(git, trust, head, noted, successor.commit, now)
        found.append(Past(head, entry.bundle, entry.accepted_at, "accepted"))
        head = successor
    found += _others(git, trust, head, noted, None, now)
    return tuple(found)


def _others(
    git: FlagRepository, trust: Trust, head: Head, noted: _Noted, accepted: str | None, now: datetime
) -> Iterator[Past]:
    """Give what claimed to build on a head and was not accepted; on the last head, what the branch waits for."""
    commits = dict.fromkeys(noted.by_head.get((head.commit, head.sequence), ()))
    tip = git.resolve(trust.ref)
    if accepted is None and tip != head.commit:
        commits.setdefault(tip)
    for commit in commits:
        if commit == accepted:
            continue
        try:
            offered = candidate(git, head, trust, commit)
        except FlagsealError:
            continue  # nothing that could have been approved: an unsigned commit, a broken file, no change
        at = min(max(git.commit(commit).committed_at, head.accepted_at), now)
        yield Past(head, offered.bundle, at, "waiting" if accepted is None and commit == tip else "refused")
