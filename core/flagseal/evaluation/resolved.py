"""A flag in one environment with every reference followed: what compiling and policy both work on.

The way of one flag through this room::

    FlagDefinition ─resolve─► ResolvedFlag ─emit─► flagd document ─FlagSet─► answers
                                   │
                                   └─ analysis ─► class of a change, unreachable rules

A :class:`ResolvedFlag` names no other document: segments are inlined, entitlements are tables of grants,
prerequisites are other resolved flags, ramps are splits with windows, ``off`` has emptied the rules,
targets are rules. Two resolved flags are equal exactly if they evaluate from the same compiled form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from flagseal.model.condition import AllOf, AnyOf, Negation, Test  # noqa: TC001 (re-exported vocabulary)
from flagseal.model.flag import Serve  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.canonical import Json


class Window(msgspec.Struct, frozen=True):
    """Hold from ``since`` (inclusive) until ``until`` (exclusive), unix seconds; None is unbounded."""

    since: int | None
    until: int | None


class Granted(msgspec.Struct, frozen=True):
    """Hold if the context's ``org`` is in the table of a window that contains now.

    Attributes:
        tables: (since, until, sorted organisations), one entry for each distinct window, sorted.
    """

    tables: tuple[tuple[int, int, tuple[str, ...]], ...]


class Served(msgspec.Struct, frozen=True):
    """Hold if another flag, in the same environment, serves the given variant."""

    flag: ResolvedFlag
    variant: str


ResolvedCondition: TypeAlias = "Test | AllOf | AnyOf | Negation | Window | Granted | Served"


@dataclass(frozen=True, slots=True)
class ResolvedSplit:
    """Serve variants by weight; where the bucketing attribute is missing or empty, the default is served.

    Attributes:
        arms: (variant, weight) in the order in which the buckets run; weights are positive.
        by: Path of the attribute that buckets.
        salt: Literal text hashed before the attribute's value.
    """

    arms: tuple[tuple[str, int], ...]
    by: tuple[str, ...]
    salt: str


@dataclass(frozen=True, slots=True)
class ResolvedRule:
    """Serve an outcome where a condition holds; first match wins. ``when`` never mentions a segment."""

    name: str
    when: ResolvedCondition
    outcome: Serve | ResolvedSplit


@dataclass(frozen=True, slots=True)
class ResolvedFlag:
    """One flag, in one environment, on its own.

    Attributes:
        rules: In order. Prerequisites come first (``not Served → safe``), then targets, then rules.
        raw: flagd targeting in place of rules, opaque to analysis; None when there is none.
        dependencies: Subjects of every document besides its own definition that this was made from
            (segments, bindings, prerequisites and theirs), sorted.
    """

    namespace: str
    name: str
    key: str
    environment: str
    variants: Mapping[str, Json]
    safe_variant: str
    default: str
    rules: tuple[ResolvedRule, ...] = ()
    raw: Json = None
    dependencies: tuple[str, ...] = field(default=(), compare=False)
