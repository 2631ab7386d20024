"""What a schema cannot say of one document, and without which it means nothing.

These rules refuse a document wherever it comes from; what only looks unwise is left to the gate. A document that passes
its schema and this can be read by :mod:`flagseal.model.definitions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flagseal.model import rule_ids
from flagseal.model.characters import shown
from flagseal.model.instants import parse_day, unix_seconds
from flagseal.model.jsonpath import child
from flagseal.model.problem import Problem, did_you_mean
from flagseal.model.schema.flag import LARGEST_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flagseal.model.canonical import Json


def inconsistencies(kind: str, spec: Mapping[str, Any]) -> Iterator[Problem]:
    """Find everything in a document that contradicts itself.

    Args:
        kind: The document's kind.
        spec: Its spec, valid by the kind's schema.
    """
    match kind:
        case "FlagDefinition":
            yield from _flag(spec)
        case "Segment":
            yield from _condition(spec["when"], "$.spec.when", in_segment=True)
        case "EntitlementBinding":
            for path, part in _organisations(spec):
                yield from _agreement(part["agreement"], f"{path}.agreement")
        case "IncidentReview":
            yield from _emergencies(spec["emergencies"], "$.spec.emergencies")


def _flag(spec: Mapping[str, Any]) -> Iterator[Problem]:
    variants = spec["variants"]
    types = {_type_name(value) for value in variants.values()}
    if len(types) > 1:
        yield Problem(
            rule_ids.MIXED_TYPES,
            "$.spec.variants",
            f"the variants are of different types: {', '.join(sorted(types))}",
            "Give all variants values of one type.",
        )
    yield from _known_variant(spec["safeVariant"], "$.spec.safeVariant", variants)
    for name, section in spec["environments"].items():
        path = child("$.spec.environments", name)
        yield from _known_variant(section["default"], f"{path}.default", variants)
        yield from _targets(section.get("targets", {}), f"{path}.targets", variants)
        if "rules" in section:
            yield from _rules(section["rules"], f"{path}.rules", variants, spec["safeVariant"])
            if "targeting" in section:
                yield Problem(
                    rule_ids.WITHOUT_EFFECT,
                    f"{path}.targeting",
                    "`targeting` stands in place of `rules`, and both are here",
                    "Keep one of them.",
                )


def _rules(rules: list[dict[str, Any]], path: str, variants: Mapping[str, Json], safe: str) -> Iterator[Problem]:
    names: set[str] = set()
    for index, rule in enumerate(rules):
        place = f"{path}[{index}]"
        name = rule["name"]
        if name in names:
            message = f"two rules are called `{shown(name)}`"
            yield Problem(rule_ids.RULE_NAME_TWICE, f"{place}.name", message, "Give each a name of its own.")
        names.add(name)
        if "when" in rule:
            yield from _condition(rule["when"], f"{place}.when")
        yield from _outcome(rule, place, variants, safe)
        if "from" in rule and "until" in rule and unix_seconds(rule["until"]) <= unix_seconds(rule["from"]):
            message = "the rule's time is over before it begins"
            yield Problem(rule_ids.WINDOW, f"{place}.until", message, "Write an instant after `from`.")


def _outcome(rule: Mapping[str, Any], place: str, variants: Mapping[str, Json], safe: str) -> Iterator[Problem]:
    if "serve" in rule:
        yield from _known_variant(rule["serve"], f"{place}.serve", variants)
    elif "split" in rule:
        yield from _split(rule["split"], f"{place}.split", variants)
    else:
        yield from _ramp(rule["ramp"], f"{place}.ramp", variants, safe)
    if "split" not in rule:
        for field in ("by", "salt"):
            if field in rule:
                remedy = f"Write `{field}` inside the ramp." if "ramp" in rule else "Delete it."
                message = f"`{field}` belongs to a split, and this rule has none"
                yield Problem(rule_ids.WITHOUT_EFFECT, f"{place}.{field}", message, remedy)


def _split(split: Any, path: str, variants: Mapping[str, Json]) -> Iterator[Problem]:  # noqa: ANN401 (a map or a list)
    if isinstance(split, dict):
        arms = [(child(path, variant), variant, weight) for variant, weight in split.items()]
    else:
        arms = [(f"{path}[{index}].variant", arm["variant"], arm["weight"]) for index, arm in enumerate(split)]
    for place, variant, _ in arms:
        yield from _known_variant(variant, place, variants)
    total = sum(weight for _, _, weight in arms)
    if total > LARGEST_WEIGHT:
        message = f"the weights add up to {total}; {LARGEST_WEIGHT} is the most that evaluators take"
        yield Problem(rule_ids.WEIGHTS, path, message, "Write smaller weights in the same proportion.")


def _ramp(ramp: Mapping[str, Any], path: str, variants: Mapping[str, Json], safe: str) -> Iterator[Problem]:
    yield from _known_variant(ramp["variant"], f"{path}.variant", variants)
    if ramp["variant"] == safe:
        message = "the safe variant cannot be ramped: a ramp runs against it"
        yield Problem(rule_ids.RAMP, f"{path}.variant", message, "Name another variant.")
    if ramp["from"] >= ramp["to"]:
        message = f"the ramp does not widen: it goes from {ramp['from']} to {ramp['to']}"
        yield Problem(rule_ids.RAMP, f"{path}.to", message, "Write a share above `from`.")
    if unix_seconds(ramp["end"]) <= unix_seconds(ramp["start"]):
        message = "the ramp is over before it begins"
        yield Problem(rule_ids.WINDOW, f"{path}.end", message, "Write an instant after `start`.")


def _targets(targets: Mapping[str, list[str]], path: str, variants: Mapping[str, Json]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for variant, keys in targets.items():
        place = child(path, variant)
        yield from _known_variant(variant, place, variants)
        for index, key in enumerate(keys):
            other = seen.setdefault(key, variant)
            if other != variant:
                # A mapping has no order that survives a parser, so neither of the two comes first.
                message = f"`{shown(key)}` is a target of `{other}` already"
                yield Problem(rule_ids.TARGET_TWICE, f"{place}[{index}]", message, "Keep it in one of the lists.")


def _condition(condition: Mapping[str, Any], path: str, *, in_segment: bool = False) -> Iterator[Problem]:
    for word, operand in condition.items():
        place = child(path, word)
        match word:
            case "all" | "any":
                for index, part in enumerate(operand):
                    yield from _condition(part, f"{place}[{index}]", in_segment=in_segment)
            case "not":
                yield from _condition(operand, place, in_segment=in_segment)
            case "segment" if in_segment:
                message = "a segment cannot name another segment"
                yield Problem(rule_ids.NESTED_SEGMENT, place, message, "Write the other's condition out.")
            case "attr" if isinstance(operand, dict):
                yield from _named_attribute(operand, place)


def _named_attribute(operand: Mapping[str, Any], path: str) -> Iterator[Problem]:
    comparisons = sorted(name for name in operand if name != "path")
    if len(comparisons) != 1:
        have = f"{len(comparisons)} stand here: {', '.join(comparisons)}" if comparisons else "there is none"
        message = f"exactly one predicate must stand beside `path`; {have}"
        yield Problem(rule_ids.EXACTLY_ONE, path, message, "Several conditions go under `all`.")


def _organisations(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if "bindings" in spec:
        for index, part in enumerate(spec["bindings"]):
            yield f"$.spec.bindings[{index}]", part
    else:
        yield "$.spec", spec


def _agreement(agreement: Mapping[str, Any], path: str) -> Iterator[Problem]:
    if parse_day(agreement["until"]) < parse_day(agreement["from"]):
        message = "the agreement is over before it begins"
        yield Problem(rule_ids.WINDOW, f"{path}.until", message, "Write a day on or after `from`.")


def _known_variant(variant: str, path: str, variants: Mapping[str, Json]) -> Iterator[Problem]:
    if variant not in variants:
        remedy = did_you_mean(variant, variants) or f"The flag has {', '.join(variants)}."
        yield Problem(rule_ids.UNKNOWN_VARIANT, path, f"there is no variant `{shown(variant)}`", remedy)


def _type_name(value: Json) -> str:
    match value:
        case bool():
            return "boolean"
        case str():
            return "string"
        case dict():
            return "object"
        case _:
            return "number"


def _emergencies(emergencies: list[dict[str, Any]], path: str) -> Iterator[Problem]:
    """Hold each emergency that is reviewed against its kind: what is named wrongly is reviewed by nobody."""
    seen: set[str] = set()
    for index, emergency in enumerate(emergencies):
        place, kind = f"{path}[{index}]", emergency["kind"]
        wrong = {"EmergencyOverride": "namespaces", "FlagFreeze": "flag"}[kind]
        if wrong in emergency:
            yield Problem(rule_ids.REVIEWED_WHAT, f"{place}.{wrong}", f"no {kind} has `{wrong}`", "Take it out.")
        if kind == "EmergencyOverride" and "flag" not in emergency:
            message = "an EmergencyOverride is named with its flag"
            yield Problem(rule_ids.REVIEWED_WHAT, place, message, "Write `flag: namespace/name`.")
        if emergency["proof"] in seen:
            message = "the same proof stands here twice"
            yield Problem(rule_ids.REVIEWED_WHAT, f"{place}.proof", message, "Name each emergency once.")
        seen.add(emergency["proof"])
