"""The whole of what Flagseal asks a git host. Another one is added by answering the same questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flagseal_validators.forge.facts import Facts, Merged


class Forge(Protocol):
    """A git host. Each answer is complete, or a ForgeError says which fact cannot be had."""

    def requests_of(self, commit: str) -> tuple[Merged, ...]:
        """Find the merged requests by which a commit came onto a branch.

        Args:
            commit: Object id.

        Raises:
            ForgeError: The forge does not say.
        """
        ...

    def facts(self, number: int) -> Facts:
        """Read everything about one merged request.

        Args:
            number: The request's.

        Raises:
            ForgeError: ``FactMissing`` for whatever is not to be had; ``NotMerged``; ``RateLimited``; ``ForgeDown``.
        """
        ...
