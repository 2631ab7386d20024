"""Clauses of LaunchDarkly's rules and segments as conditions.

Semantics as its server-side SDK evaluates them: a clause on an attribute that is missing or null never holds, negated
or not; values are alternatives; nothing is converted. Its context of kind ``user`` is ours; any other kind lies under
its own name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from flagseal.evaluation.semver import parse_version
from flagseal.model.condition import ALWAYS, NEVER, AllOf, AnyOf, Negation, Test
from flagseal_validators.exchange.neutral import TARGETING_KEY
from flagseal_validators.exchange.node import Misread, Node, NoForm
from flagseal_validators.exchange.patterns import pattern_condition
from flagseal_validators.exchange.times import read_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagseal.model.canonical import Json
    from flagseal.model.condition import Condition, Predicate

USER: Final = "user"

_TEXTUAL: Final[dict[str, Predicate]] = {
    "startsWith": "startsWith",
    "endsWith": "endsWith",
    "contains": "hasSubstring",
}
_NUMERIC: Final[dict[str, Predicate]] = {
    "lessThan": "lt",
    "lessThanOrEqual": "lte",
    "greaterThan": "gt",
    "greaterThanOrEqual": "gte",
}
_TIMES: Final[dict[str, Predicate]] = {"before": "lt", "after": "gt"}
_VERSIONS: Final = {"semVerEqual": "=", "semVerLessThan": "<", "semVerGreaterThan": ">"}


def attribute_path(reference: Node, kind: str, *, literal: bool) -> tuple[str, ...]:
    """Find where an attribute lies in our context.

    Args:
        reference: The attribute as LaunchDarkly names it.
        kind: Of the context.
        literal: Whether slashes are part of its name (clauses without a context kind).

    Raises:
        Misread: It names nothing.
    """
    text = reference.text()
    steps = [text]
    if text.startswith("/") and not literal:
        steps = [step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/")]
    if not all(steps):
        raise Misread(reference.path, "an attribute without a name")
    own = () if kind in {"", USER} else (kind,)
    if steps == ["key"]:
        return (*own, "key") if own else TARGETING_KEY
    return (*own, *steps)


@dataclass
class Clauses:
    """Read clauses.

    Attributes:
        lists: Attributes whose values are lists, as dotted paths.
        segment: Gives the condition that stands for a segment, by key; None where there is no such segment.
        told: What applications must heed, by place.
    """

    lists: frozenset[str]
    segment: Callable[[str, str], Condition | None]
    told: dict[str, str] = field(default_factory=dict)

    def all_of(self, clauses: tuple[Node, ...]) -> Condition:
        """Read the clauses of a rule: each must hold.

        Raises:
            Misread: They are not as LaunchDarkly has them.
            NoForm: One has no equal here.
        """
        return AllOf(tuple(self._clause(clause) for clause in clauses))

    def _clause(self, clause: Node) -> Condition:
        operator = clause.need("op").text()
        values = clause.listed("values")
        negate = clause.true_at("negate")
        if operator == "segmentMatch":
            found = [self.segment(value.text(), value.path) for value in values]
            return _negated(AnyOf(tuple(one for one in found if one is not None)), negate=negate)
        kind = clause.text_at("contextKind")
        attribute = clause.need("attribute")
        if attribute.text() in {"kind", "/kind"}:
            return _negated(AnyOf(tuple(_kind(clause, operator, value) for value in values)), negate=negate)
        path = attribute_path(attribute, kind, literal=not kind)
        if path[-1] == "anonymous" and len(path) == (1 if kind in {"", USER} else 2):
            return _anonymous(path, operator, values, negate=negate)
        if ".".join(path) in self.lists:
            held = _in_list(clause, path, operator, values)
        else:
            held = AnyOf(tuple(self._test(clause, path, operator, value) for value in values))
        return AllOf((Test(path, "exists", operand=True), Negation(held))) if negate else held

    def _test(self, clause: Node, path: tuple[str, ...], operator: str, value: Node) -> Condition:
        operand = value.value
        if operator == "in":
            # What is no scalar equals none; null is never reached.
            return Test(path, "eq", operand) if isinstance(operand, (str, int, float)) else _no_scalar(value)
        if operator in _TEXTUAL:
            return Test(path, _TEXTUAL[operator], operand) if isinstance(operand, str) else NEVER
        if operator in _NUMERIC:
            return Test(path, _NUMERIC[operator], operand) if _is_number(operand) else NEVER
        if operator in _TIMES:
            self.told[clause.path] = f"`{'.'.join(path)}` must be milliseconds: a time as text is not read"
            milliseconds = _milliseconds(operand)
            return NEVER if milliseconds is None else Test(path, _TIMES[operator], milliseconds)
        if operator in _VERSIONS:
            return _version(path, _VERSIONS[operator], operand)
        if operator == "matches":
            found = pattern_condition(path, operand) if isinstance(operand, str) else NEVER
            if found is None:
                raise NoForm(value.path, f"the regular expression {operand!r} has no predicate of the same meaning")
            return found
        raise NoForm(clause.path, f"the operator {operator!r} has no predicate of the same meaning")


def _no_scalar(value: Node) -> Condition:
    if value.value is None:
        return NEVER
    raise NoForm(value.path, "a list or an object, with which nothing is compared here")


def _negated(condition: Condition, *, negate: bool) -> Condition:
    return Negation(condition) if negate else condition


def _kind(clause: Node, operator: str, value: Node) -> Condition:
    """Tell whether the context has a kind."""
    if operator != "in":
        raise NoForm(clause.path, f"kinds of contexts compared by {operator!r}")
    kind = value.value
    if not isinstance(kind, str):
        return NEVER
    return Test(TARGETING_KEY if kind == USER else (kind, "key"), "exists", operand=True)


def _anonymous(path: tuple[str, ...], operator: str, values: tuple[Node, ...], *, negate: bool) -> Condition:
    """Tell whether a context is anonymous: one that does not say is not."""
    if operator != "in":
        return ALWAYS if negate else NEVER
    wanted = [value.value for value in values if isinstance(value.value, bool)]
    is_so: Condition = Test(path, "eq", operand=True)
    held = AnyOf(tuple(is_so if one else Negation(is_so) for one in wanted))
    kind = path[:-1]
    there: Condition = Test((*kind, "key"), "exists", operand=True) if kind else ALWAYS
    return AllOf((there, _negated(held, negate=negate)))


def _in_list(clause: Node, path: tuple[str, ...], operator: str, values: tuple[Node, ...]) -> Condition:
    if operator != "in":
        raise NoForm(clause.path, f"{operator!r} on each member of the list `{'.'.join(path)}`")
    members = [value.value for value in values if isinstance(value.value, (str, int, float))]
    return AnyOf(tuple(Test(path, "contains", member) for member in members))


def _version(path: tuple[str, ...], relation: str, operand: Json) -> Condition:
    if not isinstance(operand, str) or operand[:1] in {"v", "V"} or parse_version(operand) is None:
        return NEVER
    return Test(path, "semver", f"{relation}{operand}")


def _is_number(value: Json) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _milliseconds(operand: Json) -> Json:
    if _is_number(operand):
        return operand
    if isinstance(operand, str) and (found := read_time(operand)) is not None:
        milliseconds = found.timestamp() * 1000
        return int(milliseconds) if milliseconds.is_integer() else milliseconds
    return None
