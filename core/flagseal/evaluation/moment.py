"""A flag as it stands at one instant: every window decided, so that only the context is left."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from flagseal.evaluation.resolved import Granted, ResolvedRule, Served, Window
from flagseal.model.condition import ALWAYS, NEVER, AllOf, AnyOf, Negation
from flagseal.model.flag import Serve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flagseal.evaluation.resolved import ResolvedCondition, ResolvedFlag
    from flagseal.model.condition import Condition, Test

_EVER: Final = (-(2**53) + 1, 2**53 - 1)
"""Bounds that no instant leaves, and that have a canonical form."""


def at_instant(flag: ResolvedFlag, instant: int, *, grants_end: bool = False) -> ResolvedFlag:
    """Give the flag as it stands at an instant, prerequisites included.

    Rules that cannot match then are left out, and so is whatever follows a rule that serves everyone who is left.

    Args:
        flag: Any; raw targeting stays as it is, since nothing is known of it.
        instant: Unix seconds.
        grants_end: Whether the grants that hold then still end when they end; those that begin later never do.
    """
    rules: list[ResolvedRule] = []
    for rule in flag.rules:
        when = condition_at(rule.when, instant, grants_end=grants_end)
        if when == NEVER:
            continue
        rules.append(replace(rule, when=when))
        if when == ALWAYS and isinstance(rule.outcome, Serve):
            break
    return replace(flag, rules=tuple(rules))


def condition_at(condition: ResolvedCondition, instant: int, *, grants_end: bool = False) -> ResolvedCondition:
    """Give what is left of a condition at an instant; ``ALWAYS`` and ``NEVER`` where nothing is."""
    match condition:
        case Window(since=since, until=until):
            holds = (since is None or since <= instant) and (until is None or instant < until)
            return ALWAYS if holds else NEVER
        case Granted(tables=tables) if grants_end:
            kept = [(until, names) for since, until, names in tables if since <= instant < until]
            return Granted(tuple((_EVER[0], until, names) for until, names in _merged(kept))) if kept else NEVER
        case Granted(tables=tables):
            names = sorted({name for since, until, names in tables if since <= instant < until for name in names})
            return Granted(((*_EVER, tuple(names)),)) if names else NEVER
        case Served(flag=flag, variant=variant):
            return Served(at_instant(flag, instant, grants_end=grants_end), variant)
        case Negation(part=part):
            left = condition_at(cast("ResolvedCondition", part), instant, grants_end=grants_end)
            return NEVER if left == ALWAYS else ALWAYS if left == NEVER else Negation(cast("Condition", left))
        case AllOf(parts=parts):
            return _combined(parts, instant, grants_end, neutral=ALWAYS, absorbing=NEVER)
        case AnyOf(parts=parts):
            return _combined(parts, instant, grants_end, neutral=NEVER, absorbing=ALWAYS)
        case _:
            return condition


def reachable_at(flag: ResolvedFlag, instant: int) -> frozenset[str]:
    """Name the variants that somebody can be served at an instant; too many rather than too few."""
    if flag.raw is not None:
        return frozenset(flag.variants)
    found: set[str] = set()
    for rule in at_instant(flag, instant).rules:
        if isinstance(rule.outcome, Serve):
            found.add(rule.outcome.variant)
            if rule.when == ALWAYS:
                return frozenset(found)
        else:
            found |= {variant for variant, _ in rule.outcome.arms}
    return frozenset(found | {flag.default})


def leaves(condition: ResolvedCondition) -> Iterator[Test | Window | Granted | Served]:
    """Give the parts of a condition that have no parts."""
    match condition:
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from leaves(cast("ResolvedCondition", part))
        case Negation(part=part):
            yield from leaves(cast("ResolvedCondition", part))
        case leaf:
            yield leaf


def all_leaves(flag: ResolvedFlag) -> Iterator[Test | Window | Granted | Served]:
    """Give the leaves of all of a flag's conditions in order, those of its prerequisites after each that names one."""
    for rule in flag.rules:
        for leaf in leaves(rule.when):
            yield leaf
            if isinstance(leaf, Served):
                yield from all_leaves(leaf.flag)


def depends_on_time(flag: ResolvedFlag) -> bool:
    """Tell whether a schedule or an entitlement decides, the flag's own or a prerequisite's."""
    return any(isinstance(leaf, Window | Granted) for leaf in all_leaves(flag))


def _merged(tables: Iterable[tuple[int, tuple[str, ...]]]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Give the organisations by the end of their grants, sorted, each where its last grant ends."""
    ends: dict[str, int] = {}
    for until, names in tables:
        for name in names:
            ends[name] = max(until, ends.get(name, until))
    found: dict[int, list[str]] = {}
    for name, until in sorted(ends.items()):
        found.setdefault(until, []).append(name)
    return ((until, tuple(names)) for until, names in sorted(found.items()))


def _combined(
    parts: tuple[Condition, ...],
    instant: int,
    grants_end: bool,  # noqa: FBT001 (handed on)
    *,
    neutral: AllOf | AnyOf,
    absorbing: AllOf | AnyOf,
) -> ResolvedCondition:
    left = [condition_at(cast("ResolvedCondition", part), instant, grants_end=grants_end) for part in parts]
    if absorbing in left:
        return absorbing
    kept = tuple(cast("Condition", part) for part in left if part != neutral)
    return cast("ResolvedCondition", kept[0]) if len(kept) == 1 else type(neutral)(kept)
