"""What is replayed, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flagseal.history import Head
    from flagseal.history.bundle import Bundle

Fate = Literal["accepted", "refused", "waiting"]


@dataclass(frozen=True)
class Past:
    """One statement, as it was met.

    Attributes:
        before: The head that it builds on.
        bundle: The statement, its signatures and its content.
        at: When it was decided; of what was refused, when it was committed.
        fate: What became of it: accepted; refused, and something else came; or the branch still waits for it.
    """

    before: Head
    bundle: Bundle
    at: datetime
    fate: Fate


@dataclass(frozen=True, slots=True)
class Otherwise:
    """One statement, by the candidate policies.

    Attributes:
        sequence: Its number.
        commit: What it speaks of.
        at: When it was decided.
        fate: What became of it then.
        subjects: What it changes, sorted.
        approved_by: Whose approvals count by the candidate, sorted.
        allowed: Whether the candidate lets it in.
        reasons: Why not, as sentences.
        remedies: What would have been needed, as sentences.
        missing: Roles that are missing, with who could give them.
        later: By environment, from when it would be in effect and from when it was, where that is later.
    """

    sequence: int
    commit: str
    at: datetime
    fate: Fate
    subjects: tuple[str, ...]
    approved_by: tuple[str, ...]
    allowed: bool
    reasons: tuple[str, ...]
    remedies: tuple[str, ...]
    missing: tuple[str, ...]
    later: Mapping[str, tuple[datetime, datetime]]

    @property
    def differs(self) -> bool:
        """Whether another verdict comes out than then."""
        return self.allowed is not (self.fate == "accepted")


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What came of all of them.

    Attributes:
        genesis: The commit with which the history begins.
        policy: Digest of the candidate policies.
        statements: In the order in which they were met.
    """

    genesis: str
    policy: str
    statements: tuple[Otherwise, ...]

    @property
    def refused(self) -> tuple[Otherwise, ...]:
        """What was accepted, and would not have been."""
        return tuple(it for it in self.statements if it.fate == "accepted" and not it.allowed)

    @property
    def let_in(self) -> tuple[Otherwise, ...]:
        """What was not accepted, and would have been."""
        return tuple(it for it in self.statements if it.fate != "accepted" and it.allowed)

    @property
    def later(self) -> tuple[Otherwise, ...]:
        """What would have been accepted as it was, and in effect later."""
        return tuple(it for it in self.statements if it.fate == "accepted" and it.allowed and it.later)

    @property
    def same(self) -> bool:
        """Whether every verdict is as it was."""
        return not self.refused and not self.let_in
