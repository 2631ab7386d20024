"""Conditions: who is meant (formats.md, Conditions)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.schema.vocabulary import (
    ATTRIBUTE,
    boolean,
    instant,
    label,
    listing,
    number,
    reference,
    text,
)

if TYPE_CHECKING:
    from flagseal.model.schema.vocabulary import JsonSchema

SEMVER = r"^(=|!=|<=|>=|<|>|\^|~) ?v?[0-9]+(\.[0-9]+){0,2}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$"


def _scalar(description: str) -> JsonSchema:
    return {"type": ["string", "number", "boolean"], "description": description, "maxLength": 1024}


COMPARISONS: dict[str, JsonSchema] = {
    "eq": _scalar('Equal, without conversion: "1" is not 1, and true is not 1.'),
    "ne": _scalar(
        "A value of the same type that differs. A missing attribute does not count; write `not` for the rest."
    ),
    "in": listing("One of these values.", _scalar("A value."), least=1),
    "notIn": listing(
        "A string that is none of these. A missing attribute does not count.", _scalar("A value."), least=1
    ),
    "startsWith": text("A string that starts so."),
    "endsWith": text("A string that ends so."),
    "hasSubstring": text("A string that holds this somewhere."),
    "contains": _scalar("A list that has this value as a member."),
    "gt": number("A number above this one."),
    "gte": number("A number not below this one."),
    "lt": number("A number below this one."),
    "lte": number("A number not above this one."),
    "semver": text(
        'A semantic version that satisfies this constraint, for instance ">=1.2.0".', pattern=SEMVER, longest=128
    ),
    "before": instant("Unix seconds in the context that lie before this instant (RFC 3339, UTC)."),
    "after": instant("Unix seconds in the context that lie after this instant (RFC 3339, UTC)."),
    "exists": boolean("Whether the attribute is there at all."),
}
"""Every predicate and the schema of its operand."""

_PATH = listing(
    "Where the attribute lies in the context, step by step; for names that cannot be written as a dotted path.",
    text("One step.", longest=256),
    least=1,
)


def _predicate(description: str, *, path: bool) -> JsonSchema:
    return {
        "type": ["string", "number", "boolean", "object"],
        "description": description,
        "maxLength": 1024,
        "properties": {"path": _PATH, **COMPARISONS} if path else COMPARISONS,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 2 if path else 1,
    }


DEFINITIONS: dict[str, JsonSchema] = {
    "condition": {
        "type": "object",
        "description": "Who is meant: attributes with predicates, all, any, not, segment, entitled; every entry holds.",
        "minProperties": 1,
        "properties": {
            "all": listing("Every one of these must hold.", reference("condition"), least=1),
            "any": listing("At least one of these must hold.", reference("condition"), least=1),
            "not": {
                **reference("condition"),
                "description": "This must not hold; a missing attribute is fine with it.",
            },
            "segment": label("The condition of this Segment of the same namespace must hold."),
            "entitled": {
                "type": "boolean",
                "description": "The context's `org` must have a grant for this flag that is in force now.",
                "const": True,
            },
            "attr": _predicate(
                "An attribute whatever it is called: `path` names it, one predicate tests it.",
                path=True,
            ),
        },
        "propertyNames": {"pattern": ATTRIBUTE, "maxLength": 256},
        "additionalProperties": reference("predicate"),
    },
    "predicate": _predicate(
        "What must hold for the attribute: a value to equal, or exactly one predicate.",
        path=False,
    ),
}
"""Shared nodes of every schema in which conditions occur."""
