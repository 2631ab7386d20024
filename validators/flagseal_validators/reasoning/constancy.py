"""Whether everybody is served the same, from now on."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flagseal.evaluation.analysis import reachable_variants
from flagseal.evaluation.resolved import Granted, ResolvedFlag, ResolvedRule, Served, Window
from flagseal.model.canonical import canonical_json
from flagseal.model.condition import ALWAYS, NEVER, AllOf, AnyOf, Negation

if TYPE_CHECKING:
    from flagseal.evaluation.resolved import ResolvedCondition


def constant_variant(flag: ResolvedFlag, now: int) -> str | None:
    """Find the one variant that every context is served at every instant from now on.

    Args:
        flag: Resolved in an environment, with its segments, grants and prerequisites.
        now: Unix seconds.

    Returns:
        None if there are two with different values, or if it cannot be decided.
    """
    found = sorted(reachable_variants(_from(flag, now)))
    values = {canonical_json(flag.variants[name]) for name in found}
    if len(values) != 1:
        return None
    return flag.default if flag.default in found else found[0]


def _from(flag: ResolvedFlag, now: int) -> ResolvedFlag:
    """Leave out what is over: schedules that ended, and whether those that go on for ever have begun."""
    rules = tuple(ResolvedRule(rule.name, _since(rule.when, now), rule.outcome) for rule in flag.rules)
    return ResolvedFlag(
        flag.namespace, flag.name, flag.key, flag.environment, flag.variants, flag.safe_variant, flag.default,
        tuple(rule for rule in rules if rule.when != NEVER), flag.raw, flag.dependencies,
    )  # fmt: skip


def _since(condition: ResolvedCondition, now: int) -> ResolvedCondition:
    match condition:
        case Window(since=since, until=until):
            if until is not None and until <= now:
                return NEVER
            begun = since is None or since <= now
            return ALWAYS if begun and until is None else Window(None if begun else since, until)
        case Granted(tables=tables):
            kept = tuple(table for table in tables if table[1] > now)
            return Granted(kept) if kept else NEVER
        case Served(flag=flag, variant=variant):
            return Served(_from(flag, now), variant)
        case Negation(part=part):
            return Negation(_since(cast("ResolvedCondition", part), now))  # type: ignore[arg-type]
        case AllOf(parts=parts):
            inner = tuple(_since(cast("ResolvedCondition", part), now) for part in parts)
            return NEVER if NEVER in inner else AllOf(inner)  # type: ignore[arg-type]
        case AnyOf(parts=parts):
            inner = tuple(_since(cast("ResolvedCondition", part), now) for part in parts)
            return AnyOf(inner)  # type: ignore[arg-type]
        case _:
            return condition
