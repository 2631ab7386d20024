"""Equality with the origin, shown: its own evaluator and ours over contexts made from what the conditions ask for.

Where people are shared out, the origin hashes in its own way, so both cannot agree on a person; there the origin's
answer must be one of those that ours may give for some hash.
"""

from __future__ import annotations

import random
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from flagseal.evaluation import FlagSet
from flagseal.evaluation.compile import compile_flag
from flagseal.evaluation.resolve import resolve_flag
from flagseal.model.canonical import canonical_json
from flagseal.model.condition import AllOf, AnyOf, Negation, SegmentRef, Test
from flagseal_validators.exchange.comparing import Comparison
from flagseal_validators.exchange.neutral import TARGETING_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from flagseal.evaluation.catalogue import Catalogue
    from flagseal.evaluation.outcome import Evaluation
    from flagseal.model.canonical import Json
    from flagseal.model.condition import Condition
    from flagseal_validators.exchange.neutral import NeutralFlag, NeutralSource

CONTEXTS: Final = 300
"""Drawn for each flag, besides those with one attribute."""

_MOST_WAYS: Final = 64
_MOST_VALUES: Final = 40
_MOST_INSTANTS: Final = 12


class Absent:
    """Stand for an application's own default: the origin gives no value."""


ABSENT: Final = Absent()


class Unasked:
    """Stand for a context that the origin cannot be asked with: it is no context of its applications."""


UNASKED: Final = Unasked()


class Evaluator(Protocol):
    """An evaluator of the origin."""

    def answer(self, key: str, environment: str, context: Mapping[str, Json], now: int, /) -> Json | Absent | Unasked:
        """Give the value of a flag.

        Args:
            key: The flag's.
            environment: Of the origin.
            context: As ours has it.
            now: Unix seconds.
        """


def check(
    source: NeutralSource,
    flag: NeutralFlag,
    evaluator: Evaluator,
    catalogue: Catalogue,
    reference: str,
    environments: Mapping[str, str],
    *,
    now: int,
    number: int = CONTEXTS,
) -> Comparison:
    """Evaluate a flag on both sides.

    Args:
        source: What was read.
        flag: As it was read.
        evaluator: Of the origin.
        catalogue: With the definition and everything that it names.
        reference: Of the definition.
        environments: From ours to the origin's.
        now: Unix seconds.
        number: How many contexts are drawn, besides those with one attribute.
    """
    definition = catalogue.flags[reference]
    tests = list(_tests(source, flag))
    keys = [key for one in flag.sections.values() for listed in one.targets.values() for key in listed]
    contexts = _contexts(tests, keys, number)
    clock = [now]
    evaluated = differ = 0
    example: Mapping[str, Json] | None = None
    for ours, origin in environments.items():
        if ours not in definition.environments:
            continue
        compiled = cast("dict[str, Any]", compile_flag(resolve_flag(definition, ours, catalogue), definition, None))
        fallback = {definition.environments[ours].default, definition.safe_variant}
        ways = [FlagSet.load({"flags": {flag.key: way}}, clock=lambda: clock[0]) for way in _ways(compiled)]
        for instant in _instants(flag, now):
            clock[0] = instant
            for context in contexts if instant == now else contexts[::5]:
                theirs = evaluator.answer(flag.key, origin, context, instant)
                if isinstance(theirs, Unasked):
                    continue
                evaluated += 1
                if not _alike(theirs, [way.evaluate(flag.key, context) for way in ways], fallback):
                    differ += 1
                    example = context if example is None else example
    return Comparison(evaluated, differ, example)


def _alike(theirs: Json | Absent, ours: Iterable[Evaluation], fallback: set[str]) -> bool:
    if isinstance(theirs, Absent):
        return any(one.variant in fallback or one.error_code is not None for one in ours)
    wanted = canonical_json(_whole(theirs))
    return any(one.error_code is None and canonical_json(_whole(cast("Json", one.value))) == wanted for one in ours)


def _whole(value: Json) -> Json:
    """Write whole numbers in one way, at every depth."""
    if isinstance(value, dict):
        return {name: _whole(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Every way in which shares may fall


def _ways(compiled: dict[str, Any]) -> Iterator[dict[str, Any]]:
    targeting = compiled.get("targeting")
    arms = list(_fractionals(targeting))
    if not arms:
        yield compiled
        return
    number = 1
    for one in arms:
        number *= len(one)
    if number <= _MOST_WAYS:
        choices: Iterable[tuple[Json, ...]] = product(*arms)
    else:
        # Steps of a schedule share one key: the same arm of each at a time is all that a context can meet.
        choices = (tuple(one[min(at, len(one) - 1)] for one in arms) for at in range(max(map(len, arms))))
    for chosen in choices:
        yield {**compiled, "targeting": _decided(targeting, iter(chosen))}


def _fractionals(node: Json) -> Iterator[list[Json]]:
    if isinstance(node, list):
        for item in node:
            yield from _fractionals(item)
    elif isinstance(node, dict):
        for operator, operand in node.items():
            if operator == "fractional":
                yield [arm[0] for arm in cast("list[Any]", operand)[1:]]
            else:
                yield from _fractionals(operand)


def _decided(node: Json, chosen: Iterator[Json]) -> Json:
    if isinstance(node, list):
        return [_decided(item, chosen) for item in node]
    if not isinstance(node, dict):
        return node
    if "fractional" in node:
        return next(chosen)
    return {operator: _decided(operand, chosen) for operator, operand in node.items()}


# Contexts


def _tests(source: NeutralSource, flag: NeutralFlag) -> Iterator[Test]:
    waiting = [step.when for section in flag.sections.values() for step in section.steps]
    keys = [needed.key for section in flag.sections.values() for needed in section.requires]
    by_key = {one.key: one for one in source.flags}
    seen = {flag.key}
    while keys:
        # What a prerequisite asks for decides too.
        key = keys.pop()
        if key in seen or key not in by_key:
            continue
        seen.add(key)
        for section in by_key[key].sections.values():
            waiting += [step.when for step in section.steps]
            keys += [needed.key for needed in section.requires]
    while waiting:
        yield from _leaves(waiting.pop(), source)


def _leaves(condition: Condition, source: NeutralSource) -> Iterator[Test]:
    match condition:
        case Test():
            yield condition
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _leaves(part, source)
        case Negation(part=part):
            yield from _leaves(part, source)
        case SegmentRef(name=name) if name in source.segments:
            yield from _leaves(source.segments[name].when, source)


def _contexts(tests: Iterable[Test], keys: Iterable[str], number: int) -> tuple[dict[str, Json], ...]:
    values: dict[tuple[str, ...], dict[str, Json]] = {}
    for test in tests:
        values.setdefault(test.path, {}).update((repr(value), value) for value in _values(test))
    named = [*keys, *values.pop(TARGETING_KEY, {}).values()]
    people = [key for key in named if isinstance(key, str) and key][:_MOST_VALUES]
    made: list[dict[str, Json]] = [{"targetingKey": key} for key in ("user", *people)]
    listed = {path: list(found.values())[:_MOST_VALUES] for path, found in values.items() if found}
    made += [_with({"targetingKey": "user"}, path, value) for path, found in listed.items() for value in found]
    draw = random.Random(20260102)  # noqa: S311 (the same contexts each time)
    for at in range(number):
        someone = draw.choice(people) if people and draw.random() < 0.2 else f"user-{at}"  # noqa: PLR2004 (some of those named)
        context: dict[str, Json] = {"targetingKey": someone}
        for path, found in listed.items():
            if draw.random() < 0.8:  # noqa: PLR2004 (most have it)
                _with(context, path, draw.choice(found))
        made.append(context)
    return tuple(made)


def _values(test: Test) -> Iterator[Json]:
    operands = test.operand if isinstance(test.operand, tuple) else (test.operand,)
    for operand in operands:
        match test.predicate:
            case "semver":
                yield from _versions(str(operand))
            case "contains":
                yield from cast("list[Json]", [[operand], ["other"], [], [operand, "other"]])
            case "exists":
                yield "other"
            case _:
                yield from _neighbours(operand)


def _neighbours(operand: Json) -> Iterator[Json]:
    if isinstance(operand, bool):
        yield from (True, False)
    elif isinstance(operand, str):
        yield from (operand, f"{operand}x", f"x{operand}", f"x{operand}x", "other", "")
    elif isinstance(operand, (int, float)):
        yield from (operand, operand - 1, operand + 1, operand + 7, 0)


def _versions(constraint: str) -> Iterator[Json]:
    version = constraint.lstrip("=!<>^~ ").lstrip("vV")
    base = version.partition("-")[0].partition("+")[0]
    yield from (version, f"{base}-alpha", "0.0.1", "99.0.0")


def _with(context: dict[str, Json], path: tuple[str, ...], value: Json) -> dict[str, Json]:
    at: dict[str, Json] = context
    for step in path[:-1]:
        below = at.get(step)
        if not isinstance(below, dict):
            below = {"key": "one"}
            at[step] = below
        at = below
    at[path[-1]] = value
    return context


def _instants(flag: NeutralFlag, now: int) -> tuple[int, ...]:
    bounds = [
        bound for section in flag.sections.values() for step in section.steps for bound in (step.since, step.until)
    ]
    found = {now} | {bound + off for bound in bounds if bound is not None for off in (-60, 60)}
    return (now, *sorted(found - {now})[:_MOST_INSTANTS])
