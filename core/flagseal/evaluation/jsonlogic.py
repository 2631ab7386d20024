"""JSONLogic's operators, with the meaning of the reference implementation (json-logic-js 2.0).

Values are JavaScript's (:mod:`~flagseal.evaluation.javascript`). One thing is ours: nothing made while evaluating may
grow beyond :data:`~flagseal.evaluation.javascript.LARGEST` characters or items. Repeated doubling in a ``reduce`` must
not exhaust the memory of the application that asked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from flagseal.evaluation.javascript import (
    LARGEST,
    NAN,
    TooLarge,
    double,
    is_number,
    joined,
    less,
    less_or_equal,
    loose_equal,
    parse_float,
    strict_equal,
    text_length,
    to_number,
    to_text,
    truthy,
    utf16,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


class MalformedTargeting(Exception):
    """The targeting asks for something that no evaluator can do (an unknown operator, a dangling ``$ref``)."""


class _Missing:
    """JavaScript's undefined, which only a look-up can give."""


_MISSING: Final = _Missing()


def contains(haystack: object, needle: object) -> bool:
    """Look for a member of an array, strictly, or for a substring (``in``)."""
    if isinstance(haystack, str):
        return haystack != "" and to_text(needle) in haystack
    if isinstance(haystack, (list, tuple)):
        return any(strict_equal(item, needle) for item in haystack)
    return False


# Texts and lists


def cat(*values: object) -> str:
    """Concatenate; null adds nothing."""
    return joined(values, "")


def _integer(value: object, length: int) -> int:
    """Convert by ToIntegerOrInfinity (7.1.5), clamped to what a text of this length can tell apart."""
    number = to_number(value)
    if math.isnan(number):
        return 0
    return int(max(-length - 1, min(length + 1, number)))


def substr(source: object, start: object = None, *length: object) -> str:
    """Cut out of a text by UTF-16 code units; a negative length cuts from the end, as in PHP."""
    text = to_text(source)
    if max(text, default="") <= "\uffff":
        return _cut(text, start, length)
    raw = utf16(text)
    units = "".join(chr(int.from_bytes(raw[at : at + 2], "big")) for at in range(0, len(raw), 2))
    return utf16(_cut(units, start, length)).decode("utf-16-be", "surrogatepass")


def _cut(text: str, start: object, length: Sequence[object]) -> str:
    size = len(text)
    begin = _integer(start, size)
    rest = text[max(size + begin, 0) :] if begin < 0 else text[begin:]
    if not length:
        return rest
    if less(length[0], 0):
        if not is_number(length[0]):
            return ""  # JavaScript joins the texts of the two where it should add them: no number
        kept = len(rest) + max(to_number(length[0]), -size - 1)
        return rest[: int(kept)] if kept > 0 else ""
    return rest[: _integer(length[0], size)]


def merge(*values: object) -> list[object]:
    """Join arrays into one; anything else is an array of itself."""
    merged: list[object] = []
    for value in values:
        if isinstance(value, (list, tuple)):
            merged.extend(value)
        else:
            merged.append(value)
        if len(merged) > LARGEST:
            raise TooLarge
    return merged


# Arithmetic


def add(*values: object) -> float:
    """Add what the texts of the values start with."""
    total: float = 0
    for value in values:
        total = double(total + double(parse_float(value)))
    return total


def multiply(*values: object) -> object:
    """Multiply what the texts of the values start with; a single value stays as it is."""
    if not values:
        raise MalformedTargeting("`*` without a value")
    product = values[0]
    for value in values[1:]:
        left, right = double(parse_float(product)), double(parse_float(value))
        # A zero has a sign, which only floats know.
        product = double(left * right or float(left) * right)
    return product


def subtract(left: object = _MISSING, *right: object) -> float:
    """Subtract, or negate a single value."""
    if left is _MISSING:
        return NAN
    if not right:
        return -(double(to_number(left)) or 0.0)
    return double(double(to_number(left)) - double(to_number(right[0])))


def divide(left: object = _MISSING, right: object = _MISSING, *_: object) -> float:
    """Divide; by zero gives an infinity or NaN."""
    if left is _MISSING or right is _MISSING:
        return NAN
    dividend, divisor = double(to_number(left)), double(to_number(right))
    if divisor != 0:
        return dividend / divisor
    if dividend == 0 or math.isnan(dividend):
        return NAN
    return math.copysign(math.inf, dividend) * math.copysign(1, divisor)


def modulo(left: object = _MISSING, right: object = _MISSING, *_: object) -> float:
    """Give the remainder with the sign of the dividend."""
    if left is _MISSING or right is _MISSING:
        return NAN
    dividend, divisor = double(to_number(left)), double(to_number(right))
    if divisor == 0 or math.isinf(dividend):
        return NAN
    remainder = math.fmod(dividend, divisor)
    return int(remainder) if remainder and isinstance(dividend, int) and isinstance(divisor, int) else remainder


def _extreme(values: Sequence[object], choose: Callable[[list[float]], float], empty: float) -> float:
    numbers = [to_number(value) for value in values]
    if any(number != number for number in numbers):  # noqa: PLR0124 (NaN wins)
        return NAN
    return choose(numbers) if numbers else empty


def smallest(*values: object) -> float:
    """Give the least number (``min``)."""
    return _extreme(values, min, math.inf)


def largest(*values: object) -> float:
    """Give the greatest number (``max``)."""
    return _extreme(values, max, -math.inf)


# Data


def _member(value: object, name: str) -> object:
    if isinstance(value, dict):
        return value.get(name, _MISSING)
    if isinstance(value, (str, list, tuple)):
        if name == "length":
            return text_length(value) if isinstance(value, str) else len(value)
        if _INDEX.fullmatch(name) is None:
            return _MISSING
        index = int(name)
        if isinstance(value, str) and not value.isascii():
            return substr(value, index, 1) or _MISSING
        return value[index] if index < len(value) else _MISSING
    if isinstance(value, Mapping):
        return value.get(name, _MISSING)
    return _MISSING


def descend(value: object, names: Sequence[str], default: object = None) -> object:
    """Follow property names into a value."""
    for name in names:
        if value is None:
            return default
        value = _member(value, name)
        if value is _MISSING:
            return default
    return value


def look_up(data: object, path: object = None, default: object = None, *_: object) -> object:
    """Find a value by its dotted path (``var``); no path means all of the data."""
    if path is None or path == "":
        return data
    return descend(data, to_text(path).split("."), default)


def missing(data: object, *keys: object) -> list[object]:
    """List the keys whose value is null or an empty text."""
    names = keys[0] if keys and isinstance(keys[0], (list, tuple)) else keys
    absent: list[object] = []
    for name in names:
        value = look_up(data, *name) if isinstance(name, (list, tuple)) else look_up(data, name)
        if value is None or value == "":
            absent.append(name)
    return absent


def missing_some(data: object, need: object = None, options: object = None, *_: object) -> list[object]:
    """List the missing keys, unless enough of them are there."""
    if not isinstance(options, (list, tuple, str)):
        raise MalformedTargeting("`missing_some` needs a list of keys")
    names: Sequence[object] = [options] if isinstance(options, str) else options
    absent = missing(data, names)
    size = text_length(options) if isinstance(options, str) else len(options)
    return [] if less_or_equal(need, size - len(absent)) else absent


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()


def keep(items: object, logic: Callable[[object], object]) -> list[object]:
    """Keep the members for which the logic is truthy (``filter``)."""
    return [item for item in _items(items) if truthy(logic(item))]


def each(items: object, logic: Callable[[object], object]) -> list[object]:
    """Apply the logic to every member (``map``)."""
    return [logic(item) for item in _items(items)]


def fold(items: object, logic: Callable[[object], object], initial: object) -> object:
    """Accumulate over the members (``reduce``)."""
    accumulator = initial
    for item in _items(items):
        accumulator = logic({"current": item, "accumulator": accumulator})
    return accumulator


def every(items: object, logic: Callable[[object], object]) -> bool:
    """Tell whether the logic is truthy for every member, and there is one (``all``)."""
    members = _items(items)
    return len(members) > 0 and all(truthy(logic(item)) for item in members)


def some(items: object, logic: Callable[[object], object]) -> bool:
    """Tell whether the logic is truthy for some member."""
    return any(truthy(logic(item)) for item in _items(items))


# Operators by name. Each takes evaluated arguments, however many there are.


def _first(arguments: Sequence[object]) -> object:
    return arguments[0] if arguments else None


def _pair(arguments: Sequence[object]) -> tuple[object, object]:
    # An argument that is not there is undefined, which equals null loosely but not strictly, and is NaN as a number.
    padded = (*arguments[:2], _MISSING, _MISSING)
    return padded[0], padded[1]


def _loosely(arguments: Sequence[object]) -> bool:
    left, right = (None if value is _MISSING else value for value in _pair(arguments))
    return loose_equal(left, right)


def _chain(compare: Callable[[object, object], bool], arguments: Sequence[object]) -> bool:
    if len(arguments) < 2:  # noqa: PLR2004
        return False
    holds = compare(arguments[0], arguments[1])
    return holds and (len(arguments) == 2 or compare(arguments[1], arguments[2]))  # noqa: PLR2004


def _starts_with(*arguments: object) -> bool | None:
    match arguments:
        case (str(text), str(start)):
            return text.startswith(start)
        case _:
            return None


def _ends_with(*arguments: object) -> bool | None:
    match arguments:
        case (str(text), str(end)):
            return text.endswith(end)
        case _:
            return None


OPERATORS: Final[Mapping[str, Callable[..., object]]] = {
    "==": lambda *values: _loosely(values),
    "!=": lambda *values: not _loosely(values),
    "===": lambda *values: strict_equal(*_pair(values)),
    "!==": lambda *values: not strict_equal(*_pair(values)),
    "<": lambda *values: _chain(less, values),
    "<=": lambda *values: _chain(less_or_equal, values),
    ">": lambda *values: _chain(lambda left, right: less(right, left), values[:2]),
    ">=": lambda *values: _chain(lambda left, right: less_or_equal(right, left), values[:2]),
    "!": lambda *values: not truthy(_first(values)),
    "!!": lambda *values: truthy(_first(values)),
    "%": modulo,
    # The reference prints it. An evaluation has no output.
    "log": lambda *values: _first(values),
    "in": lambda *values: len(values) > 1 and contains(values[1], values[0]),
    "cat": cat,
    "substr": lambda *values: substr(*values[:3]) if values else "undefined",
    "+": add,
    "*": multiply,
    "-": subtract,
    "/": divide,
    "min": smallest,
    "max": largest,
    "merge": merge,
    "starts_with": _starts_with,
    "ends_with": _ends_with,
}
"""Operators that need nothing but their arguments."""
