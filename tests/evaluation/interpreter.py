"""What a definition serves, read off the format page word by word: slow, obvious, and for tests only."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import mmh3

from flagseal.evaluation.semver import RELATIONS, parse_version
from flagseal.model.condition import AllOf, AnyOf, Entitled, Negation, SegmentRef, Test
from flagseal.model.flag import Ramp, Serve, Split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flagseal.evaluation.resolve import Catalogue
    from flagseal.model.condition import Condition
    from flagseal.model.flag import FlagDefinition, Grant, Rule

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "before": operator.lt,
    "after": operator.gt,
}


class Interpreter:
    """Serve flags of a catalogue to one context at one instant, with bucketing v2 or v3."""

    def __init__(
        self, catalogue: Catalogue, environment: str, context: Mapping[str, object], now: int, *, v3: bool = False
    ) -> None:
        self.catalogue = catalogue
        self.environment = environment
        self.context = context
        self.now = now
        self.v3 = v3

    def serve(self, flag: FlagDefinition) -> str:
        """Name the variant served."""
        section = flag.environments[self.environment]
        if section.off:
            return flag.safe_variant
        for requirement in section.requires:
            reference = requirement.flag if "/" in requirement.flag else f"{flag.namespace}/{requirement.flag}"
            if self.serve(self.catalogue.flags[reference]) != requirement.variant:
                return flag.safe_variant
        for variant, keys in section.targets:
            if _in(self.attribute(("targetingKey",)), keys):
                return variant
        for rule in section.rules:
            served = self.rule(rule, flag)
            if served is not None:
                return served
        return section.default

    def rule(self, rule: Rule, flag: FlagDefinition) -> str | None:
        """Name the variant a rule serves; None where it does not match."""
        if rule.since is not None and self.now < rule.since:
            return None
        if rule.until is not None and self.now >= rule.until:
            return None
        if isinstance(rule.outcome, Ramp) and self.now < rule.outcome.start:
            return None
        if rule.when is not None and not self.holds(rule.when, flag):
            return None
        if rule.when is not None and self.asks_for_grants(rule.when, flag):
            limits = {grant.variant for grant in self.grants(flag)} - {None}
            if limits:
                return min(limits, key=lambda name: (name == flag.safe_variant, name or ""))
        match rule.outcome:
            case Serve(variant=variant):
                return variant
            case Split(arms=arms, by=by, salt=salt):
                return self.bucket(arms, by, salt, flag)
            case Ramp() as ramp:
                step = max(
                    k
                    for k in range(ramp.steps + 1)
                    if self.now >= ramp.start + k * (ramp.end - ramp.start) / ramp.steps
                )
                growth = step * (ramp.end_weight - ramp.start_weight) / ramp.steps
                weight = ramp.start_weight + int(growth + 0.5)
                return self.bucket(
                    ((ramp.variant, weight), (flag.safe_variant, 100 - weight)), ramp.by, ramp.salt, flag
                )

    def bucket(
        self, arms: Sequence[tuple[str, int]], by: tuple[str, ...] | None, salt: str | None, flag: FlagDefinition
    ) -> str:
        """Name the arm that a context falls into; the default where it has no key."""
        default = flag.environments[self.environment].default
        key = self.attribute(by or ("targetingKey",))
        if not isinstance(key, str) or not key:
            return default
        text = (flag.key if salt is None else salt) + key
        try:
            data = text.encode()
        except UnicodeEncodeError:
            return default
        if self.v3:
            head = bytes([0x60 + len(data)]) if len(data) < 24 else bytes([0x78, len(data)])
            data = head + data
        total = sum(weight for _, weight in arms)
        bucket = mmh3.hash(data, signed=False) * total // 2**32
        for variant, weight in arms:
            bucket -= weight
            if bucket < 0:
                return variant
        raise AssertionError

    def holds(self, condition: Condition, flag: FlagDefinition) -> bool:
        """Tell whether a condition holds."""
        match condition:
            case AllOf(parts=parts):
                return all(self.holds(part, flag) for part in parts)
            case AnyOf(parts=parts):
                return any(self.holds(part, flag) for part in parts)
            case Negation(part=part):
                return not self.holds(part, flag)
            case SegmentRef(name=name):
                return self.holds(self.catalogue.segments[f"{flag.namespace}/{name}"].when, flag)
            case Entitled():
                return bool(self.grants(flag))
            case Test():
                return self.test(condition)

    def asks_for_grants(self, condition: Condition, flag: FlagDefinition) -> bool:
        """Tell whether a condition mentions entitlement."""
        match condition:
            case AllOf(parts=parts) | AnyOf(parts=parts):
                return any(self.asks_for_grants(part, flag) for part in parts)
            case Negation(part=part):
                return self.asks_for_grants(part, flag)
            case Entitled():
                return True
            case _:
                return False

    def grants(self, flag: FlagDefinition) -> list[Grant]:
        """List the grants in force for the context's organisation."""
        org = self.attribute(("org",))
        return [
            grant
            for _, grant in self.catalogue.grants(flag.reference)
            if isinstance(org, str) and grant.org == org and grant.since <= self.now < grant.until
        ]

    def attribute(self, path: Sequence[str]) -> object:
        """Find an attribute; None where it is missing."""
        value: object = self.context
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def test(self, test: Test) -> bool:
        """Tell whether an attribute passes a test."""
        value, operand = self.attribute(test.path), test.operand
        if test.predicate == "exists":
            return (value is not None) == operand
        if test.predicate in _ORDER:
            return _type(value) == "number" and _ORDER[test.predicate](value, operand)
        if isinstance(value, str) and test.predicate in _TEXTS:
            return _TEXTS[test.predicate](value, str(operand))
        members = operand if isinstance(operand, tuple) else (operand,)
        match test.predicate:
            case "eq" | "in":
                return _in(value, members)
            case "ne" | "notIn":
                return _type(value) in {_type(member) for member in members} and not _in(value, members)
            case "contains":
                return isinstance(value, (list, tuple)) and any(_in(member, members) for member in value)
            case _:
                return False


def _satisfies(value: str, written: str) -> bool:
    sign = next(sign for sign in ("!=", "<=", ">=", "=", "<", ">", "^", "~") if written.startswith(sign))
    version, bound = parse_version(value), parse_version(written.removeprefix(sign).strip())
    return version is not None and bound is not None and RELATIONS[sign](version, bound)


_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "hasSubstring": lambda value, operand: operand in value,
    "semver": _satisfies,
}


def _type(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)) and not math.isnan(value):
        return "number"
    return "text" if isinstance(value, str) else "something else"


def _same(value: object, operand: object) -> bool:
    return _type(value) == _type(operand) != "something else" and value == operand


def _in(value: object, members: object) -> bool:
    assert isinstance(members, tuple)
    return any(_same(value, member) for member in members)
