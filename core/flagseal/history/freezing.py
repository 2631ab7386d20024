"""What a freeze holds back: flags that are served as they were when it began (docs/adr/0115).

Statements go on being accepted, and acceptance knows nothing of freezes: the head is a function of the history alone.
Only what is built from it differs. Flag by flag it is the state in effect at the freeze's start, and after that each
state in effect since which is proven to serve nobody anything but what the flag served until then, or the safe variant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from flagseal.evaluation.analysis import refines
from flagseal.evaluation.compile import Held
from flagseal.evaluation.moment import at_instant, depends_on_time
from flagseal.policy.classify import reached
from flagseal.policy.state import flag_reference, flag_subject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from flagseal.emergency.ledger import Emergencies, Frozen
    from flagseal.evaluation.resolved import ResolvedFlag
    from flagseal.history.head import Head, Pending
    from flagseal.model.flag import FlagDefinition
    from flagseal.policy.state import State


LATEST_START: Final = timedelta(minutes=11)
"""How long before a build a freeze may have begun that it does not list: clocks differ, and looks are late."""


def let_go(head: Head, environment: str, as_of: datetime, emergencies: Emergencies) -> Head:
    """Forget what took effect before every freeze that there is, or that may still turn up.

    Args:
        head: The accepted state, built already.
        environment: Where.
        as_of: Of that build. Whoever goes on from it must refuse a freeze that is new to it and begins more than
            :data:`LATEST_START` before.
        emergencies: What was proven then.
    """
    freezes = (it.since for it in emergencies.standings if it.claim.freezes is not None and it.kept_until > as_of)
    return head.remembering(environment, min([as_of - LATEST_START, *freezes]))


@dataclass(frozen=True, slots=True)
class Hold:
    """A flag that is served as it was.

    Attributes:
        flag: ``namespace/name``.
        state: The documents that it is served from; it may not be among them.
        undone: What took effect, or will, after that state.
        instant: At which its schedules are held, unix seconds; None if it has none.
        approval: The statement by which it was in effect; None where there was none.
        frozen: Since when, until when, and by which freeze.
    """

    flag: str
    state: State
    undone: tuple[Pending, ...]
    instant: int | None
    approval: str | None
    frozen: Frozen

    @property
    def held(self) -> Held:
        """How it is compiled."""
        return Held(self.state.catalogue, self.instant, self.approval, self.frozen.by.claim.incident)

    def resolved(self, environment: str) -> ResolvedFlag | None:
        """Give what it is served by, its schedules held; None where it is not served."""
        found = self.state.resolve(self.flag, environment)
        return found if found is None or self.instant is None else at_instant(found, self.instant, grants_end=True)

    def definition(self, environment: str) -> FlagDefinition | None:
        """Give its definition; None where it is not served."""
        found = self.state.definition(self.flag)
        return found if found is not None and environment in found.environments else None


def held_back(head: Head, environment: str, now: datetime, emergencies: Emergencies) -> dict[str, Hold]:
    """Find every flag that would be served otherwise without a freeze.

    Args:
        head: The accepted state.
        environment: Where.
        now: Whole seconds, not before the last acceptance.
        emergencies: What was proven, and holds or held.

    Returns:
        By ``namespace/name``.
    """
    if not emergencies.freezing(now):
        return {}
    return _Freeze(head, environment, now, emergencies).holds()


class _Freeze:
    """One environment at one instant while something is frozen."""

    def __init__(self, head: Head, environment: str, now: datetime, emergencies: Emergencies) -> None:
        self.head, self.environment, self.now, self.emergencies = head, environment, now, emergencies
        self.state = head.effective(environment, now)
        # No flag is held since before the first freeze that matters still.
        earliest = min(it.since for it in emergencies.standings if it.claim.freezes is not None and it.kept_until > now)
        self.line = head.since(environment, earliest)
        self.entries = tuple(entry for entry in self.line if entry.effective_from <= now)
        self.subjects = sorted({subject for entry in self.entries for subject in entry.before})
        then = head.effective_without(environment, self.line)
        self.reach = [reached(entry.before, then, self.state, self.state) for entry in self.entries]
        self.changed: frozenset[str] = frozenset().union(*self.reach)

    def holds(self) -> dict[str, Hold]:
        """Give all holds."""
        found: dict[str, Hold] = {}
        for flag in sorted(self._candidates()):
            frozen = self.emergencies.frozen(flag, self.now)
            if frozen is not None and (hold := self._hold(flag, frozen)) is not None:
                found[flag] = hold
        while (clash := self._clash(found)) is not None:
            found[clash.flag] = clash
        return found

    def _candidates(self) -> Iterator[str]:
        """Name flags that may be served otherwise: those that changed, and those with a schedule."""
        yield from self.changed
        catalogue = self.state.catalogue
        yield from (flag for flag in catalogue.flags if flag not in self.changed and catalogue.may_depend_on_time(flag))

    def _hold(self, flag: str, frozen: Frozen) -> Hold | None:
        """Go through what took effect for a flag since it is held; None if nothing is held back."""
        found = self._begin(flag, frozen)
        for number, entry in enumerate(self.entries):
            if entry.effective_from <= frozen.since or flag not in self.reach[number]:
                continue
            served = found.resolved(self.environment)
            # Its schedule stands where it is by then, if that is toward safe too, and otherwise where it was held.
            for moment in (_seconds(entry.effective_from), found.instant or _seconds(frozen.since)):
                candidate = self._at(flag, self.line[number + 1 :], moment, frozen)
                if _is_toward_safe(candidate.resolved(self.environment), served):
                    found = candidate
                    break
        return None if self._is_served_so(found) else found

    def _begin(self, flag: str, frozen: Frozen) -> Hold:
        """Give a flag as it was when it began to be held."""
        undone = tuple(entry for entry in self.line if entry.effective_from > frozen.since)
        return self._at(flag, undone, _seconds(frozen.since), frozen)

    def _at(self, flag: str, undone: tuple[Pending, ...], moment: int, frozen: Frozen) -> Hold:
        """Give a flag from the state before something took effect, its schedules held at a moment."""
        state = self.head.effective_without(self.environment, undone)
        resolved = state.resolve(flag, self.environment)
        timed = resolved is not None and depends_on_time(resolved)
        approval = self.head.approval_without(undone, flag_subject(flag))
        return Hold(flag, state, undone, moment if timed else None, approval, frozen)

    def _is_served_so(self, hold: Hold) -> bool:
        """Tell whether a flag is served the same without any hold."""
        if hold.instant is not None:
            return False
        own, now = hold.state.catalogue, self.state.catalogue
        if hold.definition(self.environment) is None:
            definition = self.state.definition(hold.flag)
            return definition is None or self.environment not in definition.environments
        same = own is now or own.fingerprint(hold.flag) == now.fingerprint(hold.flag)
        waiting = self.line[len(self.entries) :]
        return same and hold.approval == self.head.approval_without(waiting, flag_subject(hold.flag))

    def _clash(self, found: dict[str, Hold]) -> Hold | None:
        """Find a flag that took over the key of one that is held: it is held back for as long, whoever's it is."""
        keys: dict[str, Hold] = {}
        for hold in sorted(found.values(), key=lambda it: (it.frozen.since, it.flag)):
            definition = hold.definition(self.environment)
            if definition is not None:
                if definition.key in keys:
                    return self._held_with(hold.flag, keys[definition.key])
                keys[definition.key] = hold
        for flag in sorted(flag_reference(it) for it in self.subjects if it.startswith("FlagDefinition/")):
            definition = self.state.definition(flag)
            if flag not in found and definition is not None and definition.key in keys:
                return self._held_with(flag, keys[definition.key])
        return None

    def _held_with(self, flag: str, other: Hold) -> Hold:
        return self._hold(flag, other.frozen) or self._begin(flag, other.frozen)


def _is_toward_safe(after: ResolvedFlag | None, before: ResolvedFlag | None) -> bool:
    if after is None or before is None:
        return after is before
    return refines(after, before)


def _seconds(instant: datetime) -> int:
    return int(instant.timestamp())
