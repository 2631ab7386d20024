"""What an unquoted word or number in YAML means, and when its meaning depends on who reads it.

YAML 1.1 (PyYAML, Go's yaml.v2 and with it kubectl) and YAML 1.2 (ruamel.yaml, most newer parsers) type many plain
scalars differently. Only those that every one of them types alike keep a type: ``null``, ``true``, ``false``, decimal
integers and ordinary floats. Everything else that some parser would not read as text has to be quoted.

Sources: YAML 1.1 type repository (bool, int, float, null, merge, value, timestamp), YAML 1.2.2 section 10.3.2.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from flagseal.model import rule_ids
from flagseal.model.characters import shown
from flagseal.model.limits import LARGEST_INTEGER

if TYPE_CHECKING:
    from flagseal.model.canonical import Json


class Unclear(msgspec.Struct, frozen=True):
    """Say why a plain scalar is refused."""

    rule: str
    message: str
    remedy: str


_TYPED: Final[dict[str, Json]] = {"null": None, "true": True, "false": False}

_YES: Final = ("y", "Y", "yes", "Yes", "YES", "on", "On", "ON")
_NO: Final = ("n", "N", "no", "No", "NO", "off", "Off", "OFF")

_SHORT: Final = 40
_STARTS_OF_NUMBERS: Final = frozenset("0123456789+-.")

_INTEGER: Final = re.compile(r"(?!-0$)-?(?:0|[1-9][0-9]*)", re.ASCII)
_FLOAT: Final = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+][0-9]+)?", re.ASCII)

_NUMBER_TO_SOME: Final = re.compile(
    r"[-+]?(?:"
    r"0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+"  # other bases
    r"|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9_]+)(?:[eE][-+]?[0-9_]+)?"  # 012, +1, 1_000, 1e3, .5, 5.
    r"|[0-9][0-9_]*(?::[0-9]{1,2})+(?:\.[0-9_]*)?"  # base 60: 1:20
    r")",
    re.ASCII,
)
_NOT_A_NUMBER: Final = re.compile(r"[-+]?\.?(?:inf|infinity|nan)", re.ASCII | re.IGNORECASE)
_DATE: Final = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    r"(?:(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::?[0-9]{2})?))?)?",
    re.ASCII,
)


def _word(text: str) -> Unclear:
    if text in _YES or text in _NO:
        meaning, better = ("true", "enabled") if text in _YES else ("false", "disabled")
        return Unclear(
            rule_ids.AMBIGUOUS,
            f"`{text}` is text to some YAML parsers and {meaning} to others",
            f'Quote it ("{text}"), or write {meaning} if you mean that; a variant is better called `{better}`.',
        )
    if text in {"", "~", "Null", "NULL"}:
        what = "an empty value" if text == "" else f"`{text}`"
        return Unclear(
            rule_ids.AMBIGUOUS, f"{what} is null to some and text to others", 'Write a value, null, or "" for no text.'
        )
    if text == "<<":
        return Unclear(rule_ids.ALIAS, "`<<` merges another mapping in some YAML parsers", "Write the entries out.")
    if text == "=":
        return Unclear(rule_ids.AMBIGUOUS, "`=` means the default value to some YAML parsers", 'Quote it ("=").')
    meaning = text.lower()
    return Unclear(
        rule_ids.AMBIGUOUS,
        f"`{text}` is {meaning} to some YAML parsers and text to others",
        f'Write {meaning}, or quote it ("{text}") if it is text.',
    )


_WORDS: Final[dict[str, Unclear]] = {
    text: _word(text) for text in (*_YES, *_NO, "", "~", "Null", "NULL", "<<", "=", "True", "TRUE", "False", "FALSE")
}


def read_plain(text: str) -> Json | Unclear:
    """Type a plain scalar.

    Returns:
        A value (text stays text; a float that is a whole number becomes the integer, which has the same canonical
        form), or why the scalar is refused.
    """
    # A repository repeats a few hundred words; only short ones are kept, so that no file can fill the memory.
    return _remembered(text) if len(text) <= _SHORT else _read_plain(text)


def _read_plain(text: str) -> Json | Unclear:
    if text in _TYPED:
        return _TYPED[text]
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _STARTS_OF_NUMBERS:
        return _number(text)
    return _no_number(text) if _NOT_A_NUMBER.fullmatch(text) else text


_remembered = lru_cache(maxsize=16_384)(_read_plain)


def whole(number: float) -> int | float:
    """Give a float that is a whole number as the integer: RFC 8785 writes both alike."""
    return int(number) if number.is_integer() else number


def out_of_range(number: float) -> bool:
    """Tell whether a number has no exact, finite form in JSON everywhere (NaN included)."""
    return not -LARGEST_INTEGER <= number <= LARGEST_INTEGER


def _number(text: str) -> Json | Unclear:
    if _INTEGER.fullmatch(text):
        # Length first: Python refuses to read integers of thousands of digits.
        if len(text) > len(str(-LARGEST_INTEGER)) or out_of_range(number := int(text)):
            return _too_large(text)
        return number
    if _FLOAT.fullmatch(text):
        value = float(text)
        if out_of_range(value):
            return _too_large(text)
        if value == 0 and (text[0] == "-" or text.strip("0.").lower()[:1] not in {"", "e"}):
            return Unclear(rule_ids.NUMBER_RANGE, f"`{shown(text)}` is lost in rounding to zero", "Write 0.")
        return whole(value)
    if _NOT_A_NUMBER.fullmatch(text):
        return _no_number(text)
    if _NUMBER_TO_SOME.fullmatch(text):
        return Unclear(
            rule_ids.AMBIGUOUS,
            f"`{shown(text)}` is not the same to all YAML parsers",
            f'Quote it ("{shown(text)}") if it is text; write a number in plain decimal digits, like 10 or 0.5.',
        )
    if _DATE.fullmatch(text):
        return Unclear(
            rule_ids.AMBIGUOUS,
            f"`{shown(text)}` is a date to some YAML parsers and text to others",
            f'Quote it: "{shown(text)}".',
        )
    return text


def _too_large(text: str) -> Unclear:
    return Unclear(
        rule_ids.NUMBER_RANGE,
        f"`{shown(text)}` lies beyond ±(2^53 − 1), where numbers lose digits",
        "Write a smaller number, or quote it to make it text.",
    )


def _no_number(text: str) -> Unclear:
    return Unclear(
        rule_ids.NUMBER_RANGE,
        f"`{shown(text)}` is no number that JSON can carry",
        f'Write a finite number, or quote it ("{shown(text)}") to make it text.',
    )
