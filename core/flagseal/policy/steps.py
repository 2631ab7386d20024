"""How large a step is: by how much the share grows that can leave the safe variant (formats.md, ``maxStep``).

The share is looked at for every group of contexts that the flag tells apart, since nobody knows how large a group is:
a rule for one organisation moves all of that organisation. So a step of at most 25 moves at most a quarter of anybody.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Final

from flagseal.evaluation.cells import Undecided
from flagseal.evaluation.exploration import Case, Exploration, Raw, side_of
from flagseal.evaluation.resolved import ResolvedFlag, ResolvedSplit
from flagseal.model.canonical import canonical_json
from flagseal.model.flag import Serve

if TYPE_CHECKING:
    from collections.abc import Mapping

EVERYBODY: Final = Fraction(100)
"""What is assumed where the share cannot be known."""

_NOBODY: Final = Fraction(0)


def growth(before: ResolvedFlag | None, after: ResolvedFlag) -> Fraction:
    """Measure how much larger, in points of 100, the share is that may be served another value than the safe one.

    Args:
        before: As it stands at the instant before; None where nobody is served anything.
        after: As it stands from the instant on.

    Returns:
        The largest growth over all groups of contexts, from 0 to 100; 100 where it cannot be known.
    """
    if before is None or before.key != after.key:  # under another key nobody was served anything
        before = replace(after, rules=(), raw=None, default=after.safe_variant)
    safe = {canonical_json(flag.variants[flag.safe_variant]) for flag in (before, after)}
    return max(_growth_from(value, before, after) for value in safe)


def _growth_from(safe: bytes, before: ResolvedFlag, after: ResolvedFlag) -> Fraction:
    one_key = len(_keys(before) | _keys(after)) <= 1
    # A context with a key for one split has it for every split by the same attribute.
    cases = ((True, True), (False, False)) if one_key else tuple(product((True, False), repeat=2))
    return max(
        _largest(_shares(before, safe, keyed=keyed_before), _shares(after, safe, keyed=keyed_after))
        for keyed_before, keyed_after in cases
    )


def _keys(flag: ResolvedFlag) -> frozenset[tuple[str, ...]]:
    return frozenset(rule.outcome.by for rule in flag.rules if isinstance(rule.outcome, ResolvedSplit))


def _shares(flag: ResolvedFlag, safe: bytes, *, keyed: bool) -> ResolvedFlag:
    """Make a flag that serves, in place of a variant, the share that is served another value than the safe one.

    Args:
        flag: The flag.
        safe: The safe value.
        keyed: Whether contexts have the attribute by which splits bucket; those without are served the default.
    """
    leaving = {name: Fraction(canonical_json(value) != safe) * 100 for name, value in flag.variants.items()}
    default = leaving[flag.default]
    rules = tuple(
        replace(rule, outcome=Serve(str(_share(rule.outcome, leaving, default, keyed=keyed)))) for rule in flag.rules
    )
    return replace(flag, rules=rules, default=str(default))


def _share(
    outcome: Serve | ResolvedSplit, leaving: Mapping[str, Fraction], default: Fraction, *, keyed: bool
) -> Fraction:
    if isinstance(outcome, Serve):
        return leaving[outcome.variant]
    if not keyed:
        return default
    total = sum(weight for _, weight in outcome.arms)
    return sum((leaving[variant] * weight for variant, weight in outcome.arms), _NOBODY) / total


def _largest(before: ResolvedFlag, after: ResolvedFlag) -> Fraction:
    found = [_NOBODY]

    def note(case: Case) -> bool:
        earlier, later = case.served(0), case.served(1)
        if not (isinstance(later, Raw) and later == earlier):
            # Raw targeting may serve anybody anything: the safe variant before, and another afterwards.
            most = EVERYBODY if isinstance(later, Raw) else Fraction(str(later))
            found.append(most - (_NOBODY if isinstance(earlier, Raw) else Fraction(str(earlier))))
        return True

    try:
        Exploration((side_of(before), side_of(after))).all_cases(note)
    except Undecided:
        return EVERYBODY
    return max(found)


def text_of(points: Fraction) -> str:
    """Write points for a person."""
    return f"{float(points):.4g}"
