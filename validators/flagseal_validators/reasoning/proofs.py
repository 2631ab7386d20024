"""What is asked of the rules of an environment, and proven or left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from flagseal.evaluation.analysis import never_holds, serve_the_same
from flagseal.evaluation.bucketing import BUCKETINGS, split
from flagseal.model.condition import AllOf, AnyOf, Negation, Test
from flagseal.model.flag import Ramp, Serve, Split
from flagseal_validators.reasoning.parts import is_open
from flagseal_validators.reasoning.quick import can_fail, can_hold, can_hold_outside, fails, holds, imagine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from flagseal.evaluation.resolved import ResolvedCondition
    from flagseal.model.condition import Condition
    from flagseal_validators.reasoning.clauses import Clause, Section
    from flagseal_validators.reasoning.parts import Part
    from flagseal_validators.reasoning.quick import Imagined

MOST_CASES: Final = 3_000
"""Cases looked at for one question: a gate has many questions, and leaves the odd one open."""

_MOST_MEMBERS: Final = 200
"""Of a list whose members are looked at one by one."""

_MOST_VALUES: Final = 8
"""Of an attribute that buckets, if each one's bucket is looked up."""

_TARGETING_KEY: Final = ("targetingKey",)


def _never(condition: ResolvedCondition) -> bool:
    return not can_hold(condition) and never_holds(condition, most=MOST_CASES)


def _outside(condition: ResolvedCondition, clauses: Sequence[Clause]) -> ResolvedCondition:
    """Give who satisfies a condition and is decided by none of some clauses."""
    return AllOf((condition, *(Negation(clause.when) for clause in clauses)))  # type: ignore[arg-type]


def _never_outside(condition: ResolvedCondition, clauses: Sequence[Clause]) -> bool:
    conditions = [clause.condition for clause in clauses]
    return not can_hold_outside(condition, conditions) and never_holds(_outside(condition, clauses), most=MOST_CASES)


# Rules that are never reached


def is_unreachable(section: Section, position: int) -> bool:
    """Prove that nobody ever gets to a rule, though its condition can hold: earlier ones decide about all it means."""
    clause = section.clauses[position]
    return _never_outside(clause.when, section.clauses[:position]) and not _never(clause.when)


def blockers(section: Section, position: int) -> tuple[Clause, ...]:
    """Name the earlier rules that keep everyone from an unreachable one; no fewer of them would."""
    return _needed(section.clauses[position].when, section.clauses[:position])


def _needed(condition: ResolvedCondition, earlier: Sequence[Clause]) -> tuple[Clause, ...]:
    kept = list(earlier)
    for clause in reversed(earlier):
        fewer = [it for it in kept if it is not clause]
        if _never_outside(condition, fewer):
            kept = fewer
    return tuple(kept)


def reached_by(section: Section, whom: Test) -> Iterator[Clause | None]:
    """Give the rules that contexts of one kind may get to, and None if they may get to the default; too many at most.

    Args:
        section: The environment.
        whom: What is true of the contexts.
    """
    for position, clause in enumerate(section.clauses):
        if not _never_outside(AllOf((whom, clause.when)), section.clauses[:position]):  # type: ignore[arg-type]
            yield clause
    if not _never_outside(whom, section.clauses):
        yield None


# Conditions that never or always hold


def contradictions(part: Part) -> Iterator[tuple[Part, tuple[Part, ...]]]:
    """Find the smallest parts of a condition that never hold.

    Returns:
        Each with the others that it contradicts: parts of the same conjunction, or nothing if it fails by itself.
    """
    if not _never(cast("ResolvedCondition", part.condition)):
        for inner in part.parts:
            yield from contradictions(inner)
        return
    within = [inner for inner in part.parts if _never(cast("ResolvedCondition", inner.condition))]
    if part.kind in {"all", "any"} and within:
        for inner in within:
            yield from contradictions(inner)
    elif part.kind == "all":
        *others, last = _smallest(part.parts)
        yield last, tuple(others)
    elif part.kind != "segment":  # what is wrong with a segment is told where it is written
        yield part, ()


def _smallest(parts: tuple[Part, ...]) -> list[Part]:
    kept = list(parts)
    for part in parts:
        fewer = [it for it in kept if it is not part]
        if len(fewer) > 1 and _never(AllOf(tuple(it.condition for it in fewer))):
            kept = fewer
    return kept


def always_holds(part: Part) -> bool:
    """Prove that a condition holds for everyone at every instant, and not because a part of it never does."""
    if can_fail(cast("ResolvedCondition", part.condition)):
        return False
    opposite = cast("ResolvedCondition", Negation(part.condition))
    return never_holds(opposite, most=MOST_CASES) and not any(contradictions(part))


# Parts of a condition that are never reached


def dead_parts(section: Section, position: int) -> Iterator[tuple[str, str, tuple[Clause, ...]]]:
    """Find the members of lists and the branches of ``any`` through which nobody gets to a rule.

    Nothing is found where nobody gets to the rule at all.

    Returns:
        JSONPath, what it is, and the earlier rules that take it; none if the rest of the condition rules it out.
    """
    clause = section.clauses[position]
    earlier = section.clauses[:position]
    if clause.part is None or _never_outside(clause.when, earlier):
        return
    for path, what, narrowed in _alternatives(clause.part, lambda condition: condition):
        condition = clause.narrowed(cast("ResolvedCondition", narrowed))
        if _never_outside(condition, earlier):
            yield path, what, _needed(condition, earlier)


def _alternatives(part: Part, whole: Callable[[Condition], Condition]) -> Iterator[tuple[str, str, Condition]]:
    """Give each alternative that a condition offers, and the condition with only that one left."""
    match part.kind:
        case "all":
            for index, inner in enumerate(part.parts):
                yield from _alternatives(inner, _within(part, index, whole))
        case "any" if len(part.parts) > 1:
            for inner in part.parts:
                if not _never(cast("ResolvedCondition", inner.condition)):  # that is told for itself
                    yield inner.path, "branch", whole(inner.condition)
        case "test":
            test = cast("Test", part.condition)
            members = test.operand
            if test.predicate == "in" and isinstance(members, tuple) and 1 < len(members) <= _MOST_MEMBERS:
                for index, member in enumerate(members):
                    yield f"{part.path}.in[{index}]", f"{member}", whole(Test(test.path, "eq", member))


def _within(part: Part, index: int, whole: Callable[[Condition], Condition]) -> Callable[[Condition], Condition]:
    def rebuilt(condition: Condition) -> Condition:
        conditions = [it.condition for it in part.parts]
        conditions[index] = condition
        return whole(AllOf(tuple(conditions)))

    return rebuilt


# Splits


def deciding_buckets(clause: Clause, key: str, bucketing: str, safe: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """Find what a split serves where its condition leaves only a few values of the attribute that buckets.

    Args:
        clause: A rule.
        key: The flag's, which is the salt if no other is written.
        bucketing: The environment's.
        safe: The safe variant, against which a ramp runs.

    Returns:
        The values, and the variants that they are served; no values where there are others or many.
    """
    outcome = None if clause.rule is None else clause.rule.outcome
    if not isinstance(outcome, Split | Ramp):
        return (), frozenset()
    by = outcome.by or _TARGETING_KEY
    named = sorted(_texts(cast("Condition", clause.condition), by))
    if not 0 < len(named) <= _MOST_VALUES or not _never(
        AllOf((clause.when, Negation(Test(by, "in", tuple(named)))))  # type: ignore[arg-type]
    ):
        return (), frozenset()
    values = tuple(name for name in named if name and not _never(AllOf((clause.when, Test(by, "eq", name)))))  # type: ignore[arg-type]
    arms = outcome.arms if isinstance(outcome, Split) else _last_step(outcome, safe)
    hashed = BUCKETINGS[bucketing]
    salt = key if outcome.salt is None else outcome.salt
    served = (split(hashed.rank(salt + value), [list(arm) for arm in arms], hashed.ends) for value in values)
    return values, frozenset(variant for variant in served if isinstance(variant, str))


def _last_step(ramp: Ramp, safe: str) -> tuple[tuple[str, int], ...]:
    return tuple(arm for arm in ((ramp.variant, ramp.end_weight), (safe, 100 - ramp.end_weight)) if arm[1])


def _texts(condition: Condition, path: tuple[str, ...]) -> Iterator[str]:
    """Give the texts that a condition names for an attribute."""
    match condition:
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _texts(part, path)
        case Test(path=tested, predicate="eq" | "in", operand=operand) if tested == path:
            members = operand if isinstance(operand, tuple) else (operand,)
            yield from {member for member in members if isinstance(member, str)}
        case _:
            return


# Rules that make no difference


def makes_no_difference(section: Section, position: int) -> bool:
    """Prove that everyone is served the same without a rule, though some get to it.

    Whoever is entitled may be served by a grant's own variant, so rules that ask for it are left alone.
    """
    clause = section.clauses[position]
    if clause.rule is None or not section.is_whole or not _may_be_repeated(section, position):
        return False
    behind = [it for it in section.clauses[position:] if it.rule is not None]
    if any(it.part is not None and is_open(it.part.condition) for it in behind):
        return False
    if any(
        _served(section, position, imagined) not in {None, clause.rule.outcome}
        for imagined in _getting_to(section, position)
    ):
        return False
    resolved = section.resolved
    if resolved is None or _never_outside(clause.when, section.clauses[:position]):
        return False
    without = [rule for rule in resolved.rules if rule.name != clause.name]
    return serve_the_same(resolved.rules, without, section.default, most=MOST_CASES)


def _getting_to(section: Section, position: int) -> Iterator[Imagined]:
    """Imagine contexts that get to a rule at an instant at which no earlier one counts for them."""
    earlier = [clause.condition for clause in section.clauses[:position]]
    for imagined in imagine(section.clauses[position].when):
        if all(fails(imagined, other) for other in earlier):
            yield imagined


def _served(section: Section, position: int, imagined: Imagined) -> Serve | None:
    """Tell what an imagined context is served by what stands behind a rule; None where that is not plain."""
    for clause in section.clauses[position + 1 :]:
        if fails(imagined, clause.condition):
            continue
        if clause.window is not None or clause.rule is None or not holds(imagined, clause.condition):
            return None
        outcome = clause.rule.outcome
        if isinstance(outcome, Serve):
            return outcome
        by = outcome.by or _TARGETING_KEY
        return Serve(section.default) if fails(imagined, Test(by, "exists", operand=True)) else None
    return Serve(section.default)


def _may_be_repeated(section: Section, position: int) -> bool:
    """Tell whether what comes behind a rule could serve what it serves; most rules are told apart by this."""
    variants = {section.default}
    for clause in section.clauses[position + 1 :]:
        match clause.rule.outcome if clause.rule is not None else None:
            case Serve(variant=variant):
                variants.add(variant)
            case Split(arms=arms):
                variants |= {variant for variant, _ in arms}
            case Ramp(variant=variant):
                variants |= {variant, section.flag.safe_variant}
    rule = section.clauses[position].rule
    return rule is not None and isinstance(rule.outcome, Serve) and rule.outcome.variant in variants
