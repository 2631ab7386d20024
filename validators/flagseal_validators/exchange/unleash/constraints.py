"""Unleash's constraints as conditions.

Semantics as its evaluator has them: whatever is missing satisfies no operator but ``NOT_IN``, and ``inverted`` turns
the answer around, so that it is satisfied then. ``currentTime`` bounds the time in which a strategy counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from flagseal.evaluation.semver import parse_version
from flagseal.model.condition import AllOf, AnyOf, Negation, Test
from flagseal_validators.exchange.neutral import TARGETING_KEY
from flagseal_validators.exchange.node import NoForm
from flagseal_validators.exchange.times import read_time

if TYPE_CHECKING:
    from flagseal.model.condition import Condition, Predicate
    from flagseal_validators.exchange.node import Node

_TEXTUAL: Final[dict[str, Predicate]] = {
    "STR_STARTS_WITH": "startsWith",
    "STR_ENDS_WITH": "endsWith",
    "STR_CONTAINS": "hasSubstring",
}
_NUMERIC: Final[dict[str, Predicate]] = {
    "NUM_EQ": "eq",
    "NUM_GT": "gt",
    "NUM_GTE": "gte",
    "NUM_LT": "lt",
    "NUM_LTE": "lte",
}
_VERSIONS: Final = {"SEMVER_EQ": "=", "SEMVER_GT": ">", "SEMVER_LT": "<"}
_DATES: Final[dict[str, Predicate]] = {"DATE_AFTER": "after", "DATE_BEFORE": "before"}
_EARLIEST: Final = 946_684_800
_LATEST: Final = 32_503_680_000
"""The years 2000 to 2999: what a file here can say."""


def attribute(name: str) -> tuple[str, ...]:
    """Find where a field of Unleash's context lies in ours: ``userId`` is the targeting key."""
    return TARGETING_KEY if name == "userId" else (name,)


@dataclass
class Asked:
    """What some constraints ask for together.

    Attributes:
        parts: Conditions that must all hold.
        since: Unix seconds from which they hold; None is always.
        until: Unix seconds up to which they hold; None is for ever.
        differs: What is answered otherwise, by place.
        numbers: Attributes that must be numbers.
    """

    parts: list[Condition] = field(default_factory=list)
    since: int | None = None
    until: int | None = None
    differs: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)

    @property
    def when(self) -> Condition:
        """Give the condition, its times apart."""
        return AllOf(tuple(self.parts))

    def also(self, other: Asked) -> None:
        """Ask for something else as well."""
        self.parts += other.parts
        self.differs |= other.differs
        self.numbers |= other.numbers
        self._within(other.since, other.until)

    def _within(self, since: int | None, until: int | None) -> None:
        if since is not None:
            self.since = since if self.since is None else max(self.since, since)
        if until is not None:
            self.until = until if self.until is None else min(self.until, until)

    def add(self, constraint: Node) -> None:
        """Ask for a constraint.

        Raises:
            Misread: It is not as Unleash has it.
            NoForm: It has no equal here.
        """
        name, operator = constraint.need("contextName").text(), constraint.need("operator").text()
        inverted = constraint.true_at("inverted")
        if operator in _DATES:
            self._date(constraint, name, operator, inverted=inverted)
            return
        held = self._held(constraint, attribute(name), operator)
        self.parts.append(Negation(held) if inverted else held)

    def _held(self, constraint: Node, path: tuple[str, ...], operator: str) -> Condition:
        if operator in {"IN", "NOT_IN"}:
            listed = Test(path, "in", _texts(constraint))
            return listed if operator == "IN" else Negation(listed)
        if operator in _TEXTUAL:
            values = _texts(constraint)
            if not values:
                raise NoForm(constraint.path, "it names no text to look for, on which versions of Unleash disagree")
            if constraint.true_at("caseInsensitive") and any(value.lower() != value.upper() for value in values):
                raise NoForm(constraint.path, "letter case does not count, and every comparison here counts it")
            return AnyOf(tuple(Test(path, _TEXTUAL[operator], value) for value in values))
        value = _value(constraint)
        if operator in _NUMERIC:
            number = _number(value)
            if number is None:
                raise NoForm(constraint.path, f"{value!r} is no number, and what that means depends on the client")
            self.numbers[constraint.path] = f"`{'.'.join(path)}` must be a number: text that spells one is not read"
            return Test(path, _NUMERIC[operator], number)
        if operator in _VERSIONS:
            if value.startswith("v") or parse_version(value) is None:
                raise NoForm(constraint.path, f"{value!r} is no version, and what that means depends on the client")
            return Test(path, "semver", f"{_VERSIONS[operator]}{value}")
        raise NoForm(constraint.path, f"the operator {operator!r} has no predicate of the same meaning")

    def _date(self, constraint: Node, name: str, operator: str, *, inverted: bool) -> None:
        instant = read_time(_value(constraint))
        seconds = None if instant is None else int(instant.timestamp())
        if seconds is None or not _EARLIEST <= seconds < _LATEST:
            raise NoForm(constraint.path, f"{_value(constraint)!r} is no time between the years 2000 and 2999")
        if name == "currentTime":
            begins = (operator == "DATE_AFTER") is not inverted
            self._within(seconds if begins else None, None if begins else seconds)
            return
        self.differs[constraint.path] = f"`{name}` must be unix seconds here, and is a time as text there"
        held = Test(attribute(name), _DATES[operator], seconds)
        self.parts.append(Negation(held) if inverted else held)


def _texts(constraint: Node) -> tuple[str, ...]:
    return tuple(value.text() for value in constraint.listed("values"))


def _value(constraint: Node) -> str:
    value = constraint.need("value")
    return value.text() if isinstance(value.value, str) else str(value.number())


def _number(text: str) -> int | float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number
