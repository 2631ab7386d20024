"""In which order the keys of a mapping stand: that of the schema, which is that of the format's description."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flagseal.model.schema import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOVED: Final = (
    ("off", "requires"),  # What is tried comes in the order in which it is tried …
    ("default", "", "rules"),
    ("from", "serve"),  # … and when something counts before what it does.
    ("until", "serve"),
    ("ignore", "variants"),  # What is said about a flag comes before what it serves.
    ("toward-safe", ""),  # Rows that ask for most come first.
    ("metadata", "", "toward-safe"),
)
"""Where people read in another order than the schema's: a key, what it comes before (last, if nothing), and what else
must be there."""


class Place:
    """A place in a document, and what the schema says of it.

    Args:
        schema: Of the place; None where it says nothing.
        whole: The schema of the document, for what is defined once.
    """

    def __init__(self, schema: Mapping[str, Any] | None, whole: Mapping[str, Any]) -> None:
        if schema is not None and "$ref" in schema:
            schema = whole["$defs"][schema["$ref"].rpartition("/")[2]]
        self._schema: Mapping[str, Any] = schema or {}
        self._whole = whole

    @classmethod
    def of(cls, kind: str) -> Place:
        """Begin at a document of a kind."""
        return cls(SCHEMAS[kind], SCHEMAS[kind])

    def order(self) -> tuple[str, ...]:
        """Give the keys in order; nothing where they are the author's: names, variants, conditions."""
        properties = self._schema.get("properties")
        if not properties or isinstance(self._schema.get("additionalProperties"), dict):
            return ()
        order = list(properties)
        for key, before, *needed in _MOVED:
            if key in order and (not before or before in order) and all(it in order for it in needed):
                order.remove(key)
                order.insert(order.index(before) if before else len(order), key)
        return tuple(order)

    def entry(self, key: str) -> Place:
        """Go to the value of a key."""
        found = self._schema.get("properties", {}).get(key, self._schema.get("additionalProperties"))
        return Place(found if isinstance(found, dict) else None, self._whole)

    def item(self) -> Place:
        """Go to the items of a list."""
        return Place(self._schema.get("items"), self._whole)
