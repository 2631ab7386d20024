"""How a revision stands: in force, accepted and waiting, or short of what, and who can give it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.approval.evidence import gather
from flagseal.history import accept
from flagseal.intake import candidate
from flagseal.model.errors import FlagsealError, RepositoryError

if TYPE_CHECKING:
    from datetime import datetime

    from flagseal.approval.trust import Trust
    from flagseal.history import Acceptance, Head
    from flagseal.intake import Candidate
    from flagseal.policy.facts import Approval
    from flagseal.repository import FlagRepository


@dataclass(frozen=True)
class Standing:
    """How a revision stands against the accepted head.

    Attributes:
        commit: Its id.
        candidate: What is to be signed for it; None if nothing is, or nothing can be.
        approvals: Whose signatures count so far.
        acceptance: What would become of it now.
        problem: Why nothing can be signed for it (an unsigned commit, a broken file); None if something can.
        branch: The protected branch, if the commit is not on its first-parent line yet; None if it is.
        accepted: Whether the accepted history has the commit.
    """

    commit: str
    candidate: Candidate | None = None
    approvals: tuple[Approval, ...] = ()
    acceptance: Acceptance | None = None
    problem: FlagsealError | None = None
    branch: str | None = None
    accepted: bool = False

    @property
    def settled(self) -> bool:
        """Whether nothing of it is left to be approved."""
        return self.candidate is None and self.problem is None


def standing(repository: FlagRepository, head: Head, trust: Trust, revision: str, now: datetime) -> Standing:
    """Find out how a revision stands. Writes nothing.

    Args:
        repository: Holds the revision and its notes.
        head: The accepted state.
        trust: Names the repository and the branch.
        revision: A commit of the protected branch.
        now: The clock.

    Raises:
        RepositoryError: There is no such revision.
    """
    commit = repository.resolve(revision)
    if repository.is_ancestor(commit, head.commit):
        return Standing(commit, accepted=True)
    try:
        offered = candidate(repository, head, trust, commit)
    except FlagsealError as error:
        return Standing(commit) if error.code == "NothingChanges" else Standing(commit, problem=error)
    said = offered.proposal.statement
    evidence = gather(offered.envelope, said, head.policies.organisation, trust.attestors)
    acceptance = accept(head, offered.bundle, trust, now=now)
    branch = None if _has(repository, trust.ref, commit) else trust.ref
    return Standing(commit, offered, evidence.approvals, acceptance, branch=branch)


def _has(repository: FlagRepository, branch: str, commit: str) -> bool:
    try:
        repository.first_parent_line(commit, branch)
    except RepositoryError:
        return False
    return True
