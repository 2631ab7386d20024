"""JSONLogic as conditions, where both mean the same for every context.

A condition is found in two ways: by being what our own compiler writes for one (so whatever was exported comes back as
rules), and by a short list of operators that mean the same as a predicate of ours. Everything else is opaque, with the
reason: above all what converts what it compares (``==``, ``<``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal.evaluation.emit import emit
from flagseal.model.canonical import canonical_json
from flagseal.model.condition import Test
from flagseal.model.errors import CompileError
from flagseal_validators.exchange.spelling import spelled_test

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.canonical import Json
    from flagseal.model.condition import Predicate

FROM: Final = "$from"
UNTIL: Final = "$until"
"""Entries that stand for bounds of time until a rule takes them; no condition has such words."""

_NOW: Final[Json] = {"var": "$flagd.timestamp"}
_MOST_PARTS: Final = 64

_LONGEST_TEST: Final = 6
"""Parts of an `and` or `or` that our compiler writes for one test, at most."""

_PREDICATES: Final[tuple[Predicate, ...]] = (
    "eq", "ne", "in", "notIn", "startsWith", "endsWith", "hasSubstring", "contains",
    "gt", "gte", "lt", "lte", "semver", "before", "after", "exists",
)  # fmt: skip

Found = bool | dict[str, "Json"]


class Opaque(Exception):
    """Say why logic stays raw."""


def normalised(node: Json) -> Json:
    """Write ``var`` in one way everywhere; the meaning is the same."""
    if isinstance(node, list):
        return [normalised(item) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1 and "var" in node:
        path = node["var"]
        if isinstance(path, list) and len(path) == 1 and isinstance(path[0], str):
            return {"var": path[0]}
    return {name: normalised(value) for name, value in node.items()}


def condition(node: Json, *, strict_equality: bool = False) -> Found:
    """Read logic in the place of a condition.

    Args:
        node: Normalised JSONLogic.
        strict_equality: Read ``==`` and ``!=`` as if nothing were converted.

    Returns:
        The condition as it stands in a file, or true or false where it is the same for everyone.

    Raises:
        Opaque: It has no equal among conditions.
    """
    if isinstance(node, bool):
        return node
    if not isinstance(node, dict) or len(node) != 1:
        raise Opaque("a condition that is a value, which is converted to true or false")
    found = _written_by_us(node)
    if found is not None:
        return found
    ((operator, operands),) = node.items()
    arguments: list[Json] = operands if isinstance(operands, list) else [operands]
    match operator:
        case "and":
            return _joined("all", _parts(arguments, "and", strict_equality), neutral=True)
        case "or":
            return _joined("any", _parts(arguments, "or", strict_equality), neutral=False)
        case "!" if len(arguments) == 1:
            return negated(condition(arguments[0], strict_equality=strict_equality))
        case "!!" if len(arguments) == 1:
            return condition(arguments[0], strict_equality=strict_equality)
        case _:
            return _comparison(operator, arguments, strict_equality)


def negated(found: Found) -> Found:
    """Negate a condition."""
    if isinstance(found, bool):
        return not found
    if FROM in found or UNTIL in found:
        raise Opaque("a bound of time that is negated")
    return {"not": found}


def _joined(word: str, parts: list[Found], *, neutral: bool) -> Found:
    if (not neutral) in [part for part in parts if isinstance(part, bool)]:
        return not neutral
    kept = [part for part in parts if not isinstance(part, bool)]
    if word == "any" and len(kept) > 1 and any(FROM in part or UNTIL in part for part in kept):
        raise Opaque("a bound of time beside alternatives")
    if not kept:
        return neutral
    return kept[0] if len(kept) == 1 else {word: list(kept)}


def _parts(arguments: list[Json], operator: str, strict: bool) -> list[Found]:  # noqa: FBT001 (handed through)
    """Read what is combined; our compiler flattens, so several in a row may be one condition of ours."""
    if len(arguments) > _MOST_PARTS:
        raise Opaque(f"more than {_MOST_PARTS} parts in one `{operator}`")
    parts: list[Found] = []
    position = 0
    while position < len(arguments):
        for end in range(min(len(arguments), position + _LONGEST_TEST), position + 1, -1):
            found = _written_by_us({operator: arguments[position:end]})
            if found is not None:
                parts.append(found)
                position = end
                break
        else:
            parts.append(condition(arguments[position], strict_equality=strict))
            position += 1
    return parts


# What our own compiler writes


def _written_by_us(node: dict[str, Json]) -> Found | None:
    bound = _bound(node)
    if bound is not None:
        return bound
    paths, operands = set(_paths(node)), list(_literals(node))
    if len(paths) != 1:
        return None
    (path,) = paths
    steps = tuple(path.split("."))
    if not all(steps) or path.startswith("$flagd"):
        return None
    wanted = canonical_json(node)
    for predicate in _PREDICATES:
        for operand in _operands(predicate, operands, node):
            if _emitted(Test(steps, predicate, operand)) == wanted:
                return _spec(path, predicate, operand)
    return None


def _emitted(test: Test) -> bytes:
    """Write a test as our compiler does; nothing where its operand is none for its predicate."""
    if test.predicate in {"gt", "gte", "lt", "lte", "before", "after"} and not _is_number(test.operand):
        return b""
    if test.predicate in {"startsWith", "endsWith", "hasSubstring"} and not isinstance(test.operand, str):
        return b""
    try:
        return canonical_json(emit(test))
    except CompileError:
        return b""


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _bound(node: dict[str, Json]) -> Found | None:
    match node:
        case {">=": [now, int(since)]} if now == _NOW and not isinstance(since, bool):
            return {FROM: since}
        case {"<": [now, int(until)]} if now == _NOW and not isinstance(until, bool):
            return {UNTIL: until}
        case _:
            return None


def _operands(predicate: Predicate, literals: list[Json], node: Json) -> Iterator[Json | tuple[Json, ...]]:
    if predicate == "exists":
        yield from (True, False)
    elif predicate in {"in", "notIn"}:
        for listed in _lists(node):
            yield tuple(listed)
    elif predicate == "semver":
        texts = [literal for literal in literals if isinstance(literal, str)]
        for operator in dict.fromkeys(texts):
            yield from (f"{operator}{version}" for version in dict.fromkeys(texts) if version != operator)
    else:
        seen: set[bytes] = set()
        for literal in literals:
            if literal is not None and (key := canonical_json(literal)) not in seen:
                seen.add(key)
                yield literal


def _paths(node: Json) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _paths(item)
    elif isinstance(node, dict):
        for operator, operand in node.items():
            if operator != "var":
                yield from _paths(operand)
            elif operand != "":
                # The empty path is an element's own value, inside `some`.
                yield operand if isinstance(operand, str) else "$flagd"


def _literals(node: Json) -> Iterator[Json]:
    if isinstance(node, list):
        for item in node:
            yield from _literals(item)
    elif isinstance(node, dict):
        for operator, operand in node.items():
            if operator != "var":
                yield from _literals(operand)
    else:
        yield node


def _lists(node: Json) -> Iterator[list[Json]]:
    if isinstance(node, list):
        if node and all(isinstance(item, (str, int, float)) for item in node):
            yield node
        for item in node:
            yield from _lists(item)
    elif isinstance(node, dict):
        for operand in node.values():
            yield from _lists(operand)


# Operators that mean the same


def _comparison(operator: str, arguments: list[Json], strict: bool) -> Found:  # noqa: FBT001 (handed through)
    match operator, arguments:
        case (("===" | "==" | "!==" | "!="), [one, other]):
            path, value = _pair(one, other)
            if operator in {"==", "!="} and value is not None and not strict:
                raise Opaque(f"`{operator}` converts what it compares")
            equal = _spec(path, "exists", operand=False) if value is None else _spec(path, "eq", value)
            return equal if operator in {"==", "==="} else negated(equal)
        case "in", [{"var": str(path)}, list(members)] if members and all(map(_is_scalar, members)):
            return _spec(path, "in", tuple(members))
        case "in", [str(text), {"var": str(path)}] if text:
            return {"any": [_spec(path, "hasSubstring", text), _spec(path, "contains", text)]}
        case (("<" | "<=" | ">" | ">="), _):
            raise Opaque(f"`{operator}` converts what it compares, and holds for what is missing")
        case "sem_ver", _:
            raise Opaque("`sem_ver` takes numbers for versions")
        case _:
            raise Opaque(f"`{operator}` has no predicate of the same meaning")


def _pair(one: Json, other: Json) -> tuple[str, Json]:
    for var, value in ((one, other), (other, one)):
        if isinstance(var, dict) and isinstance(path := var.get("var"), str) and (_is_scalar(value) or value is None):
            return path, value
    raise Opaque("a comparison that is not of an attribute with a constant")


def _is_scalar(value: Json) -> bool:
    return isinstance(value, (str, int, float))


def _spec(path: str, predicate: str, operand: Json | tuple[Json, ...]) -> dict[str, Json]:
    """Write a test as it stands in a file."""
    if not path or path.startswith("$flagd"):
        raise Opaque(f"it asks for {path or 'the whole context'!r}, which is no attribute")
    return spelled_test(tuple(path.split(".")), predicate, operand)
