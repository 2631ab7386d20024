"""From a git repository to accepted entries: what is proposed on a branch, who has signed it, what can be accepted.

The one place where git meets the history. Nothing that a note says is believed: the statement for a commit is written
anew from git, and only signatures over exactly that statement are taken from the notes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flagseal.approval.authors import contributors, signers
from flagseal.approval.envelope import Envelope, merge_all, parse_notes
from flagseal.approval.evidence import attested
from flagseal.approval.statement import can_hold
from flagseal.history.following import Advance, Offer, advanced, follow, recovered
from flagseal.history.head import genesis
from flagseal.history.proposal import Proposal, changes, propose
from flagseal.model.errors import ApprovalError, FlagsealError, InvalidDocuments, RepositoryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from flagseal.approval.trust import Trust
    from flagseal.history.bundle import Bundle
    from flagseal.history.head import Head
    from flagseal.model.document import Document
    from flagseal.repository import Commit, FlagRepository

TICKET = "Ticket"


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is to be signed for a commit, and what was signed so far.

    Attributes:
        commit: Its id.
        proposal: The statement that takes the head there, with its content.
        envelope: The statement with the signatures found in the commit's notes, none of them verified.
    """

    commit: str
    proposal: Proposal
    envelope: Envelope

    @property
    def bundle(self) -> Bundle:
        """What :func:`~flagseal.history.acceptance.accept` takes."""
        return self.proposal.bundle(self.envelope)


def candidates(repository: FlagRepository, head: Head, trust: Trust, revision: str) -> tuple[Candidate, ...]:
    """Write the statement that takes the head to a commit, and collect its signatures.

    Args:
        repository: Holds the head's commit and the revision.
        head: The accepted state.
        trust: Names the repository, the branch and the attestors.
        revision: A commit whose first-parent line goes on from the head's.

    Raises:
        ApprovalError: ``WrongRepository``; ``NothingChanges``; ``AuthorUnknown``, naming every commit, where no
            attestor says who wrote it.
        InvalidDocuments: The commit's documents cannot be taken as they are.
        RepositoryError: ``HistoryRewritten`` if the revision does not go on from the head, and what git says.

    Returns:
        First what trusted attestors said of this very change, if any; last the statement that is a function of the
        history alone, where every commit is signed by somebody known. The first is the one to be signed next.
    """
    net = net_change(repository, head, trust, revision)
    unknown: FlagsealError | None = None
    try:
        # Where nothing changes, nobody is asked who they are.
        authors = _authors(repository, head, net.line, net.commits) if net.different else ()
    except ApprovalError as error:
        unknown, authors = error, ()
    plain = net.propose(head, trust, authors)
    noted = _noted(repository, net.commit.id)
    signed_by = signers(net.commits, head.policies.organisation)
    spoken = [(envelope, _attested(envelope, plain, trust, signed_by)) for envelope in noted]
    attestations = [Candidate(net.commit.id, found, envelope) for envelope, found in spoken if found is not None]
    if unknown is not None:
        if not attestations:
            raise _unspoken(unknown) if trust.attestors else unknown
        return tuple(attestations)
    own = Envelope(plain.statement.payload())
    merged = merge_all([own, *(entry for entry in noted if entry.payload == own.payload)])[0]
    return (*attestations, Candidate(net.commit.id, plain, merged))


@dataclass(frozen=True, slots=True)
class NetChange:
    """What lies between the accepted head and a commit.

    Attributes:
        commit: The commit.
        line: Ids of the commits by which the branch went there, oldest first.
        commits: Every commit that came with it, children before parents.
        different: By subject, every document that differs; tombstones for those that are gone.
    """

    commit: Commit
    line: tuple[str, ...]
    commits: tuple[Commit, ...]
    different: Mapping[str, Document]

    def propose(self, head: Head, trust: Trust, contributors: Iterable[str]) -> Proposal:
        """Write the statement that approves it.

        Raises:
            ApprovalError: ``NothingChanges``.
        """
        return propose(
            head,
            trust,
            commit=self.commit.id,
            tree=self.commit.tree,
            different=self.different,
            contributors=contributors,
            ticket=ticket_of(self.commits),
        )


def ticket_of(commits: Iterable[Commit]) -> str | None:
    """Find the ticket of a change.

    Args:
        commits: Of the change, children before parents; the first that names one counts. A trailer that no statement
            can hold (longer than 256 characters, or with a control character in it) names none.
    """
    named = (commit.trailer(TICKET) for commit in commits)
    return next((ticket for ticket in named if ticket is not None and can_hold(ticket)), None)


def net_change(repository: FlagRepository, head: Head, trust: Trust, revision: str) -> NetChange:
    """Find what lies between the accepted head and a commit.

    Args:
        repository: Holds the head's commit and the revision.
        head: The accepted state.
        trust: Names the repository.
        revision: A commit whose first-parent line goes on from the head's.

    Raises:
        ApprovalError: ``WrongRepository``.
        InvalidDocuments: The commit's documents cannot be taken as they are.
        RepositoryError: ``HistoryRewritten`` if the revision does not go on from the head, and what git says.
    """
    require_same_repository(repository, trust)
    commit = repository.commit(revision)
    line = repository.first_parent_line(head.commit, commit.id)
    documents, findings = repository.documents(commit.id)
    if errors := [finding for finding in findings if finding.severity == "error"]:
        raise InvalidDocuments(errors)
    return NetChange(commit, line, repository.commits_between(head.commit, commit.id), changes(head, documents))


def candidate(repository: FlagRepository, head: Head, trust: Trust, revision: str) -> Candidate:
    """Give what is to be signed for a commit: the first of :func:`candidates`, which see."""
    return candidates(repository, head, trust, revision)[0]


def advance(repository: FlagRepository, head: Head, trust: Trust, *, now: datetime, tip: str | None = None) -> Advance:
    """Accept whatever can be accepted on the branch, as of now.

    Of several statements that could come next, the one is taken on which most others build, and of those the oldest.

    Args:
        repository: Holds the branch and its notes.
        head: The accepted state.
        trust: Names the branch.
        now: The clock.
        tip: End of the branch; by default where ``trust.ref`` points.

    Raises:
        ApprovalError: ``WrongRepository``.
        RepositoryError: ``HistoryRewritten`` if the branch no longer goes on from the head: hold, and alarm.
    """
    offers = _offers(repository, head.commit, trust, tip, lambda _: now)
    return advanced(head, follow(head, offers, trust))


def recover(
    repository: FlagRepository,
    trust: Trust,
    *,
    now: datetime,
    tip: str | None = None,
    documents: Iterable[Document] | None = None,
) -> Advance:
    """Rebuild the history from git alone, where nothing was published or all of it was lost.

    A statement upon which a later accepted one builds was accepted once, and is judged at its commit's date (not before
    the one it follows, not in the future); the last is judged now (docs/adr/0030-recovery-without-provenance.md).

    Args:
        repository: Holds the branch and its notes.
        trust: Pins the genesis.
        now: The clock.
        tip: End of the branch; by default where ``trust.ref`` points.
        documents: Those of the genesis; by default what its commit holds.

    Raises:
        ApprovalError: ``WrongRepository``, ``GenesisMismatch``.
        RepositoryError: ``HistoryRewritten`` if the branch does not go on from the genesis.
    """
    require_same_repository(repository, trust)
    begin = trust.genesis.commit
    first = genesis(trust, repository.documents(begin)[0] if documents is None else documents)

    def date(commit: str) -> datetime:
        return min(repository.commit(commit).committed_at, now)

    return recovered(first, _offers(repository, begin, trust, tip, date), trust, now=now)


def require_same_repository(repository: FlagRepository, trust: Trust) -> None:
    """Refuse a repository that begins with another commit than ``trust.json`` names.

    Raises:
        ApprovalError: ``WrongRepository``. Ids that a forge gave cannot be checked here.
    """
    if trust.repository_id.startswith("git:") and repository.identity != trust.repository_id:
        raise ApprovalError(
            f"This repository is {repository.identity}, and trust.json names {trust.repository_id}.",
            code="WrongRepository",
            remedy="Use a clone of the repository that the trust was made for.",
        )


def _authors(
    repository: FlagRepository, head: Head, line: tuple[str, ...], commits: tuple[Commit, ...]
) -> tuple[str, ...]:
    """Find who contributed; a commit by nobody known is passed over only if its effect was undone before the change.

    That is so behind the last commit of the line whose governed folders are those of the head's commit.
    """
    organisation = head.policies.organisation
    try:
        return contributors(commits, organisation)
    except ApprovalError:
        accepted = repository.governed_trees(head.commit)
        clean = next((entry for entry in reversed(line) if repository.governed_trees(entry) == accepted), None)
        if clean is None:
            raise
        undone = frozenset(entry.id for entry in repository.commits_between(head.commit, clean))
        return contributors(commits, organisation, reverted=undone)


def _unspoken(unknown: FlagsealError) -> ApprovalError:
    """Say what is missing where a git host makes the commits, and nobody signs those."""
    return ApprovalError(
        f"{unknown.message}\nNo attestor has said yet who contributed.",
        code=unknown.code,
        remedy="`flagseal attest` judges it by the git host's facts; with --dry-run it says what is missing.",
    )


def _attested(envelope: Envelope, plain: Proposal, trust: Trust, signed_by: frozenset[str]) -> Proposal | None:
    """Take an envelope for the same change if a trusted attestor signed it; what else it says is theirs to say.

    Who wrote it is, too, for a git host makes commits that nobody of the organisation signs; but whoever's key did sign
    one of them contributed, whatever an attestor says.
    """
    if not trust.attestors or not attested(envelope, trust.attestors, plain.statement.sequence):
        return None
    try:
        statement = envelope.statement
    except ApprovalError:
        return None
    same = replace(statement, contributors=plain.statement.contributors).change == plain.statement.change
    return replace(plain, statement=statement) if same and signed_by <= set(statement.contributors) else None


def _noted(repository: FlagRepository, commit: str) -> tuple[Envelope, ...]:
    """Read a commit's notes; one too large is as good as none."""
    try:
        data = repository.notes(commit)
    except RepositoryError as error:
        if error.code != "NoteTooLarge":
            raise
        data = None
    return parse_notes(data) if data else ()


def _offers(
    repository: FlagRepository, begin: str, trust: Trust, tip: str | None, clock: Callable[[str], datetime]
) -> Callable[[Head], Iterator[Offer]]:
    """Find the commits that statements speak of, by the head they claim to build on (its commit and sequence).

    Only an index: anybody can write a note, and everything in it is checked when its turn comes.
    """
    require_same_repository(repository, trust)
    line = repository.first_parent_line(begin, tip if tip is not None else trust.ref)
    noted = repository.noted_commits()
    found: dict[tuple[str, int], dict[str, None]] = {}
    for commit in line:
        for envelope in _noted(repository, commit) if commit in noted else ():
            try:
                statement = envelope.statement
            except ApprovalError:
                continue
            if statement.commit == commit:
                found.setdefault((statement.from_commit, statement.sequence - 1), {})[commit] = None

    def offers(head: Head) -> Iterator[Offer]:
        for commit in found.get((head.commit, head.sequence), ()):
            try:
                offered = candidates(repository, head, trust, commit)
            except FlagsealError:
                continue
            yield Offer(tuple(option.bundle for option in offered), clock(commit))

    return offers
