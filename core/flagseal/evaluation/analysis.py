"""What can be proven about flags: what a change can make anybody see, and what a flag can serve at all.

The answers decide who must approve a change, so they err on one side only: ``refines`` and ``equivalent`` say True only
with a proof that looked at every case there is, and False where they cannot tell; ``reachable_variants`` may name too
many, ``unreachable_rules`` too few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec

from flagseal.evaluation.cells import Undecided
from flagseal.evaluation.exploration import MOST_CASES, Case, Exploration, Raw, Rest, Side, side_of
from flagseal.evaluation.resolved import Granted, ResolvedRule, ResolvedSplit, Served, Window
from flagseal.model.canonical import canonical_json
from flagseal.model.condition import AllOf, AnyOf, Negation
from flagseal.model.flag import Serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from flagseal.evaluation.resolved import ResolvedCondition, ResolvedFlag


def refines(after: ResolvedFlag, before: ResolvedFlag) -> bool:
    """Prove that a change is toward safe.

    Returns:
        True if for every context and every instant the value after is the value before or the safe variant's, and the
        safe variant and its value are unchanged. False if not, or if it cannot be decided.
    """
    pair = _Pair(after, before)
    safe = pair.safe_value()
    return safe is not None and pair.proven(safe)


def equivalent(one: ResolvedFlag, other: ResolvedFlag) -> bool:
    """Prove that two flags give the same value for every context and instant; False where it cannot be decided."""
    return one.key == other.key and _Pair(one, other).proven(None)


def reachable_variants(flag: ResolvedFlag) -> frozenset[str]:
    """Name the variants that some context, at some instant, may be served; too many rather than too few."""
    if flag.raw is not None:
        return frozenset(flag.variants)
    found: set[str] = set()

    def note(case: Case) -> bool:
        found.add(cast("str", case.served(0)))
        return True

    return frozenset(found) if _explored((side_of(flag),), note) else _named(flag)


def unreachable_rules(flag: ResolvedFlag) -> tuple[str, ...]:
    """Name the rules that no context can ever get to, in order: what others shadow, and what cannot hold.

    A rule that became several (a ramp) counts as reachable if one of them is. Too few rather than too many.
    """
    reached: set[str] = set()

    def note(case: Case) -> bool:
        case.served(0)
        position = case.matched[0]
        if position is not None:
            reached.add(flag.rules[position].name)
        return True

    if not _explored((side_of(flag),), note):
        return ()
    return tuple(name for name in dict.fromkeys(rule.name for rule in flag.rules) if name not in reached)


def never_holds(condition: ResolvedCondition, *, most: int = MOST_CASES) -> bool:
    """Prove that no context satisfies a condition at any instant; False where it cannot be decided.

    Args:
        condition: Attributes that one flag's contexts have.
        most: Cases to look at before giving up.
    """
    side = Side((ResolvedRule("", condition, Serve("held")),), Rest(), "")
    return _explored((side,), lambda case: case.served(0) != "held", most=most)


def never_bucketed(condition: ResolvedCondition, by: tuple[str, ...], *, most: int = MOST_CASES) -> bool:
    """Prove that nobody who satisfies a condition has a place among the buckets of an attribute.

    Args:
        condition: Whom a rule means.
        by: The attribute by which its split goes; whoever has no place is served the flag's default.
        most: Cases to look at before giving up; then the answer is False.
    """
    split = ResolvedSplit((("in", 1),), by, "")
    side = Side((ResolvedRule("", condition, split),), Rest(), "out")
    return _explored((side,), lambda case: case.served(0) != "in", most=most)


def serve_the_same(
    rules: Iterable[ResolvedRule], others: Iterable[ResolvedRule], default: str, *, most: int = MOST_CASES
) -> bool:
    """Prove that two lists of rules serve everyone the same variant at every instant.

    Args:
        rules: In order.
        others: The same, changed.
        default: The variant served where none matches, or where a split has no key.
        most: Cases to look at before giving up.

    Returns:
        False where they differ, or where it cannot be decided.
    """
    sides = Side(tuple(rules), default, default), Side(tuple(others), default, default)
    return _explored(sides, lambda case: case.served(0) == case.served(1), most=most)


def instants(flag: ResolvedFlag) -> tuple[int, ...]:
    """Give every instant (unix seconds) at which a schedule or an entitlement begins or ends, sorted."""
    return tuple(sorted({bound for rule in flag.rules for bound in _bounds(rule.when)}))


# Proofs about two flags


class _Pair(msgspec.Struct, frozen=True):
    """Two flags, or one before and after a change."""

    after: ResolvedFlag
    before: ResolvedFlag

    def safe_value(self) -> bytes | None:
        """Give the value of the safe variant; None if it is not the same in both, or they are not one flag."""
        after, before = self.after, self.before
        if after.key != before.key or after.safe_variant != before.safe_variant:
            return None
        value = canonical_json(after.variants[after.safe_variant])
        return value if value == canonical_json(before.variants[before.safe_variant]) else None

    def proven(self, safe: bytes | None) -> bool:
        """Prove that the value after is always the value before, or the one given."""

        def holds(case: Case) -> bool:
            later = case.served(0)
            if isinstance(later, str):
                value = canonical_json(self.after.variants[later])
                if value == safe:
                    return True
                earlier = case.served(1)
                return isinstance(earlier, str) and value == canonical_json(self.before.variants[earlier])
            earlier = case.served(1)
            if isinstance(later, Raw):
                return later == earlier and self._same_values(self.after.variants)
            return isinstance(earlier, Rest)

        changed = self._changed_part()
        whole = (side_of(self.after), side_of(self.before))
        return _explored(changed, holds) or (changed != whole and _explored(whole, holds))

    def _changed_part(self) -> tuple[Side, Side]:
        """Leave out the rules that both flags share at their beginning and at their end.

        Whoever an early common rule decides is served the same by both. For the others it is enough to prove more: as
        if everybody got past it. The common end, if both get there, serves the same.
        """
        after, before = list(self.after.rules), list(self.before.rules)
        same_default = self._same_values((self.after.default,)) and self.after.default == self.before.default
        start = 0
        while start < min(len(after), len(before)) and self._same_rule(after[start], before[start], same_default):
            start += 1
        after, before = after[start:], before[start:]
        ends = side_of(self.after).end, side_of(self.before).end
        if ends[0] != ends[1] or not (
            same_default if isinstance(ends[0], str) else self._same_values(self.after.variants)
        ):
            return Side(tuple(after), ends[0], self.after.default), Side(tuple(before), ends[1], self.before.default)
        while after and before and self._same_rule(after[-1], before[-1], same_default):
            after.pop()
            before.pop()
        rest = Rest()
        return Side(tuple(after), rest, self.after.default), Side(tuple(before), rest, self.before.default)

    def _same_rule(self, one: ResolvedRule, other: ResolvedRule, same_default: bool) -> bool:  # noqa: FBT001 (found once)
        if isinstance(one.outcome, ResolvedSplit) and not same_default:
            return False
        variants = _served_by(one)
        # As text: equality of values takes True for 1.
        return (one is other or repr(one) == repr(other)) and self._same_values(variants)

    def _same_values(self, variants: Iterable[str]) -> bool:
        """Tell whether variants have the same value in both flags."""
        one, other = self.after.variants, self.before.variants
        return all(
            name in one and name in other and canonical_json(one[name]) == canonical_json(other[name])
            for name in variants
        )


def _explored(sides: tuple[Side, ...], holds: Callable[[Case], bool], *, most: int = MOST_CASES) -> bool:
    """Look at all cases; False if it does not hold in one, or if there are too many."""
    try:
        return Exploration(sides, most=most).all_cases(holds)
    except Undecided:
        return False


# What flags name


def _served_by(rule: ResolvedRule) -> tuple[str, ...]:
    if isinstance(rule.outcome, ResolvedSplit):
        return tuple(variant for variant, _ in rule.outcome.arms)
    return (rule.outcome.variant,)


def _named(flag: ResolvedFlag) -> frozenset[str]:
    return frozenset({flag.default, *(variant for rule in flag.rules for variant in _served_by(rule))})


def _bounds(condition: ResolvedCondition) -> Iterator[int]:
    match condition:
        case Window(since=since, until=until):
            yield from (bound for bound in (since, until) if bound is not None)
        case Granted(tables=tables):
            for since, until, _ in tables:
                yield from (since, until)
        case Served(flag=flag):
            yield from instants(flag)
        case Negation(part=part):
            yield from _bounds(cast("ResolvedCondition", part))
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _bounds(cast("ResolvedCondition", part))
        case _:
            return
