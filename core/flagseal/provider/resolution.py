"""Answers in OpenFeature's words, of the type that was asked for.

JSON has one kind of number, so a whole number answers a question for a float, and a float without a fraction one for an
integer; a boolean is no number, though Python says it is. Anything else of another type is TYPE_MISMATCH and the
application's default (OpenFeature specification, 1.3.4 and 2.2.8.1).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagResolutionDetails, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.evaluation import Evaluation

T = TypeVar("T")

_REASONS: Final[Mapping[str, Reason]] = {str(reason): reason for reason in Reason}
_CODES: Final[Mapping[str, ErrorCode]] = {str(code): code for code in ErrorCode}
_WORDS: Final[Mapping[type, str]] = {
    bool: "a boolean",
    str: "a text",
    int: "an integer",
    float: "a float",
    dict: "an object",
    list: "a list",
}


class TypeMismatch(Exception):
    """Say that a value is of another type than was asked for."""


def fitting(value: object, kind: type) -> object:
    """Give a value in the type that was asked for.

    Args:
        value: JSON.
        kind: bool, str, int, float or dict; dict stands for lists too.

    Raises:
        TypeMismatch: It is of another, and cannot be told in this one without loss.
    """
    given = type(value)
    if given is kind or (kind is dict and given is list):
        return value
    if kind is float and isinstance(value, int) and given is not bool:
        try:
            return float(value)
        except OverflowError:
            raise TypeMismatch("the flag gives a number that no float holds") from None
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    raise TypeMismatch(f"the flag gives {_WORDS.get(given, given.__name__)}, and {_WORDS[kind]} was asked for")


def resolved(
    evaluation: Evaluation, kind: type, default: T, *, stale: bool, marked: Mapping[str, bool]
) -> FlagResolutionDetails[T]:
    """Tell an evaluation in the SDK's words.

    Args:
        evaluation: What the evaluator said.
        kind: The type asked for, as :func:`fitting` takes it.
        default: The application's own default, for where no variant is served.
        stale: Whether the snapshot is.
        marked: What is laid over the metadata then.
    """
    value, variant, reason, code, message, metadata = evaluation
    # The caller's own: what hooks and exporters do with metadata (copy, pickle, write) needs a plain dict. Evaluations
    # carry a read-only view of one, whose copy() costs a quarter of dict().
    said = metadata.copy() if type(metadata) is MappingProxyType else dict(metadata)
    if stale:
        said.update(marked)
    if code is not None:
        return FlagResolutionDetails(default, _CODES.get(code, ErrorCode.GENERAL), message, Reason.ERROR, None, said)
    if variant is None:
        return FlagResolutionDetails(default, None, None, _REASONS.get(reason, reason), None, said)
    if type(value) is not kind:
        try:
            value = fitting(value, kind)
        except TypeMismatch as problem:
            return FlagResolutionDetails(default, ErrorCode.TYPE_MISMATCH, str(problem), Reason.ERROR, None, said)
    return FlagResolutionDetails(value, None, None, _REASONS.get(reason, reason), variant, said)  # type: ignore[arg-type]


def failed(code: ErrorCode, message: str, default: T) -> FlagResolutionDetails[T]:
    """Give the application's default, and why."""
    return FlagResolutionDetails(default, code, message, Reason.ERROR)
