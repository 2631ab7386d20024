"""Documents as definitions: FlagDefinition, Segment and EntitlementBinding.

Documents come from the loader (or from :func:`~flagseal.model.loader.parse_body`), so their form is known to be right;
nothing here checks it again.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

from flagseal.model.condition import RESERVED_WORDS, AllOf, AnyOf, Entitled, Negation, SegmentRef, Test
from flagseal.model.flag import (
    EntitlementBinding,
    EnvironmentSection,
    FlagDefinition,
    Grant,
    Ramp,
    Requirement,
    Review,
    Rule,
    Segment,
    Serve,
    Split,
)
from flagseal.model.instants import day_end, day_start, parse_day, unix_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flagseal.model.canonical import Json
    from flagseal.model.condition import Condition, Predicate
    from flagseal.model.document import Document
    from flagseal.model.flag import Outcome

NAMED_ATTRIBUTE = "attr"
"""The entry of a condition that may name its attribute by ``path``."""

_TARGETING_KEY = ("targetingKey",)


def parse_flag(document: Document) -> FlagDefinition:
    """Read a FlagDefinition.

    Args:
        document: One of kind FlagDefinition, not a tombstone, as the loader gives it.
    """
    spec = _spec(document)
    safe = _shared(spec["safeVariant"])
    return FlagDefinition(
        namespace=cast("str", document.namespace),
        name=document.name,
        key=spec.get("key", document.name),
        description=spec["description"],
        purpose=_shared(spec["purpose"]),
        owner=_shared(spec["owner"]),
        risk_tier=_shared(spec["riskTier"]),
        lifecycle=_shared(spec["lifecycle"]),
        variants=spec["variants"],
        safe_variant=safe,
        environments={
            _shared(name): _environment(section, safe) for name, section in sorted(spec["environments"].items())
        },
        expires=_shared_if_any(spec.get("expires")),
        review=_review(spec.get("review")),
        retire_when=_shared_if_any(spec.get("retireWhen")),
        ticket=_shared_if_any(spec.get("ticket")),
        claim=spec.get("claim", False),
    )


def parse_segment(document: Document) -> Segment:
    """Read a Segment, as :func:`parse_flag` reads a flag."""
    return Segment(
        namespace=cast("str", document.namespace),
        name=document.name,
        when=parse_condition(_spec(document)["when"], "$.spec.when"),
    )


def parse_binding(document: Document) -> EntitlementBinding:
    """Read an EntitlementBinding, as :func:`parse_flag` reads a flag.

    A grant lasts until the end of its last day or of its agreement's, whichever is earlier.
    """
    spec = _spec(document)
    parts: list[dict[str, Any]] = spec.get("bindings", [spec])
    return EntitlementBinding(
        namespace=cast("str", document.namespace),
        name=document.name,
        owners=tuple(sorted({part["owner"] for part in parts})),
        grants=tuple(grant for part in parts for grant in _grants(part)),
    )


def parse_condition(value: Json, path: str) -> Condition:
    """Read a condition.

    Args:
        value: The condition as JSON, valid by the schema.
        path: JSONPath of the condition, for messages.

    Raises:
        ValueError: A predicate has no comparison, or an instant does not exist: the value never passed the loader.
    """
    parts = tuple(_part(word, operand, f"{path}.{word}") for word, operand in _entries(value))
    return parts[0] if len(parts) == 1 else AllOf(parts)


def _part(word: str, operand: Json, path: str) -> Condition:
    if word in RESERVED_WORDS:
        return _combination(word, operand, path)
    if not isinstance(operand, dict):
        return Test(tuple(word.split(".")), "eq", operand)
    attribute = tuple(word.split("."))
    if word == NAMED_ATTRIBUTE and "path" in operand:
        attribute = tuple(cast("list[str]", operand["path"]))
    comparisons = [(name, value) for name, value in operand.items() if name != "path"]
    if len(comparisons) != 1:
        msg = f"{path}: a predicate makes exactly one comparison"
        raise ValueError(msg)
    name, value = comparisons[0]
    return Test(attribute, cast("Predicate", name), _operand(name, value))


def _combination(word: str, operand: Json, path: str) -> Condition:
    match word:
        case "all" | "any":
            parts = tuple(
                parse_condition(part, f"{path}[{index}]") for index, part in enumerate(cast("list[Json]", operand))
            )
            return AllOf(parts) if word == "all" else AnyOf(parts)
        case "not":
            return Negation(parse_condition(operand, path))
        case "segment":
            return SegmentRef(cast("str", operand))
        case _:
            return Entitled()


def _operand(comparison: str, value: Json) -> Json | tuple[Json, ...]:
    if comparison in {"in", "notIn"}:
        return tuple(cast("list[Json]", value))
    if comparison in {"before", "after"}:
        return unix_seconds(cast("str", value))
    return value


def _entries(value: Json) -> Iterable[tuple[str, Json]]:
    # Sorted: the order of a mapping's keys is not part of what was approved.
    return sorted(cast("dict[str, Json]", value).items())


def _environment(section: Mapping[str, Any], safe: str) -> EnvironmentSection:
    return EnvironmentSection(
        default=_shared(section["default"]),
        off=section.get("off", False),
        requires=tuple(Requirement(item["flag"], item["variant"]) for item in section.get("requires", ())),
        targets=tuple((variant, tuple(keys)) for variant, keys in sorted(section.get("targets", {}).items())),
        rules=tuple(
            _rule(rule, safe, f"$.spec.environments.rules[{index}]")
            for index, rule in enumerate(section.get("rules", ()))
        ),
        targeting=section.get("targeting"),
    )


def _rule(rule: Mapping[str, Any], safe: str, path: str) -> Rule:
    when = rule.get("when")
    return Rule(
        name=_shared(rule["name"]),
        when=None if when is None else parse_condition(when, f"{path}.when"),
        outcome=_outcome(rule, safe),
        since=_instant(rule.get("from")),
        until=_instant(rule.get("until")),
    )


def _outcome(rule: Mapping[str, Any], safe: str) -> Outcome:
    if "serve" in rule:
        return Serve(_shared(rule["serve"]))
    if "ramp" in rule:
        ramp = rule["ramp"]
        return Ramp(
            variant=ramp["variant"],
            start_weight=ramp["from"],
            end_weight=ramp["to"],
            start=unix_seconds(ramp["start"]),
            end=unix_seconds(ramp["end"]),
            steps=ramp["steps"],
            by=_by(ramp.get("by")),
            salt=ramp.get("salt"),
        )
    return Split(arms=_arms(rule["split"], safe), by=_by(rule.get("by")), salt=rule.get("salt"))


def _arms(split: Mapping[str, int] | list[dict[str, Any]], safe: str) -> tuple[tuple[str, int], ...]:
    if isinstance(split, list):
        return tuple((arm["variant"], arm["weight"]) for arm in split)
    # The safe variant's buckets come last, so that widening one arm takes people from it only.
    return tuple(sorted(split.items(), key=lambda arm: (arm[0] == safe, arm[0])))


def _by(attribute: str | None) -> tuple[str, ...] | None:
    path = None if attribute is None else tuple(attribute.split("."))
    return None if path == _TARGETING_KEY else path


def _instant(text: str | None) -> int | None:
    return None if text is None else unix_seconds(text)


def _review(review: Mapping[str, Any] | None) -> Review | None:
    return None if review is None else Review(every=review["every"], last=review.get("last"), by=review.get("by"))


def _grants(part: Mapping[str, Any]) -> Iterable[Grant]:
    agreement = part["agreement"]
    since, end = day_start(parse_day(agreement["from"])), day_end(parse_day(agreement["until"]))
    for grant in part["grants"]:
        until = min(end, day_end(parse_day(grant["until"]))) if "until" in grant else end
        yield Grant(
            org=part["org"],
            flag=grant["flag"],
            since=since,
            until=until,
            reason=grant["reason"],
            variant=grant.get("variant"),
        )


def _spec(document: Document) -> dict[str, Any]:
    spec = document.spec
    if spec is None:
        msg = f"{document.subject} is a tombstone: it defines nothing"
        raise ValueError(msg)
    return cast("dict[str, Any]", spec)


def _shared(text: Any) -> Any:  # noqa: ANN401 (the schema made sure of the type, the checker cannot)
    """Give the one copy of a word that thousands of flags say."""
    return sys.intern(text)


def _shared_if_any(text: str | None) -> str | None:
    return None if text is None else sys.intern(text)
