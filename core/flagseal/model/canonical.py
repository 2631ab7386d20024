"""The canonical form and its digest (RFC 8785)."""

from __future__ import annotations

import hashlib
from typing import Final, TypeAlias

import msgspec
import rfc8785

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A JSON value. Treat it as immutable wherever it hangs below a frozen value."""


_encode: Final = msgspec.json.Encoder(order="sorted").encode
_LARGEST: Final = 2**53 - 1


def canonical_json(value: object) -> bytes:
    """Serialise by RFC 8785: sorted by UTF-16 code units, no spaces, ES6 numbers.

    Args:
        value: A JSON value; integers within ±(2^53 − 1), no NaN and no infinities.

    Raises:
        ValueError: The value has no canonical form.

    Returns:
        UTF-8 bytes.
    """
    if is_plain(value):
        try:
            return _encode(value)
        except (UnicodeEncodeError, RecursionError):
            pass  # The library says what is wrong with it.
    return rfc8785.dumps(value)  # type: ignore[arg-type]


def is_plain(value: object) -> bool:
    """Tell whether any JSON encoder that sorts keys and writes no spaces gives the canonical form.

    Where encoders differ is in how they write floats, in keys that sort otherwise by UTF-16 than by code point, and in
    what they make of values that JSON has not.
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is dict:
        return all(type(key) is str and key.isascii() and is_plain(item) for key, item in value.items())  # type: ignore[attr-defined]
    if kind is list:
        return all(map(is_plain, value))  # type: ignore[call-overload]
    return kind is int and -_LARGEST <= value <= _LARGEST  # type: ignore[operator]


def sha256_digest(data: bytes) -> str:
    """Name bytes by ``sha256:`` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_of(value: object) -> str:
    """Name a JSON value by the digest of its canonical form."""
    return sha256_digest(canonical_json(value))
