"""Names for variants that have none at their origin, or none that can stand in a file here."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from flagseal.model.schema.vocabulary import VARIANT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flagseal.model.canonical import Json

_LONGEST: Final = 63
_VARIANT: Final = re.compile(VARIANT)


def variant_names(wanted: Sequence[str], values: Sequence[Json]) -> list[str]:
    """Name variants, each differently.

    Args:
        wanted: What the origin calls them; empty where it does not.
        values: Their values, in the same order.

    Returns:
        Names in the same order: the origin's where they can stand; otherwise ``enabled`` and ``disabled``, the value
        itself, or a number.
    """
    names: list[str] = []
    for number, (name, value) in enumerate(zip(wanted, values, strict=True), start=1):
        found = _slug(name) or _from_value(value) or f"variation-{number}"
        if found in names:
            found = f"{found[: _LONGEST - 5]}-{number}"
        while found in names:
            found = f"variation-{number}-{len(names)}"
        names.append(found)
    return names


def _from_value(value: Json) -> str:
    if isinstance(value, bool):
        return "enabled" if value else "disabled"
    if isinstance(value, str):
        return _slug(value)
    if isinstance(value, (int, float)) and value >= 0:
        return _slug(json.dumps(value))
    return ""


def _slug(text: str) -> str:
    if _VARIANT.fullmatch(text) and len(text) <= _LONGEST:
        return text
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:_LONGEST].strip("-._")


def json_type(value: Json) -> str:
    """Name the JSON type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, (int, float)):
        return "number"
    return "object" if isinstance(value, dict) else "array"
