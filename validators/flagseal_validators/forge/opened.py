"""What is asked about open requests: few things, since nothing is decided on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flagseal_validators.forge.facts import Account


@dataclass(frozen=True, slots=True)
class Origin:
    """Say where something that ran came from, by the forge's word.

    Attributes:
        repository: Number of the repository: the same one, or a fork.
        owner: Login of its owner.
        branch: The branch there.
        commit: Object id of its last commit when it ran.
    """

    repository: int
    owner: str
    branch: str
    commit: str


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """Hold an open request.

    Attributes:
        author: Who opened it; None if the account is gone.
        head: Object id of its last commit.
        base: The branch that it is to be merged into.
    """

    number: int
    author: Account | None
    head: str
    base: str


class Opened(Protocol):
    """Where open requests are found."""

    def request(self, number: int) -> OpenRequest:
        """Read one open request.

        Raises:
            ForgeError: ``NotOpen``; as for reading.
        """
        ...

    def requests_from(self, origin: Origin) -> tuple[OpenRequest, ...]:
        """Find the open requests whose head is a commit of a branch; none if it has moved on since.

        Raises:
            ForgeError: As for reading.
        """
        ...
