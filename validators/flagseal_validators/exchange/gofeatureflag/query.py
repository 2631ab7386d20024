"""GO Feature Flag's queries as conditions: its rule language, and JSONLogic where we read the same in it.

In the rule language ``and`` and ``or`` bind alike, from left to right. A comparison takes the type of its constant, and
is false for an attribute that is missing or of another type. Texts are compared without regard to letter case, but for
``in``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from flagseal.evaluation.semver import parse_version
from flagseal.model.condition import ALWAYS, NEVER, AllOf, AnyOf, Negation, Test
from flagseal.model.definitions import parse_condition
from flagseal_validators.exchange.conditions import FROM, UNTIL, Opaque, condition, normalised
from flagseal_validators.exchange.neutral import TARGETING_KEY
from flagseal_validators.exchange.node import NoForm

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagseal.model.canonical import Json
    from flagseal.model.condition import Condition, Predicate

_DEEPEST: Final = 24
_LONGEST: Final = 8_192

_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<text>"(?:\\.|[^"\\])*")
    | (?P<version>\d+\.\d+\.\d+)(?![\w.])
    | (?P<number>-?\d+(?:\.\d+)?)(?![\w.])
    | (?P<word>[A-Za-z][\w:-]*(?:\.[A-Za-z][\w:-]*)*)
    | (?P<mark>==|!=|>=|<=|[()\[\],<>])
    )""",
    re.VERBOSE,
)
_OPERATORS: Final = {
    "==": "eq", "!=": "ne", ">": "gt", "<": "lt", ">=": "ge", "<=": "le",
    **{word: word.lower() for word in ("eq", "ne", "gt", "lt", "ge", "le", "co", "sw", "ew", "in")},
    **{word: word.lower() for word in ("EQ", "NE", "GT", "LT", "GE", "LE", "CO", "SW", "EW", "IN")},
}  # fmt: skip
_TEXTUAL: Final[dict[str, Predicate]] = {
    "eq": "eq", "ne": "ne", "co": "hasSubstring", "sw": "startsWith", "ew": "endsWith",
}  # fmt: skip
_NUMERIC: Final[dict[str, Predicate]] = {"eq": "eq", "ne": "ne", "gt": "gt", "lt": "lt", "ge": "gte", "le": "lte"}
_VERSIONS: Final = {"eq": "=", "ne": "!=", "gt": ">", "lt": "<", "ge": ">=", "le": "<="}


def query_condition(text: str, place: str, differs: Callable[[str], None]) -> Condition:
    """Read a query.

    Args:
        text: As the file has it.
        place: Of it in the file.
        differs: Takes what is answered otherwise, in words.

    Raises:
        NoForm: It is none, or has no equal here.
    """
    text = text.strip()
    if not text:
        return ALWAYS
    if len(text) > _LONGEST:
        raise NoForm(place, f"a query of more than {_LONGEST} characters")
    if text.startswith("{"):
        return _logic(text, place)
    parser = _Parser(_tokens(text, place), place, differs)
    found = parser.query(0)
    parser.end()
    return found


def _logic(text: str, place: str) -> Condition:
    try:
        found = condition(normalised(cast("Json", json.loads(text))))
    except (ValueError, RecursionError):
        raise NoForm(place, "the query is no JSON") from None
    except Opaque as why:
        raise NoForm(place, f"in its JSONLogic, {why}") from None
    if isinstance(found, bool):
        return ALWAYS if found else NEVER
    if FROM in repr(found) or UNTIL in repr(found):
        raise NoForm(place, "its JSONLogic asks for the time of flagd, which is no attribute there")
    return parse_condition(cast("Json", found), place)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def _tokens(text: str, place: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            if text[at:].strip():
                raise NoForm(place, f"the query cannot be read from {text[at : at + 20].strip()!r} on")
            break
        kind = str(match.lastgroup)
        found.append(_Token(kind, match[kind]))
        at = match.end()
    return found


@dataclass
class _Parser:
    tokens: list[_Token]
    place: str
    differs: Callable[[str], None]
    at: int = 0

    def query(self, depth: int) -> Condition:
        if depth > _DEEPEST:
            raise NoForm(self.place, f"parentheses are nested more than {_DEEPEST} deep")
        found = self._single(depth)
        while self._peek() in {"and", "or"}:
            word = self._next().text
            other = self._single(depth)
            found = AllOf((found, other)) if word == "and" else AnyOf((found, other))
        return found

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise NoForm(self.place, f"the query cannot be read from {self.tokens[self.at].text!r} on")

    def _peek(self) -> str:
        return self.tokens[self.at].text if self.at < len(self.tokens) else ""

    def _next(self) -> _Token:
        if self.at >= len(self.tokens):
            raise NoForm(self.place, "the query ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def _single(self, depth: int) -> Condition:
        token = self._next()
        if token.text in {"not", "NOT"} and self._peek() == "(":
            self.at += 1
            return Negation(self._closed(depth))
        if token.text == "(":
            return self._closed(depth)
        if token.kind != "word":
            raise NoForm(self.place, f"an attribute is expected in the place of {token.text!r}")
        path = TARGETING_KEY if token.text in {"key", "targetingKey"} else tuple(token.text.split("."))
        operator = self._next().text
        if operator == "pr":
            return Test(path, "exists", operand=True)
        if operator not in _OPERATORS:
            raise NoForm(self.place, f"the query has no operator {operator!r}")
        return self._comparison(path, _OPERATORS[operator])

    def _closed(self, depth: int) -> Condition:
        found = self.query(depth + 1)
        if self._next().text != ")":
            raise NoForm(self.place, "a parenthesis of the query is not closed")
        return found

    def _comparison(self, path: tuple[str, ...], operator: str) -> Condition:
        token = self._next()
        if token.text == "[":
            return self._listed(path, operator)
        if operator == "in":
            raise NoForm(self.place, "`in` asks for a list")
        if token.kind == "text":
            return self._text(path, operator, token.text[1:-1])
        if token.kind == "version":
            return self._version(path, operator, token.text)
        if token.kind == "number" and operator in _NUMERIC:
            return Test(path, _NUMERIC[operator], _number(token.text))
        if token.text in {"true", "false"} and operator in {"eq", "ne"}:
            return _boolean(path, operator, value=token.text == "true")
        if token.text == "null" and operator in {"eq", "ne"}:
            return Test(path, "exists", operand=operator == "ne")
        raise NoForm(self.place, f"`{operator}` with {token.text!r} has no predicate of the same meaning")

    def _text(self, path: tuple[str, ...], operator: str, value: str) -> Condition:
        if operator not in _TEXTUAL:
            raise NoForm(self.place, f"`{operator}` compares the order of texts, which no predicate does")
        if value.lower() != value.upper():
            self.differs(f"letter case counts here: {value!r} is compared without regard to it there")
        return Test(path, _TEXTUAL[operator], value)

    def _version(self, path: tuple[str, ...], operator: str, value: str) -> Condition:
        if operator not in _VERSIONS or parse_version(value) is None:
            raise NoForm(self.place, f"`{operator}` with a version has no predicate of the same meaning")
        return Test(path, "semver", f"{_VERSIONS[operator]}{value}")

    def _listed(self, path: tuple[str, ...], operator: str) -> Condition:
        if operator != "in":
            raise NoForm(self.place, f"`{operator}` with a list has no predicate of the same meaning")
        members: list[Json] = []
        while True:
            token = self._next()
            if token.kind not in {"text", "number"}:
                raise NoForm(self.place, f"a list has no member {token.text!r}")
            members.append(token.text[1:-1] if token.kind == "text" else _number(token.text))
            divider = self._next().text
            if divider == "]":
                break
            if divider != ",":
                raise NoForm(self.place, "a list of the query is not closed")
        if len({isinstance(member, str) for member in members}) > 1:
            raise NoForm(self.place, "a list of texts and numbers")
        return Test(path, "in", tuple(members))


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _boolean(path: tuple[str, ...], operator: str, *, value: bool) -> Condition:
    wanted = value is (operator == "eq")
    if path == ("anonymous",):
        # Whoever does not say is not anonymous.
        is_so: Condition = Test(path, "eq", operand=True)
        return is_so if wanted else Negation(is_so)
    return Test(path, "eq", wanted)
