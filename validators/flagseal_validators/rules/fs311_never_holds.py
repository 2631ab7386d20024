"""FS311: no condition contradicts itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flagseal.model.condition import AllOf, AnyOf, Negation, Test
from flagseal.model.definitions import parse_condition
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.walk import conditions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from flagseal.model.canonical import Json
    from flagseal.model.condition import Condition
    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, _ in (*declared.flags, *declared.segments):
        for path, written in conditions(document):
            for attribute in _contradictions(parse_condition(cast("Json", written), path)):
                message = f"what is asked of `{'.'.join(attribute)}` can never hold together"
                yield Complaint(document, path, message)


def _contradictions(condition: Condition) -> Iterator[tuple[str, ...]]:
    """Name the attributes of which one conjunction, however deep, asks what no value can be."""
    by_attribute: dict[tuple[str, ...], list[Test]] = {}
    for part in _conjuncts(condition):
        match part:
            case Test(path=path):
                by_attribute.setdefault(path, []).append(part)
            case AnyOf(parts=parts):
                for inner in parts:
                    yield from _contradictions(inner)
            case Negation(part=inner):
                yield from _contradictions(inner)
    yield from (path for path, tests in by_attribute.items() if _exclude_each_other(tests))


def _conjuncts(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, AllOf):
        for part in condition.parts:
            yield from _conjuncts(part)
    else:
        yield condition


@dataclass(frozen=True, slots=True)
class _Value:
    """A scalar that equals only its own kind: 1 is not true."""

    kind: str
    value: object


def _exclude_each_other(tests: list[Test]) -> bool:
    absent = any(test.predicate == "exists" and test.operand is False for test in tests)
    if absent and len(tests) > 1 and any(test != Test(test.path, "exists", operand=False) for test in tests):
        return True
    allowed = _allowed(tests)
    if allowed is not None and not allowed:
        return True
    return _empty_range(test for test in tests if test.predicate in _BOUNDS)


def _allowed(tests: list[Test]) -> set[_Value] | None:
    """Give the values that equality leaves; None where it says nothing."""
    allowed: set[_Value] | None = None
    for test in tests:
        if test.predicate in {"eq", "in"}:
            values = _values(test)
            allowed = values if allowed is None else allowed & values
    if allowed is not None:
        for test in tests:
            if test.predicate in {"ne", "notIn"}:
                allowed = allowed - _values(test)
    return allowed


def _values(test: Test) -> set[_Value]:
    operands = test.operand if isinstance(test.operand, tuple) else (test.operand,)
    return {
        _Value("boolean" if isinstance(it, bool) else "string" if isinstance(it, str) else "number", it)
        for it in operands
    }


_BOUNDS: Mapping[str, tuple[bool, bool]] = {
    # Whether it is a lower bound, and whether the bound itself is left out.
    "gt": (True, True),
    "gte": (True, False),
    "lt": (False, True),
    "lte": (False, False),
    "after": (True, True),
    "before": (False, True),
}


def _empty_range(tests: Iterable[Test]) -> bool:
    lowest, highest, open_ended = -math.inf, math.inf, False
    for test in tests:
        is_lower, is_open = _BOUNDS[test.predicate]
        bound = float(cast("float", test.operand))
        if (bound > lowest) if is_lower else (bound < highest):
            lowest, highest = (bound, highest) if is_lower else (lowest, bound)
        open_ended = open_ended or is_open
    return lowest > highest or (lowest == highest and open_ended)


RULE = Rule(
    id="FS311",
    title="A condition that can never hold",
    severity="error",
    scope="references",
    reads=("segments",),
    why="The rule looks as if it served somebody, and serves nobody.",
    remedy="Correct it; for one of several values write `in`, for one of several conditions `any`.",
    bad=Example(
        """\
environments:
  production:
    rules:
    - {name: pilots, when: {all: [{org: acme}, {org: globex}]}, serve: enabled}
    default: disabled
"""
    ),
    good=Example(
        """\
environments:
  production:
    rules:
    - {name: pilots, when: {org: {in: [acme, globex]}}, serve: enabled}
    default: disabled
"""
    ),
    check=_check,
    suppressible=True,
)
