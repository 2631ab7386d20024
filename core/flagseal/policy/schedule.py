"""When a schedule widens: the instants at which somebody begins to be served something by the clock alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from flagseal.evaluation.cells import Undecided
from flagseal.evaluation.exploration import Case, Exploration, Raw, side_of
from flagseal.evaluation.moment import all_leaves, at_instant
from flagseal.evaluation.resolved import Granted, ResolvedFlag, ResolvedSplit, Served, Window
from flagseal.model.canonical import canonical_json
from flagseal.model.condition import AllOf, AnyOf, Negation, Test

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flagseal.evaluation.resolved import ResolvedCondition
    from flagseal.model.canonical import Json

MOST_INSTANTS: Final = 128
"""Beyond so many each counts as widening, unproven."""

_MOST_WORK: Final = 2**18
"""Instants times cases, roughly: whoever writes a flag must not keep every verifier busy for minutes."""

_CONTEXT_OF_ELEMENTS: Final = frozenset({"map", "filter", "reduce", "all", "none", "some"})
"""JSONLogic operations whose second argument sees an element in place of the whole context."""


def new_widenings(after: ResolvedFlag, known: Sequence[ResolvedFlag], since: int) -> tuple[int, ...]:
    """Find the instants at which a flag widens in a way that was not approved before.

    An instant is left out only if it is proven that nobody gains anything at it, or that whoever does gains the same
    at the same instant by what was approved before.

    Args:
        after: The flag as it is to be.
        known: The flag as accepted and as in effect, as far as there was one.
        since: Unix seconds; only later instants count.
    """
    candidates = sorted(instant for instant in _candidates(after, known) if instant > since)
    if len(candidates) > MOST_INSTANTS or len(candidates) << min(_questions(after, known), 20) > _MOST_WORK:
        return tuple(candidates)
    return tuple(instant for instant in candidates if _widens(after, known, instant))


def reads_the_clock(flag: ResolvedFlag) -> bool:
    """Tell whether raw targeting, the flag's own or a prerequisite's, may decide by the time of evaluation."""
    return any(_logic_reads_clock(each.raw, whole_context=True) for each in (flag, *_prerequisites(flag)))


def _widens(after: ResolvedFlag, known: Sequence[ResolvedFlag], instant: int) -> bool:
    return not any(_nothing_new(after, flag, instant) for flag in (after, *known))


def _nothing_new(after: ResolvedFlag, known: ResolvedFlag, instant: int) -> bool:
    """Prove that whoever gains something at an instant gains the same then by what is known.

    Known to be the flag itself, without what it gains, this proves that nobody gains anything.
    """
    flags = [at_instant(flag, moment) for flag in (after, known) for moment in (instant - 1, instant)]
    safe = canonical_json(after.variants[after.safe_variant])

    def holds(case: Case) -> bool:
        def value(number: int) -> bytes:
            served, variants = case.served(number), flags[number].variants
            # Raw targeting serves the same by the same logic, if its variants have the same values.
            return (
                served.identity + canonical_json(variants)
                if isinstance(served, Raw)
                else canonical_json(variants[str(served)])
            )

        later = value(1)
        if later == safe or later == value(0):
            return True
        return known is not after and value(3) == later and value(2) != later

    try:
        return Exploration([side_of(flag) for flag in flags]).all_cases(holds)
    except Undecided:
        return False


def _questions(after: ResolvedFlag, known: Sequence[ResolvedFlag]) -> int:
    """Count the attributes and splits on which the flags depend."""
    flags = [flag for side in (after, *known) for flag in (side, *_prerequisites(side))]
    asked: set[object] = {leaf.path for flag in flags for leaf in all_leaves(flag) if isinstance(leaf, Test)}
    for flag in flags:
        asked |= {("org",) for leaf in all_leaves(flag) if isinstance(leaf, Granted)}
        splits = [rule.outcome for rule in flag.rules if isinstance(rule.outcome, ResolvedSplit)]
        asked |= {split.by for split in splits} | {(split.salt, split.by) for split in splits}
    return len(asked)


def _prerequisites(flag: ResolvedFlag) -> list[ResolvedFlag]:
    return [leaf.flag for leaf in all_leaves(flag) if isinstance(leaf, Served)]


def _candidates(after: ResolvedFlag, known: Sequence[ResolvedFlag]) -> frozenset[int]:
    """Name the instants at which the flag may widen anew.

    If all that differs from what is known are tables of entitlements, an organisation whose grants did not change
    gains nothing new at their bounds, so those of 100,000 others need not be looked at.
    """
    found = {
        bound
        for leaf in all_leaves(after)
        if isinstance(leaf, Window)
        for bound in (leaf.since, leaf.until)
        if bound is not None
    }
    tables = _entries(after)
    for flag in known:
        if _without_grants(flag) == _without_grants(after):
            before = _entries(flag)
            concerned = {name for old, new in zip(before, tables, strict=True) for *_, name in old ^ new}
            entries = [entry for table in (*before, *tables) for entry in table if entry[2] in concerned]
            break
    else:
        entries = [entry for table in tables for entry in table]
    return frozenset(found.union(*(entry[:2] for entry in entries)))


def _entries(flag: ResolvedFlag) -> tuple[frozenset[tuple[int, int, str]], ...]:
    """Spell out every table of entitlements, prerequisites' included: (since, until, organisation)."""
    return tuple(
        frozenset((since, until, name) for since, until, names in leaf.tables for name in names)
        for leaf in all_leaves(flag)
        if isinstance(leaf, Granted)
    )


def _without_grants(flag: ResolvedFlag) -> str:
    """Write down all of a flag but its tables of entitlements. As text: equality of values takes True for 1."""
    return repr(_emptied(flag))


def _emptied(flag: ResolvedFlag) -> ResolvedFlag:
    rules = tuple(replace(rule, when=_emptied_condition(rule.when)) for rule in flag.rules)
    return replace(flag, rules=rules, dependencies=())


def _emptied_condition(condition: ResolvedCondition) -> ResolvedCondition:
    match condition:
        case Granted():
            return Granted(())
        case Served(flag=flag, variant=variant):
            return Served(_emptied(flag), variant)
        case Negation(part=part):
            return Negation(_emptied_condition(cast("ResolvedCondition", part)))  # type: ignore[arg-type]  # resolved
        case AllOf(parts=parts):
            return AllOf(tuple(_emptied_condition(cast("ResolvedCondition", p)) for p in parts))  # type: ignore[misc]
        case AnyOf(parts=parts):
            return AnyOf(tuple(_emptied_condition(cast("ResolvedCondition", p)) for p in parts))  # type: ignore[misc]
        case _:
            return condition


def _logic_reads_clock(logic: Json, *, whole_context: bool) -> bool:
    """Tell whether flagd targeting may read ``$flagd.timestamp``: by name, by a computed name, or with the whole."""
    match logic:
        case list():
            return any(_logic_reads_clock(part, whole_context=whole_context) for part in logic)
        case dict():
            return any(
                _operation_reads_clock(name, operand, whole_context=whole_context) for name, operand in logic.items()
            )
        case _:
            return False


def _operation_reads_clock(name: str, operand: Json, *, whole_context: bool) -> bool:
    arguments = operand if isinstance(operand, list) else [operand]
    if name == "$ref":
        return True
    if name == "var" and _path_reads_clock(arguments[0] if arguments else "", whole_context=whole_context):
        return True
    if name in _CONTEXT_OF_ELEMENTS and arguments:
        return _logic_reads_clock(arguments[0], whole_context=whole_context) or any(
            _logic_reads_clock(argument, whole_context=False) for argument in arguments[1:]
        )
    return any(_logic_reads_clock(argument, whole_context=whole_context) for argument in arguments)


def _path_reads_clock(path: Json, *, whole_context: bool) -> bool:
    if isinstance(path, str):
        return "timestamp" in path or (whole_context and path in {"", "$flagd"})
    return path is None or isinstance(path, dict | list)
