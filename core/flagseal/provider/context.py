"""The evaluation context of OpenFeature as the evaluator takes it: JSON's types, and the targeting key among them.

What came over OFREP as JSON and what a process holds in Python are to be judged alike:

- a ``datetime`` becomes unix seconds, which is what ``before`` and ``after`` compare; without a time zone it means UTC;
- other sequences, mappings, texts and numbers become lists, objects, and the text or number that they are;
- what JSON has no form for counts as missing, and so does what is nested deeper than any sensible context.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from numbers import Integral, Real
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from openfeature.evaluation_context import EvaluationContext

_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
_DEEPEST: Final = 64
"""Levels; as many as the relay takes."""
_MISSING: Final = object()


def flattened(context: EvaluationContext | None) -> Mapping[str, object] | None:
    """Give a context's attributes with the targeting key among them, which wins over an attribute of its name.

    Raises:
        Exception: Whatever an application's own mapping, sequence, number or time zone raises when it is read.
    """
    if context is None:
        return None
    attributes: Mapping[str, object] = context.attributes
    # Most contexts hold plain values, and this runs at every evaluation: a loop is twice as fast as set and map.
    for value in attributes.values():
        if type(value) not in _PLAIN:
            flat = _object(attributes, _DEEPEST)
            break
    else:
        flat = {**attributes}
    if context.targeting_key is not None:
        flat["targetingKey"] = context.targeting_key
    return flat


def _object(mapping: Mapping[str, object], room: int) -> dict[str, object]:
    plain = ((str.__str__(key), _value(value, room - 1)) for key, value in mapping.items() if isinstance(key, str))
    return {key: value for key, value in plain if value is not _MISSING}


def _value(value: object, room: int) -> object:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp()
    if room <= 0 or isinstance(value, bytes | bytearray | memoryview):
        return _MISSING
    if isinstance(value, Mapping):
        return _object(value, room)
    if isinstance(value, Sequence):
        # Places count in a list, so what has no form leaves a null behind.
        return [None if item is _MISSING else item for item in (_value(item, room - 1) for item in value)]
    return _MISSING
