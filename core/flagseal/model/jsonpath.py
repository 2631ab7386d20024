"""Names of places inside a document: ``$.spec.variants.enabled``, ``$.spec.rules[0]``, ``$.a['b.c']``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = "$"

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*", re.ASCII)


def child(path: str, key: str | int) -> str:
    """Name an entry of an object, or an item of a list, below a path."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if _PLAIN.fullmatch(key):
        return f"{path}.{key}"
    quoted = key.replace("\\", "\\\\").replace("'", "\\'")
    return f"{path}['{quoted}']"


def join(keys: Iterable[str | int]) -> str:
    """Name what lies at the end of these steps from the root."""
    path = ROOT
    for key in keys:
        path = child(path, key)
    return path
