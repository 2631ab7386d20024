"""The words in which the schemas are written: each function gives one JSON Schema 2020-12 node.

Nodes stay structural, so that custom resource definitions can be made from the same source: every field has a
type and a description, objects are closed, and combinators (``oneOf``) only ever restrict what is already typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JsonSchema: TypeAlias = "dict[str, object]"

DNS_LABEL = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
"""RFC 1123, section 2.1, lower case; at most 63 characters."""

SLUG = "^[a-z0-9]([-a-z0-9._]*[a-z0-9])?$"
"""A word that people, teams and roles go by."""

VARIANT = "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"
FLAG_KEY = VARIANT
FLAG_REFERENCE = "^([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
QUALIFIED_FLAG = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
ATTRIBUTE = "^[A-Za-z_][A-Za-z0-9_-]*([.][A-Za-z0-9_][A-Za-z0-9_-]*)*$"
"""A dotted path into the evaluation context."""

DAYS = "^[1-9][0-9]{0,4}d$"
DURATION = "^[1-9][0-9]{0,5}[smhd]$"
CLOCK = "^([01][0-9]|2[0-3]):[0-5][0-9]$"
HTTPS = "^https://[^ ]+$"
GITHUB_LOGIN = "^[A-Za-z0-9][A-Za-z0-9_-]*([[]bot[]])?$"
RULE_ID = "^FS[0-9]{3}$"

TIERS = ("informational", "operational", "sensitive", "high-risk")
PURPOSES = ("release", "experiment", "operational", "entitlement", "auth-protocol")
LIFECYCLES = ("draft", "review", "canary", "enforced", "stable", "retired")
CHANGE_CLASSES = ("metadata", "toward-safe", "widen")
EVIDENCE = ("forge", "keys", "either", "both")
LARGEST_ID = 2**53 - 1
"""Of whatever a forge numbers: the largest integer that every JSON reader keeps."""


def text(description: str, *, pattern: str | None = None, longest: int = 1024) -> JsonSchema:
    """Describe a string; never an empty one, which some API servers take for none at all."""
    node: JsonSchema = {"type": "string", "description": description, "minLength": 1, "maxLength": longest}
    if pattern is not None:
        node["pattern"] = pattern
    return node


def label(description: str) -> JsonSchema:
    """Describe a DNS label."""
    return text(description, pattern=DNS_LABEL, longest=63)


def slug(description: str) -> JsonSchema:
    """Describe the id of a person, a team or a role."""
    return text(description, pattern=SLUG, longest=63)


def variant(description: str) -> JsonSchema:
    """Describe the name of a variant."""
    return text(description, pattern=VARIANT, longest=63)


def day(description: str) -> JsonSchema:
    """Describe a day, ``YYYY-MM-DD``."""
    return {"type": "string", "description": description, "format": "date"}


def instant(description: str) -> JsonSchema:
    """Describe an instant in UTC by RFC 3339, whole seconds, ending in ``Z``."""
    return {"type": "string", "description": description, "format": "date-time"}


def word(description: str, words: Sequence[str]) -> JsonSchema:
    """Describe a choice among words."""
    return {"type": "string", "description": description, "enum": list(words)}


def boolean(description: str) -> JsonSchema:
    """Describe true or false."""
    return {"type": "boolean", "description": description}


def integer(description: str, *, least: int, most: int) -> JsonSchema:
    """Describe an integer between two bounds, both included."""
    return {"type": "integer", "description": description, "minimum": least, "maximum": most}


def number(description: str) -> JsonSchema:
    """Describe a number."""
    return {"type": "number", "description": description}


def record(description: str, fields: Mapping[str, JsonSchema], *, required: Sequence[str] = ()) -> JsonSchema:
    """Describe an object with these fields and no others."""
    node: JsonSchema = {"type": "object", "description": description, "properties": dict(fields)}
    if required:
        node["required"] = list(required)
    node["additionalProperties"] = False
    return node


def table(description: str, values: JsonSchema, *, keys: JsonSchema, least: int = 0) -> JsonSchema:
    """Describe an object whose keys people choose."""
    return {
        "type": "object",
        "description": description,
        "propertyNames": keys,
        "additionalProperties": values,
        "minProperties": least,
    }


def listing(description: str, items: JsonSchema, *, least: int = 0) -> JsonSchema:
    """Describe a list."""
    return {"type": "array", "description": description, "items": items, "minItems": least}


def exactly_one_of(node: JsonSchema, *names: str) -> JsonSchema:
    """Restrict a record to having exactly one of some fields."""
    return {**node, "oneOf": [{"required": [name]} for name in names]}


def reference(name: str) -> JsonSchema:
    """Point to a shared node of the same document."""
    return {"$ref": f"#/$defs/{name}"}
