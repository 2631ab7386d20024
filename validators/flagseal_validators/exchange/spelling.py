"""Conditions of the model as they stand in a file, simplified where that changes nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from flagseal.model.condition import RESERVED_WORDS, AllOf, AnyOf, Negation, SegmentRef, Test
from flagseal.model.definitions import NAMED_ATTRIBUTE
from flagseal.model.instants import utc
from flagseal.model.schema.vocabulary import ATTRIBUTE
from flagseal.policy.facts import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flagseal.model.canonical import Json
    from flagseal.model.condition import Condition

_ATTRIBUTE: Final = re.compile(ATTRIBUTE)
_EQUAL: Final = frozenset({"eq", "in"})
_TEXTUAL: Final = frozenset({"startsWith", "endsWith", "hasSubstring"})


def folded(condition: Condition) -> Condition | bool:
    """Simplify a condition; true or false where it is the same for everyone."""
    match condition:
        case Test():
            return _folded_test(condition)
        case Negation(part=part):
            found = folded(part)
            if isinstance(found, bool):
                return not found
            return found.part if isinstance(found, Negation) else Negation(found)
        case AllOf(parts=parts):
            return _joined(parts, AllOf, neutral=True)
        case AnyOf(parts=parts):
            found = _joined(parts, AnyOf, neutral=False)
            return _listed(found) if isinstance(found, AnyOf) else found
        case _:
            return condition


def _folded_test(test: Test) -> Condition | bool:
    if test.predicate in _TEXTUAL and test.operand == "":
        # Every text begins, ends and continues with nothing.
        return Test(test.path, "exists", operand=True)
    if test.predicate in {"in", "notIn"}:
        members = tuple({repr(member): member for member in cast("tuple[Json, ...]", test.operand)}.values())
        if not members:
            return False if test.predicate == "in" else Test(test.path, "exists", operand=True)
        if len(members) == 1 and test.predicate == "in":
            return Test(test.path, "eq", members[0])
        return Test(test.path, test.predicate, members)
    return test


def _joined(parts: Iterable[Condition], kind: type[AllOf | AnyOf], *, neutral: bool) -> Condition | bool:
    # By their texts: to Python, true is 1, and a test for one would swallow the other's.
    kept: dict[str, Condition] = {}
    for part in parts:
        found = folded(part)
        if isinstance(found, bool):
            if found is not neutral:
                return found
        else:
            listed = found.parts if isinstance(found, kind) else (found,)
            kept |= {repr(one): one for one in listed}
    if not kept:
        return neutral
    return next(iter(kept.values())) if len(kept) == 1 else kind(tuple(kept.values()))


def _listed(condition: AnyOf) -> Condition:
    """Write alternatives of one attribute as one list."""
    members: dict[tuple[str, ...], dict[tuple[bool, Json], Json]] = {}
    order: list[Condition | tuple[str, ...]] = []
    for part in condition.parts:
        if not isinstance(part, Test) or part.predicate not in _EQUAL:
            order.append(part)
            continue
        if part.path not in members:
            order.append(part.path)
        listed = part.operand if isinstance(part.operand, tuple) else (part.operand,)
        members.setdefault(part.path, {}).update(((isinstance(one, bool), one), one) for one in listed)
    parts: list[Condition] = []
    for entry in order:
        if isinstance(entry, tuple):
            found = tuple(members[entry].values())
            parts.append(Test(entry, "in", found) if len(found) > 1 else Test(entry, "eq", found[0]))
        else:
            parts.append(entry)
    return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))


def renamed(condition: Condition, to: Callable[[str], Condition]) -> Condition:
    """Put something in the place of each segment that a condition names."""
    match condition:
        case SegmentRef(name=name):
            return to(name)
        case Negation(part=part):
            return Negation(renamed(part, to))
        case AllOf(parts=parts):
            return AllOf(tuple(renamed(part, to) for part in parts))
        case AnyOf(parts=parts):
            return AnyOf(tuple(renamed(part, to) for part in parts))
        case _:
            return condition


def spelled(condition: Condition) -> dict[str, Json]:
    """Write a folded condition as it stands in a file."""
    match condition:
        case Test():
            return spelled_test(condition.path, condition.predicate, condition.operand)
        case Negation(part=part):
            return {"not": spelled(part)}
        case AnyOf(parts=parts):
            return {"any": [spelled(part) for part in parts]}
        case AllOf(parts=parts):
            entries = [spelled(part) for part in parts]
            words = [word for entry in entries for word in entry]
            # One mapping reads best; a word can stand in it once.
            apart = len(set(words)) == len(words) and NAMED_ATTRIBUTE not in words
            return {word: entry[word] for entry in entries for word in entry} if apart else {"all": [*entries]}
        case SegmentRef(name=name):
            return {"segment": name}
        case _:
            return {"entitled": True}


def spelled_test(path: tuple[str, ...], predicate: str, operand: Json | tuple[Json, ...]) -> dict[str, Json]:
    """Write a test as it stands in a file."""
    value: Json = list(operand) if isinstance(operand, tuple) else operand
    if predicate in {"before", "after"}:
        value = rfc3339(utc(cast("int", value)))
    word = ".".join(path)
    dotted = all("." not in step for step in path)
    if dotted and _ATTRIBUTE.fullmatch(word) and path[0] not in RESERVED_WORDS and word != NAMED_ATTRIBUTE:
        return {word: value if predicate == "eq" else {predicate: value}}
    return {NAMED_ATTRIBUTE: {"path": [*path], predicate: value}}
