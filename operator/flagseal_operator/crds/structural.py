"""From JSON Schema 2020-12 to the structural schemas of the API server.

What cannot be said there is left out, never made stricter: whatever a file may say, the API server stores. It keeps
what it does not know as well: a field that were dropped in silence would be one that git has and the cluster has not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.schema.vocabulary import JsonSchema

PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"

_KEPT: Final = (
    "description",
    "enum",
    "pattern",
    "format",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "required",
)
_COMBINATORS: Final = ("oneOf", "anyOf")


def structural(node: JsonSchema, definitions: Mapping[str, JsonSchema], *, inside: frozenset[str] = frozenset()) -> Any:  # noqa: ANN401 (JSON)
    """Make a node structural.

    Args:
        node: A node in the house's vocabulary.
        definitions: What its references point to.
        inside: References that it lies within: where one comes again, its content is anything.
    """
    reference = node.get("$ref")
    if isinstance(reference, str):
        name = reference.rpartition("/")[2]
        target = {**definitions[name], **{key: value for key, value in node.items() if key != "$ref"}}
        if name in inside:
            return _anything(target)
        return structural(target, definitions, inside=inside | {name})
    kind = node.get("type")
    if not isinstance(kind, str):
        return _anything(node)
    made: dict[str, Any] = {"type": kind, **{key: node[key] for key in _KEPT if key in node}}
    if "const" in node:
        made["enum"] = [node["const"]]
    for word in _COMBINATORS:
        if word in node:
            made[word] = node[word]
    match kind:
        case "object":
            made |= _fields(node, definitions, inside)
        case "array":
            items = node["items"]
            assert isinstance(items, dict)  # noqa: S101 (our own data, and the checker cannot know)
            made["items"] = structural(items, definitions, inside=inside)
    return made


def _fields(node: JsonSchema, definitions: Mapping[str, JsonSchema], inside: frozenset[str]) -> dict[str, Any]:
    properties, more = node.get("properties"), node.get("additionalProperties")
    if isinstance(properties, dict):
        fields = {name: structural(field, definitions, inside=inside) for name, field in properties.items()}
        return {"properties": fields, PRESERVE: True}
    if isinstance(more, dict):
        return {"additionalProperties": structural(more, definitions, inside=inside)}
    return {PRESERVE: True}


def _anything(node: JsonSchema) -> dict[str, Any]:
    """Take any value: of several types, or nested without an end."""
    made: dict[str, Any] = {PRESERVE: True}
    if "description" in node:
        made["description"] = node["description"]
    if node.get("type") == "object":
        made["type"] = "object"
    return made
