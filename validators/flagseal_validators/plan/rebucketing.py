"""Who changes variant though no weight did: splits that hash otherwise, or whose buckets moved."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from flagseal.evaluation.resolved import ResolvedSplit
from flagseal.evaluation.trace import TARGETING
from flagseal_validators.plan.sentences import clauses
from flagseal_validators.plan.values import Rebucketed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.evaluation.resolved import ResolvedFlag
    from flagseal_validators.plan.sentences import Clause


def rebucketed(
    before: ResolvedFlag | None, after: ResolvedFlag | None, *, bucketing: tuple[str, str]
) -> tuple[Rebucketed, ...]:
    """Find the splits that a change draws again, rule by rule.

    Args:
        before: The flag in its environment; None where it is not served.
        after: The same, changed.
        bucketing: How splits hash there, before and after.
    """
    if before is None or after is None:
        return ()
    if after.raw is not None:
        split = bucketing[0] != bucketing[1] and "fractional" in repr(after.raw)
        return (Rebucketed(TARGETING, _hashing(bucketing), None),) if split else ()
    return tuple(
        found
        for clause, one in _pairs(clauses(before), clauses(after))
        if isinstance(clause.outcome, ResolvedSplit)
        and isinstance(one.outcome, ResolvedSplit)
        and (found := _compare(clause.name, one.outcome, clause.outcome, bucketing)) is not None
    )


def _pairs(before: tuple[Clause, ...], after: tuple[Clause, ...]) -> Iterator[tuple[Clause, Clause]]:
    """Give each rule afterwards with what it was: by its key or, if it was renamed, by whom it is for."""
    old = {clause.key: clause for clause in before}
    gone = [clause for clause in before if clause.key not in {it.key for it in after}]
    for clause in after:
        one = old.get(clause.key) or next((it for it in gone if repr(it.when) == repr(clause.when)), None)
        if one is not None:
            yield clause, one


def _compare(rule: str, before: ResolvedSplit, after: ResolvedSplit, bucketing: tuple[str, str]) -> Rebucketed | None:
    shares = _shares(before), _shares(after)
    causes = list(_causes(before, after, bucketing))
    asked = _asked(*shares)
    if causes:
        # Drawn independently: whoever was in an arm is in it again by its share alone.
        kept = sum((shares[0].get(name, Fraction(0)) * share for name, share in shares[1].items()), Fraction(0))
        extra = 1 - kept - asked
        return Rebucketed(rule, " and ".join(causes), extra) if extra > 0 else None
    extra = _moved(before, after) - asked
    return Rebucketed(rule, "the arms stand in another order", extra) if extra > 0 else None


def _causes(before: ResolvedSplit, after: ResolvedSplit, bucketing: tuple[str, str]) -> Iterator[str]:
    if bucketing[0] != bucketing[1]:
        yield _hashing(bucketing)
    if before.by != after.by:
        yield f"it goes by {'.'.join(after.by)} instead of {'.'.join(before.by)}"
    if before.salt != after.salt:
        yield f"its salt is {after.salt!r} instead of {before.salt!r}"


def _hashing(bucketing: tuple[str, str]) -> str:
    return f"splits hash by {bucketing[1]} instead of {bucketing[0]}"


def _shares(split: ResolvedSplit) -> dict[str, Fraction]:
    total = sum(weight for _, weight in split.arms)
    found: dict[str, Fraction] = {}
    for name, weight in split.arms:
        found[name] = found.get(name, Fraction(0)) + Fraction(weight, total)
    return found


def _asked(before: dict[str, Fraction], after: dict[str, Fraction]) -> Fraction:
    """Give the share that must move for the weights to be what they are."""
    return sum((max(Fraction(0), after[name] - before.get(name, Fraction(0))) for name in after), Fraction(0))


def _moved(before: ResolvedSplit, after: ResolvedSplit) -> Fraction:
    """Give the share whose bucket serves another variant, with the same hash."""
    one, other = _ends(before), _ends(after)
    points = sorted({Fraction(0), *(end for end, _ in one), *(end for end, _ in other)})
    return sum(
        (high - low for low, high in pairwise(points) if _arm_at(one, low) != _arm_at(other, low)),
        Fraction(0),
    )


def _ends(split: ResolvedSplit) -> list[tuple[Fraction, str]]:
    total = sum(weight for _, weight in split.arms)
    ends = accumulate(weight for _, weight in split.arms)
    return [(Fraction(end, total), name) for end, (name, _) in zip(ends, split.arms, strict=True)]


def _arm_at(ends: list[tuple[Fraction, str]], point: Fraction) -> str:
    return next(name for end, name in ends if point < end)
