"""Values as JavaScript reads them, which is how JSONLogic's reference implementation does.

None is null, a list or tuple an array, any mapping an object, an int or float a number, and whatever else an
application puts into a context an object without properties. Comments cite ECMA-262 (ES2023) where its rules surprise.

Integers beyond 2^53 are compared exactly, since Python can; arithmetic turns them into floats.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

LARGEST: Final = 1_000_000
"""Characters of a text, or items of a list, that an evaluation may make."""

NAN: Final = math.nan

_SAFE_INTEGER = 2**53
# WhiteSpace and LineTerminator, 12.2 and 12.3.
_SPACES = "\t\n\v\f\r \u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000\ufeff"
_DECIMAL = r"[+-]?(?:Infinity|(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)"
_NUMERIC = re.compile(_DECIMAL)
_RADIX = re.compile(r"0(?:[xX]([0-9a-fA-F]+)|[oO]([0-7]+)|[bB]([01]+))")
_EXPONENT_FROM = 21
_FRACTION_TO = -6


class TooLarge(Exception):
    """An operator would make more than :data:`LARGEST` characters or items."""


def is_number(value: object) -> bool:
    """Tell whether a value is a JavaScript number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def truthy(value: object) -> bool:
    """Tell whether a value counts as true: as in JavaScript, but an empty array is false."""
    if value is None or value is False:
        return False
    if isinstance(value, (int, float)):
        return value == value and value != 0  # noqa: PLR0124 (NaN is false)
    if isinstance(value, (str, list, tuple)):
        return len(value) > 0
    return True


def to_text(value: object) -> str:
    """Convert by ToString (7.1.17)."""
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, (list, tuple)):
        return joined(value, ",")
    return "[object Object]"


def joined(values: Iterable[object], separator: str) -> str:
    """Join as Array.prototype.join (23.1.3.18), which leaves null out, unlike ToString of null.

    Raises:
        TooLarge: The text would be longer than :data:`LARGEST`.
    """
    text = separator.join(["" if value is None else to_text(value) for value in values])
    if len(text) > LARGEST:
        raise TooLarge
    return text


def _float_text(value: float) -> str:
    """Convert by Number::toString (6.1.6.1.20): shortest digits, exponents only from 1e21 and below 1e-6."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = int(exponent or 0) + len(whole) - (len(whole + fraction) - len(digits) if whole == "0" else 0)
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= _EXPONENT_FROM:
        return sign + digits + "0" * (point - count)
    if 0 < point <= _EXPONENT_FROM:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if _FRACTION_TO < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = point - 1
    rest = f".{digits[1:]}" if count > 1 else ""
    return f"{sign}{digits[0]}{rest}e{'+' if power > 0 else '-'}{abs(power)}"


def _parsed(text: str) -> float:
    if "Infinity" in text:
        return -math.inf if text[0] == "-" else math.inf
    if text.lstrip("+-").isdigit() and len(text) <= 300:  # noqa: PLR2004 (a double ends at 309 digits)
        return int(text)
    return float(text)


def to_number(value: object) -> float:
    """Convert by ToNumber (7.1.4). Whole numbers stay ints."""
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, bool) else value
    if value is None:
        return 0
    if isinstance(value, (list, tuple)):
        value = to_text(value)
    if not isinstance(value, str):
        return NAN
    text = value.strip(_SPACES)
    if not text:
        return 0
    if _NUMERIC.fullmatch(text):
        return _parsed(text)
    radix = _RADIX.fullmatch(text)
    if radix and len(text) <= 300:  # noqa: PLR2004
        return int(text, 0)
    return NAN


def parse_float(value: object) -> float:
    """Read the number at the start of a value's text (19.2.4), as ``+`` and ``*`` do."""
    if is_number(value):
        return value  # type: ignore[return-value]
    match = _NUMERIC.match(to_text(value).lstrip(_SPACES))
    return _parsed(match[0]) if match else NAN


def double(value: float) -> float:
    """Keep arithmetic on doubles: a Python integer could grow without end."""
    if isinstance(value, int) and not -_SAFE_INTEGER <= value <= _SAFE_INTEGER:
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return value


def _primitive(value: object) -> object:
    """Convert by ToPrimitive (7.1.1): objects become texts."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    return to_text(value)


def strict_equal(left: object, right: object) -> bool:
    """Compare by IsStrictlyEqual (7.2.15): by type and value; arrays and objects by identity."""
    if isinstance(left, str):
        return isinstance(right, str) and left == right
    if left is None or isinstance(left, bool) or right is None or isinstance(right, bool):
        return left is right
    if isinstance(left, (int, float)):
        return isinstance(right, (int, float)) and left == right
    return left is right


def loose_equal(left: object, right: object) -> bool:
    """Compare by IsLooselyEqual (7.2.14)."""
    if left is None or right is None:
        return left is right
    left_simple, right_simple = isinstance(left, (str, int, float)), isinstance(right, (str, int, float))
    if not left_simple and not right_simple:
        return left is right
    if not left_simple:
        left = to_text(left)
    if not right_simple:
        right = to_text(right)
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    return to_number(left) == to_number(right)


def utf16(text: str) -> bytes:
    """Encode as UTF-16 code units, lone surrogates included; big-endian, so that bytes sort as units do."""
    return text.encode("utf-16-be", "surrogatepass")


def less(left: object, right: object) -> bool:
    """Compare by IsLessThan (7.2.13): two texts by UTF-16 code units, anything else as numbers."""
    left, right = _primitive(left), _primitive(right)
    if isinstance(left, str) and isinstance(right, str):
        # Code points and code units disagree only beyond the basic plane.
        return left < right if left.isascii() or right.isascii() else utf16(left) < utf16(right)
    return to_number(left) < to_number(right)


def less_or_equal(left: object, right: object) -> bool:
    """Compare as :func:`less`; NaN is neither below nor equal."""
    left, right = _primitive(left), _primitive(right)
    if isinstance(left, str) and isinstance(right, str):
        return not less(right, left)
    return to_number(left) <= to_number(right)


def text_length(text: str) -> int:
    """Count UTF-16 code units."""
    return len(text) if text.isascii() else len(utf16(text)) // 2
