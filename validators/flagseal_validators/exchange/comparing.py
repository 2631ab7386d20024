"""Equality, shown: both sides of an import or export evaluated over generated contexts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flagseal.evaluation import FlagSet
from flagseal.model.canonical import canonical_json
from flagseal_validators.exchange.contexts import contexts_for, instants_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.evaluation import Evaluation
    from flagseal.model.canonical import Json

CONTEXTS: Final = 400
"""Drawn for each flag, besides those with one attribute."""

_SPARSE: Final = 5
"""At instants other than now, one context of so many is evaluated."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Say how two sides of a flag compare.

    Attributes:
        evaluated: Contexts, each counted once for every instant.
        differ: Those for which value, variant, reason or error differ.
        example: One of those; None if there is none.
    """

    evaluated: int
    differ: int
    example: Mapping[str, Json] | None


@dataclass(frozen=True, slots=True)
class Asked:
    """One side: a flagd document and how it hashes."""

    document: Mapping[str, Json]
    bucketing: str


def compare(one: Asked, other: Asked, key: str, logics: tuple[Json, ...], *, now: int) -> Comparison:
    """Evaluate a flag on both sides, over contexts and instants made from its logic.

    Args:
        one: One side.
        other: The other.
        key: The flag's.
        logics: What contexts are made from.
        now: Unix seconds.
    """
    clock = [now]
    sets = [FlagSet.load(side.document, bucketing=side.bucketing, clock=lambda: clock[0]) for side in (one, other)]
    contexts = contexts_for(logics, number=CONTEXTS)
    evaluated = differ = 0
    example: Mapping[str, Json] | None = None
    for instant in instants_for(logics, now):
        clock[0] = instant
        for context in contexts if instant == now else contexts[::_SPARSE]:
            evaluated += 1
            if not _same(sets[0].evaluate(key, context), sets[1].evaluate(key, context)):
                differ += 1
                example = context if example is None else example
    return Comparison(evaluated, differ, example)


def _same(one: Evaluation, other: Evaluation) -> bool:
    return (
        (one.variant, one.reason, one.error_code) == (other.variant, other.reason, other.error_code)
    ) and canonical_json(one.value) == canonical_json(other.value)
