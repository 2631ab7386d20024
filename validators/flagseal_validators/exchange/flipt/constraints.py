"""Flipt's constraints as conditions.

Semantics as its evaluator has them: a context is text throughout, what is missing is the empty text, and the empty text
satisfies nothing but ``empty`` and ``notpresent``.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Final

from flagseal.model.condition import NEVER, AllOf, Negation, Test
from flagseal_validators.exchange.neutral import TARGETING_KEY
from flagseal_validators.exchange.node import NoForm
from flagseal_validators.exchange.times import read_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagseal.model.canonical import Json
    from flagseal.model.condition import Condition, Predicate
    from flagseal_validators.exchange.neutral import Kind
    from flagseal_validators.exchange.node import Node

_TEXTUAL: Final[dict[str, Predicate]] = {"prefix": "startsWith", "suffix": "endsWith", "contains": "hasSubstring"}
_ORDERED: Final[dict[str, Predicate]] = {"eq": "eq", "neq": "ne", "lt": "lt", "lte": "lte", "gt": "gt", "gte": "gte"}


def constraint(node: Node, remark: Callable[[Kind, str, str], None]) -> Condition:
    """Read a constraint.

    Args:
        node: As the file has it.
        remark: Takes what is not kept as it was.

    Raises:
        Misread: It is not as Flipt has it.
        NoForm: It has no equal here.
    """
    kind = node.need("type").text().removesuffix("_COMPARISON_TYPE").removesuffix("_CONSTRAINT").upper()
    operator = node.need("operator").text().lower()
    value = _value(node)
    if kind == "ENTITY_ID":
        return _text(node, TARGETING_KEY, operator, value)
    name = node.need("property").text()
    path = (name,)
    if kind == "STRING":
        return _text(node, path, operator, value)
    if operator in {"present", "notpresent"}:
        return Test(path, "exists", operand=operator == "present")
    if kind == "NUMBER":
        remark("note", node.path, f"`{name}` must be a number: text that spells one is not read")
        return _number(node, path, operator, value)
    if kind == "BOOLEAN":
        remark("note", node.path, f"`{name}` must be true or false: text that spells them is not read")
        if operator not in {"true", "false"}:
            raise NoForm(node.path, f"the operator {operator!r} has no predicate of the same meaning")
        return Test(path, "eq", operator == "true")
    if kind == "DATETIME":
        remark("differs", node.path, f"`{name}` must be unix seconds here, and is a time as text there")
        return _time(node, path, operator, value)
    raise NoForm(node.path, f"constraints of the type {kind!r} are not known here")


def _value(node: Node) -> str:
    found = node.get("value")
    if found is None:
        return ""
    return found.text() if isinstance(found.value, str) else json.dumps(found.value)


def _text(node: Node, path: tuple[str, ...], operator: str, value: str) -> Condition:
    present = Test(path, "ne", "")
    match operator:
        case "notempty":
            return present
        case "empty":
            return Negation(present)
        case "eq":
            return Test(path, "eq", value) if value else NEVER
        case "neq":
            return Test(path, "notIn", ("", value))
        case "isoneof" | "isnotoneof":
            listed = tuple(one for one in _list(node, value) if isinstance(one, str))
            members = tuple(one for one in listed if one)
            return Test(path, "in", members) if operator == "isoneof" else Test(path, "notIn", ("", *members))
        case "notcontains":
            return AllOf((present, Negation(Test(path, "hasSubstring", value)))) if value else NEVER
        case _ if operator in _TEXTUAL:
            return Test(path, _TEXTUAL[operator], value) if value else present
        case _:
            raise NoForm(node.path, f"the operator {operator!r} has no predicate of the same meaning")


def _number(node: Node, path: tuple[str, ...], operator: str, value: str) -> Condition:
    if operator in {"isoneof", "isnotoneof"}:
        listed = _list(node, value)
        if any(isinstance(one, bool) or not isinstance(one, (int, float)) for one in listed):
            raise NoForm(node.path, f"{value} is no list of numbers")
        return Test(path, "in" if operator == "isoneof" else "notIn", listed)
    return _ordered(node, path, operator, _as_number(node, value))


def _time(node: Node, path: tuple[str, ...], operator: str, value: str) -> Condition:
    found = read_time(value) or read_time(f"{value}T00:00:00Z")
    if found is None:
        raise NoForm(node.path, f"{value!r} is no time")
    return _ordered(node, path, operator, int(found.timestamp()))


def _ordered(node: Node, path: tuple[str, ...], operator: str, operand: float) -> Condition:
    if operator not in _ORDERED:
        raise NoForm(node.path, f"the operator {operator!r} has no predicate of the same meaning")
    return Test(path, _ORDERED[operator], operand)


def _as_number(node: Node, value: str) -> int | float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise NoForm(node.path, f"{value!r} is no number")
    return int(number) if number.is_integer() else number


def _list(node: Node, value: str) -> tuple[Json, ...]:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise NoForm(node.path, f"{value!r} is no list")
    return tuple(found)
