"""Conditions and outcomes in words, as a reviewer reads them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from flagseal.evaluation.resolved import Granted, ResolvedSplit, Served, Window
from flagseal.model.condition import AllOf, AnyOf, Negation, Test

if TYPE_CHECKING:
    from flagseal.evaluation.resolved import ResolvedCondition
    from flagseal.model.flag import Serve

_SHOWN: Final = 5
"""How many members of a list are named before the rest are counted."""

_WORDS: Final = {
    "eq": "is",
    "ne": "is not",
    "startsWith": "starts with",
    "endsWith": "ends with",
    "hasSubstring": "has in it",
    "contains": "contains",
    "gt": ">",
    "gte": "≥",
    "lt": "<",
    "lte": "≤",
    "semver": "is a version",
}


def describe_condition(condition: ResolvedCondition) -> str:
    """Say in words when a condition holds; ``everyone`` for the one that always does."""
    match condition:
        case AllOf(parts=()):
            return "everyone"
        case AnyOf(parts=()):
            return "no one"
        case AllOf(parts=parts):
            return " and ".join(_inner(part) for part in parts)  # type: ignore[arg-type]  # resolved all the way down
        case AnyOf(parts=parts):
            return " or ".join(_inner(part) for part in parts)  # type: ignore[arg-type]  # resolved all the way down
        case Negation(part=part):
            return f"not ({describe_condition(part)})"  # type: ignore[arg-type]  # resolved all the way down
        case Window():
            return _window(condition)
        case Granted(tables=tables):
            organisations = sorted({name for _, _, names in tables for name in names})
            return f"the organisation is entitled ({_listed(organisations)})"
        case Served(flag=flag, variant=variant):
            return f"{flag.namespace}/{flag.name} serves {variant}"
        case Test():
            return _test(condition)
        case _:  # pragma: no cover (the union is closed; a segment or entitlement never survives resolving)
            raise AssertionError(condition)


def describe_outcome(outcome: Serve | ResolvedSplit) -> str:
    """Say in words what is served: ``enabled``, or ``enabled 10 %, disabled 90 % by org``."""
    if not isinstance(outcome, ResolvedSplit):
        return outcome.variant
    total = sum(weight for _, weight in outcome.arms)
    shares = ", ".join(f"{variant} {100 * weight / total:.3g} %" for variant, weight in outcome.arms)
    return f"{shares} by {'.'.join(outcome.by)}"


def _inner(part: ResolvedCondition) -> str:
    text = describe_condition(part)
    return f"({text})" if isinstance(part, AllOf | AnyOf) and len(part.parts) > 1 else text


def _test(test: Test) -> str:
    name = ".".join(test.path)
    operand = test.operand
    match test.predicate:
        case "in" | "notIn" if isinstance(operand, tuple):
            relation = "is one of" if test.predicate == "in" else "is not one of"
            return f"{name} {relation} {_listed([_scalar(member) for member in operand])}"
        case "exists":
            return f"{name} is {'there' if operand else 'missing'}"
        case "before" | "after" if isinstance(operand, int):
            return f"{name} is {test.predicate} {_instant(operand)}"
        case predicate:
            return f"{name} {_WORDS.get(predicate, predicate)} {_scalar(operand)}"


def _scalar(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown or "none"


def _window(window: Window) -> str:
    match window:
        case Window(since=None, until=None):
            return "always"
        case Window(since=None, until=int(until)):
            return f"until {_instant(until)}"
        case Window(since=int(since), until=None):
            return f"from {_instant(since)}"
        case Window(since=since, until=until):
            return f"from {_instant(since)} until {_instant(until)}"


def _instant(seconds: int | None) -> str:
    return "ever" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
