"""What must be published at each moment: a model small enough to be read, and kept apart from what it judges.

It knows what was approved, which approvals lie in the cluster whole, and which flags are rolled back or held; from that
follow the snapshots that a client may see now, and the one that it must see once everything has settled.
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
class Emergency:
    """One rollback or freeze that a person signed.

    Attributes:
        place: Kind, namespace and name of its resource.
        flags: Which it is about.
        until: When it ends by itself.
        freezes: Whether they stay as they are served; otherwise they serve their safe variant to everyone.
        there: Whether its resource is in the cluster.
        taken: Whether an operator has seen it: from then on it holds without its resource.
        ended: Whether its early end lies in the cluster, or did when an operator looked.
    """

    place: tuple[str, str | None, str]
    flags: frozenset[str]
    until: datetime
    freezes: bool = False
    there: bool = True
    taken: bool = False
    ended: bool = False

    def holds(self, now: datetime) -> bool:
        """Say whether it is in force, once an operator has looked."""
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
        emergencies: By the name of the resource; those that are over are forgotten.
        frozen_at: The head that was published when a flag began to be held, by its name, for as long as it is.
        refused: Kind, namespace and name of emergencies without a proof that counts, until an operator has said so.
        declared: The digest that each resource declares, by namespace and name of the flag.
    """

    states: list[State]
    carried: dict[int, str] = field(default_factory=dict)
    published: int = 0
    seen: int = 0
    running: bool = False
    emergencies: dict[str, Emergency] = field(default_factory=dict)
    frozen_at: dict[str, int] = field(default_factory=dict)
    refused: list[tuple[str, str | None, str]] = field(default_factory=list)
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
        for (flag, org), answer in seen.answers.items():
            if answer not in (allowed := self._allowed(flag, org, seen)):
                return f"{flag} is {answer} for {org} at head {seen.sequence}, where {allowed} may be"
        return None

    def has_settled(self, seen: Observation) -> bool:
        """Say whether what is published is what must be, now that operators had the time."""
        if seen.sequence != self.reach():
            return False
        return all(answer == self._due(flag, org, seen) for (flag, org), answer in seen.answers.items())

    def settle(self, seen: Observation) -> bool:
        """Take note that everything has settled, and that operators have seen every emergency, and every early end.

        Returns:
            Whether a freeze began or ended: what happens in the same second as that may count as before it or after.
        """
        self.published = self.reach()
        before = {name for name, it in self.emergencies.items() if it.freezes and it.taken}
        for name, emergency in list(self.emergencies.items()):
            emergency.taken = emergency.taken or emergency.there
            if emergency.ended or seen.begun >= emergency.until:
                del self.emergencies[name]
        after = {name for name, it in self.emergencies.items() if it.freezes}
        flags = {flag for name in after for flag in self.emergencies[name].flags}
        self.frozen_at = {flag: self.frozen_at.get(flag, self.published) for flag in flags}
        return before != after

    def in_force(self, flag: str, sequence: int, now: datetime) -> Served | None:
        """Give what a flag is served by at a head, once everything has settled; None if it is not served."""
        return self._held(flag, sequence) if self.is_frozen(flag, now) else self.states[sequence].get(flag)

    def is_well(self, place: tuple[str, str], now: datetime) -> bool:
        """Say whether a resource declares what was approved last and accepted, and that is in force."""
        name, digest = place[1], self.declared[place]
        both = self.states[self.published].get(name), self.in_force(name, self.published, now)
        return all(it is not None and it.document.digest == digest for it in both)

    def is_frozen(self, flag: str, now: datetime) -> bool:
        """Say whether a freeze that an operator has seen holds a flag."""
        return any(it.taken and it.holds(now) for it in self._about(flag, freezes=True))

    def _about(self, flag: str, *, freezes: bool) -> list[Emergency]:
        return [it for it in self.emergencies.values() if flag in it.flags and it.freezes == freezes]

    def _held(self, flag: str, sequence: int) -> Served | None:
        """Go on from what was published when the freeze began, with what turns the flag on for nobody."""
        if flag not in self.frozen_at:
            return self.states[sequence].get(flag)
        served = self.states[self.frozen_at[flag]].get(flag)
        for state in self.states[self.frozen_at[flag] : sequence + 1]:
            newer = state.get(flag)
            if served is not None and newer is not None and newer.on_for <= served.on_for:
                served = newer
        return served

    def _allowed(self, flag: str, org: str, seen: Observation) -> set[object]:
        now = seen.at
        sources = [self.in_force(flag, seen.sequence, now)]
        if self._about(flag, freezes=True) and not self.is_frozen(flag, now):
            # It begins, or it is over and the operator is not that far yet.
            sources.append(self._held(flag, seen.sequence))
        answers = {_answer(it, org) for it in sources}
        rollbacks = self._about(flag, freezes=False)
        safe: set[object] = {None if it is None else False for it in answers}
        if any(it.taken and it.holds(now) for it in rollbacks):
            return safe
        return answers | safe if rollbacks else answers

    def _due(self, flag: str, org: str, seen: Observation) -> object:
        served = self.in_force(flag, seen.sequence, seen.at)
        if served is not None and any(it.holds(seen.at) for it in self._about(flag, freezes=False)):
            return False
        return _answer(served, org)


def _answer(served: Served | None, org: str) -> object:
    return None if served is None else org in served.on_for
