"""Buckets: which share of everyone a key falls into (compat.md, three versions that disagree).

A version turns a key into a *rank*; the arms of a split end at ascending *ends*; the first arm whose end lies above
the rank is served. So a split of constant weights costs one hash and a comparison or two.
"""

from __future__ import annotations

import struct
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec
from mmh3 import mmh3_32_uintdigest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

BucketingVersion: TypeAlias = Literal["v1", "v2", "v3"]

LARGEST_SUM: Final = 2**31 - 1
"""A larger sum of weights serves nothing."""

_HASHES = 2**32
_LARGEST_INT32 = 2**31 - 1
_PAIR = 2


class Bucketing(msgspec.Struct, frozen=True):
    """One way to bucket.

    Attributes:
        version: ``v1`` (imports only), ``v2`` (released flagd servers) or ``v3``.
        rank: From an evaluated key to its rank; None where it has none (missing, empty, not hashable).
        shorthand: From flag key and targeting key to the rank, where a split names no key of its own.
        ends: From weights to the ends of the arms; every weight is a non-negative int, their sum in range.
    """

    version: BucketingVersion
    rank: Callable[[object], float | None]
    shorthand: Callable[[str, object], float | None]
    ends: Callable[[Sequence[int]], tuple[float, ...]]


def _hash(text: str) -> int | None:
    try:
        # Never the text itself: mmh3 5.3 reads beyond memory where a text has no UTF-8.
        return mmh3_32_uintdigest(text.encode())
    except UnicodeEncodeError:  # half a surrogate pair is in no UTF-8, so it has no hash
        return None


def _text_rank(key: object) -> int | None:
    # A number or an object in the place of the key leaves a malformed list of arms in every flagd: null.
    return _hash(key) if isinstance(key, str) and key else None


def _text_shorthand(flag_key: str, targeting_key: object) -> int | None:
    return _hash(flag_key + targeting_key) if isinstance(targeting_key, str) and targeting_key else None


def hash_ends(weights: Sequence[int]) -> tuple[int, ...]:
    """Give the smallest hash beyond each arm: ``(hash * total) >> 32 < end`` solved for the hash."""
    total = sum(weights)
    return tuple(-(-end * _HASHES // total) for end in accumulate(weights))


def _percentage(hashed: int | None) -> float | None:
    if hashed is None:
        return None
    signed = hashed - _HASHES if hashed > _LARGEST_INT32 else hashed
    return abs(signed) / _LARGEST_INT32 * 100


def _percentage_ends(weights: Sequence[int]) -> tuple[float, ...]:
    # Added up one by one, as v1 did: the rounding is part of the answer.
    total = sum(weights)
    return tuple(accumulate((100 * weight / total for weight in weights), initial=0.0))[1:]


def _cbor_text(text: str) -> bytes:
    """Encode a text string (RFC 8949, 3.1, major type 3)."""
    data = text.encode()
    size = len(data)
    if size < 24:  # noqa: PLR2004
        return bytes((0x60 | size,)) + data
    if size < 0x100:  # noqa: PLR2004
        return bytes((0x78, size)) + data
    if size < 0x10000:  # noqa: PLR2004
        return b"\x79" + struct.pack(">H", size) + data
    return b"\x7a" + struct.pack(">I", size) + data


def _integral(value: object) -> object:
    """Turn whole floats that fit 64 bits into ints, at every depth: 1.0 and 1 are one number in JSON."""
    if isinstance(value, dict):
        return {key: _integral(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_integral(item) for item in value]
    if isinstance(value, float) and value.is_integer() and -(2**63) <= value <= 2**64 - 1:
        return int(value)
    return value


def cbor(value: object) -> bytes:
    """Encode deterministically (RFC 8949, 4.2.1).

    Raises:
        ValueError: The value has no such encoding.
    """
    # Only v3 needs it, and there only for keys that are not text.
    from cbor2 import CBOREncodeError, dumps  # noqa: PLC0415

    try:
        # Among texts, the order by length first of the older canonical form is the order of the encoded bytes.
        return dumps(_integral(value), canonical=True)
    except (CBOREncodeError, TypeError, OverflowError, RecursionError) as problem:
        msg = "no deterministic encoding"
        raise ValueError(msg) from problem


def _cbor_rank(key: object) -> int | None:
    if key is None or key == "" or isinstance(key, (list, tuple)):
        return None
    try:
        return mmh3_32_uintdigest(_cbor_text(key) if isinstance(key, str) else cbor(key))
    except ValueError:
        return None


def _cbor_shorthand(flag_key: str, targeting_key: object) -> int | None:
    if not isinstance(targeting_key, str) or not targeting_key:
        return None
    try:
        return mmh3_32_uintdigest(b"\x82" + _cbor_text(flag_key) + _cbor_text(targeting_key))
    except UnicodeEncodeError:
        return None


BUCKETINGS: Final[Mapping[str, Bucketing]] = {
    "v1": Bucketing(
        "v1",
        lambda key: _percentage(_text_rank(key)),
        lambda flag_key, targeting_key: _percentage(_text_shorthand(flag_key, targeting_key)),
        _percentage_ends,
    ),
    "v2": Bucketing("v2", _text_rank, _text_shorthand, hash_ends),
    "v3": Bucketing("v3", _cbor_rank, _cbor_shorthand, hash_ends),
}
"""By version."""


def whole_weight(weight: object) -> int | None:
    """Read a weight: a whole number (``10.0`` is one); negative counts as 0.

    Returns:
        None if it is none.
    """
    if isinstance(weight, bool):
        return None
    if isinstance(weight, float) and weight.is_integer():
        weight = int(weight)
    return max(weight, 0) if isinstance(weight, int) else None


def split(rank: float | None, arms: Sequence[object], ends_of: Callable[[Sequence[int]], tuple[float, ...]]) -> object:
    """Choose among evaluated arms.

    Args:
        rank: The key's rank; None serves nothing.
        arms: Lists of a value and, optionally, a weight (default 1).
        ends_of: :attr:`Bucketing.ends`.

    Returns:
        The value of the arm, or None where nothing is served (malformed arms, or a sum of weights that is 0 or above
        :data:`LARGEST_SUM`).
    """
    if rank is None:
        return None
    weights: list[int] = []
    for arm in arms:
        if not isinstance(arm, (list, tuple)) or not 1 <= len(arm) <= _PAIR:
            return None
        weight = whole_weight(arm[1]) if len(arm) == _PAIR else 1
        if weight is None:
            return None
        weights.append(weight)
    if not 0 < sum(weights) <= LARGEST_SUM:
        return None
    for arm, end in zip(arms, ends_of(weights), strict=True):
        if rank < end:
            return arm[0]  # type: ignore[index]
    return None
