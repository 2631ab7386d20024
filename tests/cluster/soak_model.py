"""What must be published at each moment: a model small enough to be read, and kept apart from what it judges.

It knows what was approved, which approvals lie in the cluster whole, and which flags are rolled back; from that follow
the snapshots that a client may see now, and the one that it must see once everything has settled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flagseal.model.document import Document

ORGS = ("acme", "globex", "initech")
WHOLE = "whole"
Held = Literal["absent", "partial", "short"]
"""Why a statement cannot be accepted: nobody carries it, not all of its documents, or too few signatures."""


@dataclass(frozen=True)
class Served:
    """One flag as it was approved.

    Attributes:
        document: What was approved.
        on_for: The organisations that it is on for.
    """

    document: Document
    on_for: frozenset[str]


State = dict[str, Served]
"""What one accepted head serves, by flag; one that was removed is not in it."""


@dataclass
class Override:
    """One rollback that a person signed.

    Attributes:
        flag: Which.
        until: When it ends by itself.
        there: Whether its resource is in the cluster.
        taken: Whether an operator has seen it: from then on it holds without its resource.
        ended: Whether its early end lies in the cluster, or did when an operator looked.
    """

    flag: str
    until: datetime
    there: bool = True
    taken: bool = False
    ended: bool = False

    def holds(self, now: datetime) -> bool:
        """Say whether the flag serves its safe variant to everyone, once an operator has looked."""
        return (self.there or self.taken) and not self.ended and now < self.until


@dataclass(frozen=True)
class Observation:
    """What a verifying client saw.

    Attributes:
        sequence: Of the head.
        answers: By flag and organisation; None where there is no such flag.
        begun: When it began to look.
        at: When it had looked.
    """

    sequence: int
    answers: Mapping[tuple[str, str], object]
    begun: datetime
    at: datetime


@dataclass
class Model:
    """Everything that decides what must be published.

    Attributes:
        states: What each statement leads to, by its sequence; the genesis first.
        carried: How each statement lies in the cluster, by its sequence.
        published: The head that was published when everything had last settled.
        seen: The highest head that a client has seen.
        running: Whether operators run.
        overrides: By the name of the resource; those that are over are forgotten.
        declared: The digest that each resource declares, by namespace and name of the flag.
    """

    states: list[State]
    carried: dict[int, str] = field(default_factory=dict)
    published: int = 0
    seen: int = 0
    running: bool = False
    overrides: dict[str, Override] = field(default_factory=dict)
    declared: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def newest(self) -> State:
        """What was approved last, accepted or not."""
        return self.states[-1]

    @property
    def waiting(self) -> list[int]:
        """The statements that are held back by themselves."""
        return [number for number in range(self.published + 1, len(self.states)) if self.carried[number] != WHOLE]

    def reach(self) -> int:
        """Say how far the approvals in the cluster reach."""
        sequence = self.published
        while self.carried.get(sequence + 1) == WHOLE:
            sequence += 1
        return sequence

    def wrong(self, seen: Observation) -> str | None:
        """Say what must not be, whatever has settled; None if nothing is wrong."""
        if not max(self.published, self.seen) <= seen.sequence <= self.reach():
            return f"head {seen.sequence}, where {max(self.published, self.seen)} to {self.reach()} may be"
        state = self.states[seen.sequence]
        for (flag, org), answer in seen.answers.items():
            rollbacks = [it for it in self.overrides.values() if it.flag == flag]
            approved = approved_answer(state, flag, org)
            safe = None if approved is None else False
            allowed = {approved, safe} if rollbacks else {approved}
            if any(it.taken and it.holds(seen.at) for it in rollbacks):
                allowed = {safe}
            if answer not in allowed:
                return f"{flag} is {answer} for {org} at head {seen.sequence}, where {allowed} may be"
        return None

    def has_settled(self, seen: Observation) -> bool:
        """Say whether what is published is what must be, now that operators had the time."""
        if seen.sequence != self.reach():
            return False
        return all(answer == self._due(flag, org, seen) for (flag, org), answer in seen.answers.items())

    def settle(self, seen: Observation) -> None:
        """Take note that everything has settled."""
        self.published = self.reach()
        for name, override in list(self.overrides.items()):
            override.taken = override.taken or override.there
            if override.ended or seen.begun >= override.until:
                del self.overrides[name]

    def is_in_force(self, flag: tuple[str, str]) -> bool:
        """Say whether a resource declares what is in force."""
        served = self.states[self.published].get(flag[1])
        return served is not None and served.document.digest == self.declared[flag]

    def _due(self, flag: str, org: str, seen: Observation) -> object:
        state = self.states[seen.sequence]
        if flag in state and any(it.flag == flag and it.holds(seen.at) for it in self.overrides.values()):
            return False
        return approved_answer(state, flag, org)


def approved_answer(state: State, flag: str, org: str) -> object:
    """Give the answer that was approved."""
    served = state.get(flag)
    return None if served is None else org in served.on_for
