"""Where facts come from: a forge that is asked, or files that were saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flagseal.model.errors import ForgeError, RepositoryError
from flagseal_validators.forge.facts import Merged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flagseal.repository import FlagRepository
    from flagseal_validators.forge.facts import Facts


class RequestSource(Protocol):
    """Gives the facts of requests; what a :class:`~flagseal_validators.forge.interface.Forge` offers."""

    def requests_of(self, commit: str) -> tuple[Merged, ...]:
        """Find the merged requests that brought a commit onto a branch, whichever."""
        ...

    def facts(self, number: int) -> Facts:
        """Give a request's facts."""
        ...


class WithHeads:
    """Brings the commits of each request along: git needs them, and the branch does not have them after a squash.

    Args:
        source: Gives facts.
        repository: Where the commits are to be.
        fetch: Fetches the head of a request by its number; None fetches nothing, and says how to.
    """

    def __init__(self, source: RequestSource, repository: FlagRepository, fetch: Callable[[int], None] | None) -> None:
        self._source = source
        self._repository = repository
        self._fetch = fetch

    def requests_of(self, commit: str) -> tuple[Merged, ...]:
        """Find the merged requests that brought a commit."""
        return self._source.requests_of(commit)

    def facts(self, number: int) -> Facts:
        """Give a request's facts, its head at hand.

        Raises:
            ForgeError: ``FactMissing`` where the head is not to be had, or not here and not to be fetched.
        """
        found = self._source.facts(number)
        head = found.request.head
        if self._has(head):
            return found
        if self._fetch is None:
            raise ForgeError(
                f"Request {number}: its head {head[:12]} is not in this clone.",
                code="FactMissing",
                remedy=f"Fetch it: `git fetch origin pull/{number}/head`.",
            )
        self._fetch(number)
        if not self._has(head):
            raise ForgeError(
                f"Request {number}: its head {head[:12]} is not to be had.",
                code="FactMissing",
                remedy="What was reviewed cannot be compared with what landed; make the change again.",
            )
        return found

    def _has(self, commit: str) -> bool:
        try:
            return self._repository.resolve(commit) == commit
        except RepositoryError:
            return False


class Saved:
    """Facts that were fetched before."""

    def __init__(self, facts: Iterable[Facts]) -> None:
        self._facts = {entry.request.number: entry for entry in facts}

    def requests_of(self, commit: str) -> tuple[Merged, ...]:
        """Find requests by their merge commits, and by the commits that a rebase made of theirs: all are candidates."""
        named = tuple(
            Merged(number, it.request.merge_commit, it.request.base) for number, it in sorted(self._facts.items())
        )
        return tuple(entry for entry in named if entry.commit == commit) or named

    def facts(self, number: int) -> Facts:
        """Give a request's facts."""
        found = self._facts.get(number)
        if found is None:
            raise ForgeError(
                f"The facts of request {number} were not given.",
                code="FactMissing",
                remedy=f"Fetch them: `flagseal facts fetch {number}`.",
            )
        return found
