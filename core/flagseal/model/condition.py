"""Conditions as people write them (formats.md, Conditions)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from flagseal.model.canonical import Json

Predicate = Literal[
    "eq", "ne", "in", "notIn", "startsWith", "endsWith", "hasSubstring", "contains",
    "gt", "gte", "lt", "lte", "semver", "before", "after", "exists",
]  # fmt: skip

RESERVED_WORDS = ("all", "any", "not", "segment", "entitled")


class Test(msgspec.Struct, frozen=True):
    """Hold a predicate against one attribute.

    A missing attribute, or one of the wrong type, makes it false (``ne`` and ``notIn`` included).

    Attributes:
        path: Where the attribute lies in the context; ``("org",)``, ``("user", "plan")``.
        predicate: Which comparison.
        operand: Scalar; tuple of scalars for ``in`` and ``notIn``; unix seconds (int) for
            ``before`` and ``after``; the written constraint for ``semver``; a boolean for ``exists``.
    """

    path: tuple[str, ...]
    predicate: Predicate
    operand: Json | tuple[Json, ...]


class AllOf(msgspec.Struct, frozen=True):
    """Hold if every part holds; the empty one always holds."""

    parts: tuple[Condition, ...]


class AnyOf(msgspec.Struct, frozen=True):
    """Hold if some part holds; the empty one never holds."""

    parts: tuple[Condition, ...]


class Negation(msgspec.Struct, frozen=True):
    """Hold if the part does not."""

    part: Condition


class SegmentRef(msgspec.Struct, frozen=True):
    """Stand for the condition of a Segment of the same namespace."""

    name: str


class Entitled(msgspec.Struct, frozen=True):
    """Hold if the context's ``org`` has a grant for this flag that is in force now."""


Condition: TypeAlias = "Test | AllOf | AnyOf | Negation | SegmentRef | Entitled"

ALWAYS = AllOf(())
NEVER = AnyOf(())
