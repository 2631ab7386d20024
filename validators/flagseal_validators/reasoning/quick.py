"""Questions that can be answered at a glance, as most can: whether a condition can hold, and outside others.

A yes is proven by a context that is easily imagined: of the attributes that a conjunction of tests names, each has a
value that passes its one test; all others are missing. A no means only that no such context was found.
"""

from __future__ import annotations

from itertools import chain, islice, product
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from flagseal.evaluation.cells import scalar_key
from flagseal.evaluation.resolved import Window
from flagseal.model.condition import AllOf, AnyOf, Negation, Test

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from flagseal.evaluation.resolved import ResolvedCondition

Imagined: TypeAlias = "dict[tuple[str, ...], Test]"
"""The test that each attribute passes; what is not named is missing."""

_MOST_IMAGINED: Final = 4
_MOST_TESTS: Final = 100
_LISTING: Final = ("eq", "in")


def can_hold(condition: ResolvedCondition) -> bool:
    """Tell whether a condition plainly holds for somebody."""
    return next(imagine(condition), None) is not None


def can_fail(condition: ResolvedCondition) -> bool:
    """Tell whether a condition plainly fails for somebody: for a context without any attribute."""
    return fails({}, condition)


def can_hold_outside(condition: ResolvedCondition, others: Sequence[ResolvedCondition]) -> bool:
    """Tell whether a condition plainly holds for somebody for whom none of the others does."""
    return any(all(fails(imagined, other) for other in others) for imagined in imagine(condition))


def imagine(condition: ResolvedCondition) -> Iterator[Imagined]:
    """Give contexts for which a condition holds at some instant."""
    for tests, rest in islice(_ways(condition), _MOST_IMAGINED):
        if len(tests) > _MOST_TESTS:
            return  # That is more than a glance.
        imagined = _joined(tests)
        if imagined is not None and all(holds(imagined, it) for it in rest):
            yield imagined


_Way: TypeAlias = "tuple[tuple[Test, ...], tuple[ResolvedCondition, ...]]"


def _ways(condition: ResolvedCondition) -> Iterator[_Way]:
    """Give tests to pass, and what besides must then hold: a way for each branch."""
    match condition:
        case Test(predicate="exists", operand=False) | Negation():
            yield (), (condition,)
        case Test():
            yield (condition,), ()
        case Window(since=since, until=until):
            if since is None or until is None or since < until:
                yield (), ()
        case AllOf(parts=parts):
            yield from _all_ways(cast("tuple[ResolvedCondition, ...]", parts))
        case AnyOf(parts=parts):
            for part in cast("tuple[ResolvedCondition, ...]", parts):
                yield from _ways(part)


def _all_ways(parts: tuple[ResolvedCondition, ...]) -> Iterator[_Way]:
    # Two windows of one conjunction may lie apart.
    if sum(isinstance(part, Window) for part in parts) > 1:
        return
    # No more of each part than are looked at of the whole, and each part once: an author may write a thousand.
    ways = [list(islice(_ways(part), _MOST_IMAGINED)) for part in parts]
    for chosen in product(*ways):
        yield tuple(chain(*(tests for tests, _ in chosen))), tuple(chain(*(rest for _, rest in chosen)))


def _joined(tests: Iterable[Test]) -> Imagined | None:
    """Join tests of different attributes, none within another."""
    imagined: Imagined = {}
    for test in tests:
        if imagined.setdefault(test.path, test) is not test:
            return None
    nested = any(len(one) < len(other) and other[: len(one)] == one for one in imagined for other in imagined)
    return None if nested else imagined


def fails(imagined: Imagined, condition: ResolvedCondition) -> bool:
    """Tell whether a condition plainly fails for an imagined context, at every instant."""
    match condition:
        case AllOf(parts=parts):
            return any(fails(imagined, cast("ResolvedCondition", part)) for part in parts)
        case AnyOf(parts=parts):
            return all(fails(imagined, cast("ResolvedCondition", part)) for part in parts)
        case Negation(part=part):
            return holds(imagined, cast("ResolvedCondition", part))
        case Test(path=path, predicate=predicate, operand=operand):
            own = imagined.get(path)
            if own is None:
                return not _related(imagined, path) and (predicate != "exists" or bool(operand))
            if predicate == "exists":
                return not operand
            return own.predicate in _LISTING and predicate in _LISTING and not _members(own) & _members(condition)
        case _:
            return False


def holds(imagined: Imagined, condition: ResolvedCondition) -> bool:
    """Tell whether a condition plainly holds for an imagined context, at every instant."""
    match condition:
        case AllOf(parts=parts):
            return all(holds(imagined, cast("ResolvedCondition", part)) for part in parts)
        case AnyOf(parts=parts):
            return any(holds(imagined, cast("ResolvedCondition", part)) for part in parts)
        case Negation(part=part):
            return fails(imagined, cast("ResolvedCondition", part))
        case Test(path=path, predicate=predicate, operand=operand):
            own = imagined.get(path)
            if own is None:
                return not _related(imagined, path) and predicate == "exists" and not operand
            if predicate == "exists":
                return bool(operand)
            if own is condition:
                return True
            return own.predicate in _LISTING and predicate in _LISTING and _members(own) <= _members(condition)
        case _:
            return False


def _related(imagined: Imagined, path: tuple[str, ...]) -> bool:
    """Tell whether something is imagined within an attribute, or around it."""
    return any(it[: len(path)] == path or path[: len(it)] == it for it in imagined)


def _members(test: Test) -> set[tuple[str, object]]:
    members = test.operand if isinstance(test.operand, tuple) else (test.operand,)
    return {scalar_key(member) for member in members}
