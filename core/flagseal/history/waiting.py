"""What waits, for how long, and what it takes along (docs/adr/0010-what-waits.md).

Two changes hang together in an environment if some flag could be served differently for both: they share a document, a
flag that reaches documents of both, or a flag's name or key. Of changes that hang together the later is never in effect
before the earlier, since its content holds the other's. What is in effect is therefore, flag by flag, always one of the
states that people approved, or one proven to serve nobody anything but what they had or the safe variant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from flagseal.history.head import REMEMBERED, Pending
from flagseal.model.document import NAMESPACED_KINDS
from flagseal.model.errors import ApprovalError
from flagseal.model.uniqueness import flag_key
from flagseal.policy.classify import reached

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from flagseal.history.head import Head
    from flagseal.policy.state import State


@dataclass(frozen=True, slots=True)
class Change:
    """A statement's change, on its way to be accepted.

    Attributes:
        head: What it builds on.
        after: All documents if it is accepted.
        subjects: What it changes, of the kinds that may wait (policies never do).
        sequence: Of the statement.
        clock: The time of acceptance.
    """

    head: Head
    after: State
    subjects: tuple[str, ...]
    sequence: int
    clock: datetime

    @staticmethod
    def of(head: Head, after: State, subjects: Iterable[str], sequence: int, clock: datetime) -> Change:
        """Take those subjects that may wait."""
        kept = tuple(
            subject for subject in subjects if subject.startswith(tuple(f"{kind}/" for kind in NAMESPACED_KINDS))
        )
        return Change(head, after, kept, sequence, clock)

    def linked(self, environment: str) -> tuple[Pending, ...]:
        """Find what waits in an environment and hangs together with this change."""
        marks = self._footprints(environment)
        mine = marks.pop(self.sequence, set())
        return self._waiting(environment, {name for name, theirs in marks.items() if not mine.isdisjoint(theirs)})

    def component(self, environment: str) -> tuple[Pending, ...]:
        """Find what waits in an environment and hangs together with this change, directly or through others."""
        marks = self._footprints(environment)
        seen, found = set(marks.pop(self.sequence, set())), set[int]()
        while more := {name for name, theirs in marks.items() if name not in found and not seen.isdisjoint(theirs)}:
            found |= more
            seen = seen.union(*(marks[name] for name in more))
        return self._waiting(environment, found)

    def _waiting(self, environment: str, sequences: set[int]) -> tuple[Pending, ...]:
        waiting = self.head.waiting(environment, self.clock)
        return tuple(entry for entry in waiting if entry.sequence in sequences)

    def _footprints(self, environment: str) -> dict[int, set[str]]:
        """Map this change and everything that waits to what they touch; empty where nothing waits."""
        waiting = self.head.waiting(environment, self.clock)
        if not waiting:
            return {}
        states = self.head.effective(environment, self.clock), self.head.documents, self.after
        touched = {entry.sequence: _footprint(entry.before, states) for entry in waiting}
        return {**touched, self.sequence: _footprint(self.subjects, states)}


def settle(
    change: Change,
    environments: Iterable[str],
    effective_from: Mapping[str, datetime],
    at_once: frozenset[str],
) -> tuple[Pending, ...]:
    """Say what waits after a change was accepted.

    Args:
        change: The change.
        environments: Those there are afterwards; what waited in others is forgotten with them.
        effective_from: By environment, from when it is in effect; where it is not named, nothing changes there.
        at_once: Environments in which it waits for nothing, since it serves nobody anything new.

    Raises:
        ApprovalError: ``PendingInPart``: it would leave a part of what waits to come alone.
    """
    pending: list[Pending] = []
    for environment in sorted(environments):
        waiting = change.head.waiting(environment, change.clock)
        mine = frozenset(change.subjects)
        if environment in at_once:
            pending += _without(waiting, mine)
            continue
        others = (entry.effective_from for entry in change.linked(environment))
        start = _whole_seconds(max([effective_from.get(environment, change.clock), *others]))
        if start > change.clock and mine:
            if any(mine & entry.before.keys() for entry in waiting):
                _require_nothing_left_behind(change, environment, start)
            pending.append(_pending(change, environment, start))
        pending += _without(waiting, mine)
    return tuple(sorted(pending, key=lambda entry: (entry.sequence, entry.environment)))


def remembered(change: Change, environments: Iterable[str], pending: Iterable[Pending]) -> tuple[Pending, ...]:
    """Say what took effect lately, after a change was accepted, in the order in which it did.

    Args:
        change: The change.
        environments: Those there are afterwards.
        pending: What waits afterwards.
    """
    head, clock = change.head, change.clock
    waits = {entry.environment for entry in pending if entry.sequence == change.sequence}
    # Where nothing waits, the same was in effect everywhere: said once.
    known: dict[frozenset[int], Pending] = {}
    own: list[Pending] = []
    for name in sorted(environments) if change.subjects else ():
        if name not in waits:
            key = frozenset(entry.sequence for entry in head.waiting(name, clock))
            known[key] = replace(known[key], environment=name) if key in known else _began(change, name)
            own.append(known[key])
    begun = (entry for entry in head.pending if entry.effective_from <= clock)
    found = [*head.recent, *sorted(begun, key=lambda entry: (entry.effective_from, entry.sequence, entry.environment))]
    return tuple(entry for entry in (*found, *own) if entry.effective_from > clock - REMEMBERED)


def _began(change: Change, environment: str) -> Pending:
    """Say what a change replaces that takes effect at once, in as little memory as can be: most is never asked for."""
    entry = _pending(change, environment, change.clock)
    before = {subject: None if it is None else it.bare() for subject, it in entry.before.items()}
    return replace(entry, before=before, approvals=dict(entry.approvals))


def _require_nothing_left_behind(change: Change, environment: str, start: datetime) -> None:
    """Refuse to replace a part of what waits by something that comes later than the rest.

    The rest must not come alone, nor anything that builds on it; and it cannot wait longer, since its own window may be
    closed by then (docs/adr/0032-what-is-replaced-in-part-waits-whole.md).
    """
    mine = frozenset(change.subjects)
    rest = (entry for entry in change.component(environment) if not entry.before.keys() <= mine)
    sooner = [entry for entry in rest if entry.effective_from < start]
    if sooner:
        entry = sooner[0]
        raise ApprovalError(
            f"{environment}: statement {entry.sequence} takes effect at {entry.effective_from:%Y-%m-%d %H:%M UTC}, and"
            f" this change of a part of it only at {start:%Y-%m-%d %H:%M UTC}: the rest would come alone.",
            code="PendingInPart",
            remedy="Change all of what that statement changes, or approve this after it is in effect.",
        )


def _whole_seconds(instant: datetime) -> datetime:
    """Round up: builds are computed for whole seconds."""
    return instant if not instant.microsecond else instant.replace(microsecond=0) + timedelta(seconds=1)


def _pending(change: Change, environment: str, start: datetime) -> Pending:
    now = change.head.effective(environment, change.clock)
    approvals = change.head.effective_approvals(environment, change.clock)
    return Pending(
        environment,
        change.sequence,
        start,
        MappingProxyType({subject: now.get(subject) for subject in change.subjects}),
        MappingProxyType({subject: approvals[subject] for subject in change.subjects if subject in approvals}),
    )


def _without(waiting: Iterable[Pending], subjects: frozenset[str]) -> Iterator[Pending]:
    """Take subjects out of what waits; an entry that is empty then is gone."""
    for entry in waiting:
        if subjects.isdisjoint(entry.before):
            yield entry
            continue
        before = {subject: document for subject, document in entry.before.items() if subject not in subjects}
        approvals = {subject: name for subject, name in entry.approvals.items() if subject not in subjects}
        if before:
            yield replace(entry, before=MappingProxyType(before), approvals=MappingProxyType(approvals))


def _footprint(subjects: Iterable[str], states: tuple[State, ...]) -> set[str]:
    """Name everything through which a change of some documents could meet another."""
    chosen = list(subjects)
    marks = {*chosen, *(f"flag {reference}" for reference in reached(chosen, *states))}
    for subject in chosen:
        if subject.startswith("FlagDefinition/"):
            for document in filter(None, (state.live(subject) for state in states)):
                marks |= {f"name {document.name}", f"key {flag_key(document)}"}
    return marks
