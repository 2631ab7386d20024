"""The rules of one environment's row: each looks by itself, whatever the others found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

from flagseal.evaluation.moment import at_instant, reachable_at
from flagseal.model.canonical import canonical_json
from flagseal.model.errors import CompileError
from flagseal.policy.calendar import HORIZON, UnknownTimeZone, allowed_at, effective_from
from flagseal.policy.content import grown_variants
from flagseal.policy.decision import Check
from flagseal.policy.facts import rfc3339
from flagseal.policy.schedule import new_widenings, reads_the_clock
from flagseal.policy.steps import growth, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.evaluation.resolved import ResolvedFlag
    from flagseal.model.policies import ChangeWindow, PolicyRow, PolicySet
    from flagseal.policy.flag_change import FlagChange
    from flagseal.policy.judgement import Change, Judgement

_SHOWN: Final = 3
"""Instants named in a reason before the rest are counted."""


@dataclass(frozen=True)
class Case:
    """One environment's change, with the rows that hold for it.

    Attributes:
        change: The whole change.
        judgement: What it is here.
        policies: Those in force.
        row: The row of its class and tier; None if there is none, not even ``widen``.
        widen_row: The row by which a schedule's widenings are judged; None if there is none.
        effective_from: See :func:`opening`.
    """

    change: Change
    judgement: Judgement
    policies: PolicySet
    row: PolicyRow | None
    widen_row: PolicyRow | None
    effective_from: datetime | None

    @property
    def environment(self) -> str:
        """The environment's name."""
        return self.judgement.environment

    @property
    def start(self) -> datetime:
        """The instant from which the change is in effect, or would be."""
        return self.effective_from or self.change.facts.clock

    @cached_property
    def content_changes(self) -> tuple[FlagChange, ...]:
        """The changes of what contexts are served, against what is in effect."""
        return tuple(each for each in self.judgement.changes if each.served_class is not None)

    @cached_property
    def wider(self) -> tuple[FlagChange, ...]:
        """Those of them by which somebody may be served something new; the others are proven not to."""
        return tuple(each for each in self.content_changes if each.served_class == "widen")

    @cached_property
    def widenings(self) -> tuple[tuple[int, FlagChange], ...]:
        """The later instants at which a flag widens anew, against what is in effect and what was accepted."""
        start = int(self.start.timestamp())
        found = [
            (at, each)
            for each in self.content_changes
            if each.after is not None
            for at in new_widenings(each.after, self._known(each), start)
        ]
        return tuple(sorted(found, key=lambda pair: (pair[0], pair[1].flag)))

    def _known(self, each: FlagChange) -> list[ResolvedFlag]:
        try:
            accepted = self.change.accepted.resolve(each.flag, self.environment)
        except CompileError:
            accepted = None
        return [flag for flag in (each.before, accepted) if flag is not None]


def rows_for(judgement: Judgement, policies: PolicySet) -> tuple[PolicyRow | None, PolicyRow | None]:
    """Find the row of a class and tier, and the row ``widen`` to which a missing one falls back.

    An environment that the policies do not list counts as production.
    """
    found = policies.environments.get(judgement.environment)
    side = "production" if found is None or found.production else "nonProduction"
    widen = policies.approval.tiers.get((judgement.tier, side, "widen"))
    return policies.approval.tiers.get((judgement.tier, side, judgement.change_class), widen), widen


def opening(change: Change, judgement: Judgement, row: PolicyRow | None, policies: PolicySet) -> datetime | None:
    """Find when a change takes effect in an environment; None if never within the horizon of the calendar.

    What is toward-safe against what is in effect does so at once. All else waits for the row's window, for the end of
    blackouts of any tier concerned, and for what is pending and shares a document with it.
    """
    facts = change.facts
    if judgement.toward_safe_now:
        return facts.clock
    earliest = max(facts.clock, facts.pending_until.get(judgement.environment, facts.clock)).astimezone(UTC)
    window = _window(row, policies)
    if window is None and row is not None and row.window is not None:
        return None
    try:
        return effective_from(earliest, window, policies.calendar.blackouts, judgement.tiers)
    except UnknownTimeZone:
        return None


def environment_checks(case: Case) -> tuple[Check, ...]:
    """Apply the rules of time and content to one environment."""
    return (
        _default_deny(case),
        _pending(case),
        _window_check(case),
        _schedule(case),
        _max_step(case),
        *_staging_first(case),
    )


def _default_deny(case: Case) -> Check:
    found = f"a change of class {case.judgement.change_class} and tier {case.judgement.tier}"
    if case.row is None:
        return Check(
            "default-deny",
            case.environment,
            passed=False,
            reason=f"no row covers {found} here",
            remedy="Add a row for it to policies/approvals.yaml, in a change of its own.",
        )
    return Check("default-deny", case.environment, passed=True, reason=f"{found}: {case.row.place}")


def _pending(case: Case) -> Check:
    name = case.environment
    until = case.change.facts.pending_until.get(name)
    if case.judgement.waits and until is None:
        return Check(
            "pending",
            name,
            passed=False,
            reason="it has no meaning without something that is accepted and not yet in effect here",
            remedy="Wait until that is in effect.",
        )
    if until is None or case.judgement.toward_safe_now:
        return Check("pending", name, passed=True, reason="it waits for nothing that is pending")
    return Check("pending", name, passed=True, reason=f"not before {rfc3339(until)}, with what is pending until then")


def _window_check(case: Case) -> Check:
    name, row = case.environment, case.row
    if case.judgement.toward_safe_now:
        reason = "nobody is served anything new against what is in effect: at once"
        return Check("window", name, passed=True, reason=reason)
    window = _window(row, case.policies)
    if row is not None and row.window is not None and window is None:
        reason, remedy = f"there is no window {row.window!r}", "Correct policies/calendar.yaml."
        return Check("window", name, passed=False, reason=reason, remedy=remedy)
    if case.effective_from is None:
        try:
            allowed_at(case.change.facts.clock, window, (), ())
        except UnknownTimeZone as error:
            return Check("window", name, passed=False, reason=error.message, remedy=error.remedy)
        reason = f"no window opens within {HORIZON.days} days"
        return Check("window", name, passed=False, reason=reason, remedy="Correct policies/calendar.yaml.")
    where = f"window {window.name}" if window is not None else "no window is asked for"
    return Check("window", name, passed=True, reason=f"{where}; in effect from {rfc3339(case.effective_from)}")


def _schedule(case: Case) -> Check:
    """Hold every later instant at which a schedule widens to the window and the blackouts (formats.md)."""
    name = case.environment
    widenings = [(at, each.flag) for at, each in case.widenings]
    window = _window(case.widen_row, case.policies)
    problem = ""
    if widenings and case.widen_row is None:
        problem = "it widens by schedule, and no row covers that"
    elif widenings and case.widen_row is not None and case.widen_row.window is not None and window is None:
        problem = f"it widens by schedule, and there is no window {case.widen_row.window!r}"
    else:
        try:
            outside = [(at, flag) for at, flag in widenings if not _allowed(at, window, case)]
        except UnknownTimeZone as error:
            return Check("schedule", name, passed=False, reason=error.message, remedy=error.remedy)
        if outside:
            problem = f"it widens outside the window, or within a blackout: {_listed(outside)}"
    unreadable = [each.flag for each in _with_clock(case)]
    if not problem and unreadable and _time_matters(case, window):
        problem = f"raw targeting may widen at any time: {', '.join(sorted(set(unreadable)))}"
    if problem:
        remedy = "Move its instants into the window and out of blackouts, or drop the schedule."
        return Check("schedule", name, passed=False, reason=problem, remedy=remedy)
    reason = f"widens by schedule at {_listed(widenings)}" if widenings else "no schedule widens anew"
    return Check("schedule", name, passed=True, reason=reason)


def _max_step(case: Case) -> Check:
    name = case.environment
    problems: list[str] = []
    found: list[str] = []
    if case.row is not None and case.row.max_step is not None:
        start = int(case.start.timestamp())
        for each in case.wider:
            if each.after is not None:
                before = at_instant(each.before, start) if each.before is not None else None
                points = growth(before, at_instant(each.after, start))
                found.append(f"{each.flag} by {text_of(points)}")
                if points > case.row.max_step:
                    problems.append(f"{each.flag} grows by {text_of(points)} points")
    if case.widen_row is not None and case.widen_row.max_step is not None:
        for at, each in case.widenings:
            if each.after is not None:
                points = growth(at_instant(each.after, at - 1), at_instant(each.after, at))
                if points > case.widen_row.max_step:
                    problems.append(f"{each.flag} grows by {text_of(points)} points at {_instant(at)}")
    if problems:
        most = max(row.max_step for row in (case.row, case.widen_row) if row is not None and row.max_step is not None)
        return Check(
            "max-step",
            name,
            passed=False,
            reason=f"{'; '.join(problems)}; at most {most} at once",
            remedy="Widen in smaller steps, or by a ramp with more of them.",
        )
    return Check("max-step", name, passed=True, reason=f"grows: {', '.join(found)}" if found else "nothing to measure")


def _staging_first(case: Case) -> Iterator[Check]:
    """Ask that every value newly served is served already in the environments named by ``after``."""
    name = case.environment
    earlier = case.row.after if case.row is not None else ()
    if not earlier:
        yield Check("staging-first", name, passed=True, reason="no other environment comes first")
    for place in earlier:
        absent = [
            f"{each.flag}: {variant}"
            for each in case.wider
            if each.after is not None
            for variant in grown_variants(each.before, each.after)
            if not _served_in(case.change, each, variant, place)
        ]
        if absent:
            yield Check(
                "staging-first",
                name,
                passed=False,
                reason=f"{place} does not serve yet: {', '.join(absent)}",
                remedy=f"Have {place} serve it first, in a change of its own.",
            )
        else:
            yield Check("staging-first", name, passed=True, reason=f"{place} serves already what is new here")


def _served_in(change: Change, each: FlagChange, variant: str, place: str) -> bool:
    """Tell whether an environment, as in effect before, can serve the value that a variant has afterwards."""
    state = change.in_effect(place)
    definition = state.definition(each.flag)
    if each.after is None or definition is None or place not in definition.environments:
        return False
    try:
        resolved = state.resolve(each.flag, place)
    except CompileError:
        return False
    if resolved is None or variant not in resolved.variants:
        return False
    served = reachable_at(resolved, int(change.facts.clock.timestamp()))
    return variant in served and canonical_json(resolved.variants[variant]) == canonical_json(
        each.after.variants[variant]
    )


def _with_clock(case: Case) -> Iterator[FlagChange]:
    return (each for each in case.wider if each.after is not None and reads_the_clock(each.after))


def _time_matters(case: Case, window: ChangeWindow | None) -> bool:
    ahead = any(
        blackout.until > case.start and not case.judgement.tiers.isdisjoint(blackout.tiers)
        for blackout in case.policies.calendar.blackouts
    )
    row = case.widen_row
    return ahead or window is not None or row is None or row.max_step is not None


def _window(row: PolicyRow | None, policies: PolicySet) -> ChangeWindow | None:
    return policies.calendar.windows.get(row.window) if row is not None and row.window is not None else None


def _allowed(at: int, window: ChangeWindow | None, case: Case) -> bool:
    return allowed_at(_datetime(at), window, case.policies.calendar.blackouts, case.judgement.tiers)


def _listed(instants: list[tuple[int, str]]) -> str:
    shown = ", ".join(f"{flag} at {_instant(at)}" for at, flag in instants[:_SHOWN])
    return f"{shown} and {len(instants) - _SHOWN} more" if len(instants) > _SHOWN else shown


def _instant(at: int) -> str:
    return rfc3339(_datetime(at))


def _datetime(at: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at)
