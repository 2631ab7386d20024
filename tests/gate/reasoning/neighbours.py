"""Contexts made from the constants of conditions and what lies next to them, where a wrong proof would show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from flagseal.model.condition import AllOf, AnyOf, Negation, Test

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flagseal.model.condition import Condition

_ALWAYS: tuple[object, ...] = ("", "x", "acme", 0, 1, True, False, None, [], ["acme"], {"plan": "pro"})
_VERSIONS = ("0.0.1", "1.1.9", "1.2.0-rc.1", "1.2.0", "1.2.1", "1.3.0", "1.10.0", "2.0.0-rc.1", "2.0.0", "3.0.0")


def tests_in(condition: Condition) -> Iterator[Test]:
    """Give the tests of a condition; what is left open is none of a context."""
    match condition:
        case Test():
            if not condition.path[0].startswith("\0"):
                yield condition
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from tests_in(part)
        case Negation(part=part):
            yield from tests_in(part)
        case _:
            return


def near(test: Test) -> Iterator[object]:
    """Give values at and around what a test names."""
    operands = test.operand if isinstance(test.operand, tuple) else (test.operand,)
    for operand in operands:
        yield operand
        yield [operand]
        if isinstance(operand, bool):
            yield str(operand).lower()
        elif isinstance(operand, (int, float)):
            yield from (operand - 1, operand + 1, operand - 0.5, operand + 0.5, str(operand))
        elif isinstance(operand, str):
            yield from (operand + "x", "x" + operand, "x" + operand + "x", operand[:-1], operand[1:], operand.upper())
            yield operand + operand
    if test.predicate == "semver":
        yield from _VERSIONS


@st.composite
def contexts_near(draw: st.DrawFn, conditions: Iterable[Condition]) -> dict[str, object]:
    """Draw a context whose attributes lie near the constants of some conditions, combined where texts can be."""
    candidates: dict[tuple[str, ...], list[object]] = {}
    texts: dict[tuple[str, ...], list[str]] = {}
    for condition in conditions:
        for test in tests_in(condition):
            candidates.setdefault(test.path, []).extend(near(test))
            if test.predicate in {"startsWith", "endsWith", "hasSubstring"}:
                texts.setdefault(test.path, []).append(str(test.operand))
    context: dict[str, object] = {}
    for path, values in sorted(candidates.items()):
        if draw(st.integers(0, 5)) == 0:
            continue
        value: object = draw(st.sampled_from([*values, *values, *_ALWAYS]))
        parts = texts.get(path)
        if parts and draw(st.booleans()):
            value = "".join(draw(st.lists(st.sampled_from([*parts, "-"]), min_size=1, max_size=3)))
        _put(context, path, value)
    return context


def _put(context: dict[str, object], path: tuple[str, ...], value: object) -> None:
    for step in path[:-1]:
        inner = context.get(step)
        if not isinstance(inner, dict):
            inner = context[step] = {}
        context = inner
    context[path[-1]] = value
