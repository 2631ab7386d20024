"""Contexts generated from what logic asks for: every value it names, its neighbours, and what nobody expects."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flagseal.model.canonical import Json

HOSTILE: Final[tuple[Json, ...]] = (None, "", " ", "x", True, False, 0, 1, -1, 1.5, [], ["x"], {}, {"x": 1})
"""Values of every type, for every attribute."""

_MOST_VALUES: Final = 40
_TIMESTAMP: Final = "$flagd.timestamp"


def contexts_for(logics: Iterable[Json], *, number: int) -> tuple[dict[str, Json], ...]:
    """Generate contexts for some logic; the same each time.

    Args:
        logics: Targeting, shared rules in their places.
        number: How many, at most, besides those with one attribute.
    """
    paths = ["targetingKey"]
    literals: list[Json] = []
    for logic in logics:
        _collect(logic, paths, literals)
    paths = list(dict.fromkeys(path for path in paths if path and not path.startswith("$flagd")))
    values = _values(literals)
    made: list[dict[str, Json]] = [{}]
    made += [_with({}, path, value) for path in paths for value in values]
    draw = random.Random(20260101)  # noqa: S311 (the same contexts each time)
    for at in range(number):
        context: dict[str, Json] = {"targetingKey": f"user-{at}"}
        for path in paths[1:]:
            kind = draw.random()
            if kind < 0.7:  # noqa: PLR2004 (most have it)
                _with(context, path, draw.choice(values) if kind < 0.5 else f"value-{at}")  # noqa: PLR2004
        if draw.random() < 0.1:  # noqa: PLR2004 (some have none)
            context["targetingKey"] = draw.choice(values)
        made.append(context)
    return tuple(made)


def instants_for(logics: Iterable[Json], now: int) -> tuple[int, ...]:
    """Give now, and the seconds around each instant that logic holds the time against."""
    found = {now}
    for logic in logics:
        for instant in _instants(logic):
            found |= {instant - 1, instant}
    return tuple(sorted(found))[:16]


def _instants(node: Json) -> Iterator[int]:
    if isinstance(node, list):
        if {"var": _TIMESTAMP} in node:
            yield from (item for item in node if isinstance(item, int) and not isinstance(item, bool))
        for item in node:
            yield from _instants(item)
    elif isinstance(node, dict):
        for operand in node.values():
            yield from _instants(operand)


def _collect(node: Json, paths: list[str], literals: list[Json]) -> None:
    if isinstance(node, list):
        for item in node:
            _collect(item, paths, literals)
    elif isinstance(node, dict):
        for operator, operand in node.items():
            if operator == "var":
                path = operand[0] if isinstance(operand, list) and operand else operand
                paths += [path] if isinstance(path, str) else []
            else:
                _collect(operand, paths, literals)
    else:
        literals.append(node)


def _values(literals: list[Json]) -> list[Json]:
    found: list[Json] = list(HOSTILE)
    for literal in literals:
        if isinstance(literal, bool) or literal is None:
            continue
        if isinstance(literal, str):
            found += [literal, f"{literal}x", f"x{literal}", literal.upper(), [literal], [literal, "x"]]
        elif isinstance(literal, (int, float)):
            found += [literal, literal - 1, literal + 1, str(literal)]
    unique: dict[str, Json] = {repr(value): value for value in found}
    kept = list(unique.values())
    return kept[: len(HOSTILE)] + kept[len(HOSTILE) :][:_MOST_VALUES]


def _with(context: dict[str, Json], path: str, value: Json) -> dict[str, Json]:
    """Put a value at a dotted path."""
    at: dict[str, Json] = context
    steps = path.split(".")
    for step in steps[:-1]:
        below = at.get(step)
        if not isinstance(below, dict):
            below = {}
            at[step] = below
        at = below
    at[steps[-1]] = value
    return context
