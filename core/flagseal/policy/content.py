"""What a change of one flag's content does to what contexts are served, proven by the analysis."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from flagseal.evaluation.analysis import refines
from flagseal.evaluation.cells import Undecided
from flagseal.evaluation.exploration import Case, Exploration, side_of
from flagseal.evaluation.resolved import ResolvedFlag, ResolvedRule, ResolvedSplit
from flagseal.model.canonical import canonical_json
from flagseal.model.flag import Serve
from flagseal.policy.governance import same_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.policies import ChangeClass

_SERVED: Final = "served"
_OTHER: Final = "other"

_MOST_VARIANTS: Final = 16
"""Of which each is looked at by itself, if the whole is too large."""


def class_of_content(before: ResolvedFlag, after: ResolvedFlag) -> tuple[ChangeClass, tuple[str, ...]]:
    """Class the change of what one environment serves: ``toward-safe`` if that is proven, ``widen`` otherwise."""
    certain = tuple(_always_widens(before, after))
    if certain:
        return "widen", certain
    if _serves_only_safe(after) or refines(after, before):
        # The kill switch comes first: it needs no proof, however much there was before.
        return "toward-safe", ("nobody can be served anything new but the safe variant",)
    grown = tuple(f"variant {variant} can be served to more contexts" for variant in grown_variants(before, after))
    return "widen", grown or ("it cannot be proven that nobody is served anything new",)


def grown_variants(before: ResolvedFlag | None, after: ResolvedFlag) -> tuple[str, ...]:
    """Name the variants whose value may be served to contexts that were not served it before, sorted.

    By value, not by name: a variant that is given another value has grown. The safe variant counts only if it, or its
    value, was another. Raw targeting may serve anybody anything.

    Args:
        before: None serves nobody anything, so everything that can be served grows.
        after: The same flag, changed.
    """
    if before is not None and before.key != after.key:
        before = None  # nobody was served anything under this key
    grown = _newly_served(before, after)
    return tuple(
        variant
        for variant in sorted(after.variants)
        if not _was_safe(before, after, variant)
        and (_may_grow(before, after, variant) if grown is None else canonical_json(after.variants[variant]) in grown)
    )


def _always_widens(before: ResolvedFlag, after: ResolvedFlag) -> Iterator[str]:
    if before.key != after.key:
        yield f"key changed from {before.key} to {after.key}"
    if before.safe_variant != after.safe_variant:
        yield f"safe variant changed from {before.safe_variant} to {after.safe_variant}"
    for variant in sorted(before.variants.keys() & after.variants.keys()):
        if not same_json(before.variants[variant], after.variants[variant]):
            yield f"the value of variant {variant} changed"
    if not same_json(before.raw, after.raw) and not _serves_only_safe(after):
        yield "raw targeting changed"


def _serves_only_safe(flag: ResolvedFlag) -> bool:
    return flag.raw is None and not flag.rules and flag.default == flag.safe_variant


def _was_safe(before: ResolvedFlag | None, after: ResolvedFlag, variant: str) -> bool:
    value = after.variants[variant]
    if not same_json(value, after.variants[after.safe_variant]):
        return False
    return before is None or same_json(value, before.variants[before.safe_variant])


def _newly_served(before: ResolvedFlag | None, after: ResolvedFlag) -> frozenset[bytes] | None:
    """Give every value that some context is served that was served another before; None if that cannot be said."""
    if after.raw is not None or (before is not None and before.raw is not None):
        return None
    found: set[bytes] = set()

    def note(case: Case) -> bool:
        later = canonical_json(after.variants[str(case.served(0))])
        if before is None or later != canonical_json(before.variants[str(case.served(1))]):
            found.add(later)
        return True

    try:
        Exploration([side_of(flag) for flag in (after, before) if flag is not None]).all_cases(note)
    except Undecided:
        return None
    return frozenset(found)


def _may_grow(before: ResolvedFlag | None, after: ResolvedFlag, variant: str) -> bool:
    """Tell the same of one variant where the flags are too large to be looked at as wholes; at worst, that it may."""
    if after.raw is not None or len(after.variants) > _MOST_VARIANTS:
        return True
    value = canonical_json(after.variants[variant])
    new = _projected(after, value)
    if before is None or before.raw is not None:
        return not refines(new, replace(new, rules=(), default=_OTHER))
    return not refines(new, _projected(before, value))


def _projected(flag: ResolvedFlag, value: bytes) -> ResolvedFlag:
    """Reduce a flag to one question: is this value served, or another?"""
    names = {name: _SERVED if canonical_json(it) == value else _OTHER for name, it in flag.variants.items()}
    return replace(
        flag,
        variants={_SERVED: True, _OTHER: False},
        safe_variant=_OTHER,
        default=names[flag.default],
        rules=tuple(ResolvedRule(rule.name, rule.when, _renamed(rule.outcome, names)) for rule in flag.rules),
    )


def _renamed(outcome: Serve | ResolvedSplit, names: dict[str, str]) -> Serve | ResolvedSplit:
    if isinstance(outcome, Serve):
        return Serve(names[outcome.variant])
    return replace(outcome, arms=tuple((names[variant], weight) for variant, weight in outcome.arms))
