"""Where facts come from: a forge that is asked, or files that were saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from flagseal.model.errors import ForgeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagseal_validators.forge.facts import Facts


class RequestSource(Protocol):
    """Gives the facts of requests; what a :class:`~flagseal_validators.forge.interface.Forge` offers."""

    def requests_of(self, commit: str) -> tuple[tuple[int, str], ...]:
        """Find the merged requests that brought a commit onto a branch: their numbers and merge commits."""
        ...

    def facts(self, number: int) -> Facts:
        """Give a request's facts."""
        ...


class Saved:
    """Facts that were fetched before."""

    def __init__(self, facts: Iterable[Facts]) -> None:
        self._facts = {entry.request.number: entry for entry in facts}

    def requests_of(self, commit: str) -> tuple[tuple[int, str], ...]:
        """Find requests by their merge commits, and by the commits that a rebase made of theirs: all are candidates."""
        named = [(number, it.request.merge_commit) for number, it in sorted(self._facts.items())]
        exact = tuple(entry for entry in named if entry[1] == commit)
        return exact or tuple(named)

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
