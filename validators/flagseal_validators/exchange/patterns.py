"""Regular expressions that only spell out text, as conditions: no evaluator of flagd knows the others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from flagseal.model.condition import AnyOf, Test

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.condition import Condition, Predicate

_LONGEST: Final = 1024
_SPECIAL: Final = frozenset(".^$*+?{}[]|()\\")


def pattern_condition(path: tuple[str, ...], pattern: str) -> Condition | None:
    r"""Read an expression made of text, ``^``, ``$``, ``.*`` at its ends and one group of alternatives.

    ``$`` is taken for the end of the text, as most engines have it.

    Args:
        path: Of the attribute.
        pattern: The expression; searched for, not matched from the start.

    Returns:
        The condition; None if it has none.
    """
    if len(pattern) > _LONGEST:
        return None
    start, end, body = _anchors(pattern)
    alternatives = _alternatives(body)
    if alternatives is None:
        return None
    predicate: Predicate = "eq" if start and end else "startsWith" if start else "endsWith" if end else "hasSubstring"
    return AnyOf(tuple(Test(path, predicate, text) for text in alternatives))


def _anchors(pattern: str) -> tuple[bool, bool, str]:
    start = pattern.startswith("^")
    body = pattern.removeprefix("^")
    # A dollar behind an odd number of backslashes is text.
    escapes = len(body) - 1 - len(body[:-1].rstrip("\\")) if body.endswith("$") else 0
    end = body.endswith("$") and escapes % 2 == 0
    body = body[:-1] if end else body
    if body.startswith(".*"):
        start, body = False, body[2:]
    if body.endswith(".*") and not body.endswith("\\.*"):
        end, body = False, body[:-2]
    return start, end, body


def _alternatives(body: str) -> list[str] | None:
    match = re.fullmatch(r"(?P<before>[^()|]*)\((?:\?:)?(?P<group>[^()]*)\)(?P<after>[^()]*)", body, re.DOTALL)
    if match is None:
        found = list(_texts([body]))
        return found or None
    before, group, after = match["before"], match["group"], match["after"]
    if before.endswith("\\") or group.endswith("\\"):
        return None
    whole = [f"{before}{part}{after}" for part in group.split("|")]
    found = list(_texts(whole))
    return found if len(found) == len(whole) else None


def _texts(patterns: list[str]) -> Iterator[str]:
    for pattern in patterns:
        text = _literal(pattern)
        if text is not None:
            yield text


def _literal(pattern: str) -> str | None:
    found: list[str] = []
    marks = iter(pattern)
    for mark in marks:
        if mark == "\\":
            escaped = next(marks, "")
            if not escaped or escaped.isalnum():
                return None
            found.append(escaped)
        elif mark in _SPECIAL or mark == "\n":
            return None
        else:
            found.append(mark)
    return "".join(found)
