"""The canonical form and its digest (RFC 8785)."""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import rfc8785

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A JSON value. Treat it as immutable wherever it hangs below a frozen value."""


def canonical_json(value: object) -> bytes:
    """Serialise by RFC 8785: sorted by UTF-16 code units, no spaces, ES6 numbers.

    Args:
        value: A JSON value; integers within ±(2^53 − 1), no NaN and no infinities.

    Raises:
        ValueError: The value has no canonical form.

    Returns:
        UTF-8 bytes.
    """
    return rfc8785.dumps(value)  # type: ignore[arg-type]


def sha256_digest(data: bytes) -> str:
    """Name bytes by ``sha256:`` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_of(value: object) -> str:
    """Name a JSON value by the digest of its canonical form."""
    return sha256_digest(canonical_json(value))
