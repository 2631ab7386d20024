"""How comparisons, ``in`` and ``cat`` are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal.evaluation.codegen.writer import (
    Code,
    Site,
    Test,
    Writer,
    always,
    conditions,
    is_constant,
    known,
    never,
    operation,
    writes,
)
from flagseal.evaluation.javascript import is_number

if TYPE_CHECKING:
    from collections.abc import Sequence

_PAIR: Final = 2
BOOLEAN_TEXTS: Final = ("true", "false", "True", "False")
"""What ``cat`` makes of booleans, in JavaScript and in Python: how compiled conditions tell them from 1 and 0."""

OBJECT_TEXT: Final = "[object"
"""What ``cat`` makes of objects in JavaScript begins so, and no number's text does."""


def without_guards_of_sums(arguments: Sequence[object]) -> Sequence[object]:
    """Leave out of an ``and`` what a number that is its own sum passes anyway, and what must be one does not."""
    kept = list(arguments)
    at = 0
    while at + 3 < len(kept):
        match operation(kept[at + 3]):
            case ("===", [total, {"var": str()} as value]) if _sums(total) == [value] and kept[at : at + 3] == [
                {"!": [{"starts_with": [value, ""]}]},
                {"in": [value, {"merge": [value]}]},
                {"!": [{"starts_with": [{"cat": [value]}, OBJECT_TEXT]}]},
            ]:
                del kept[at : at + 3]
        at += 1
    return kept


@conditions("===")
def _strictly(writer: Writer, arguments: Sequence[object], site: Site) -> Test:
    if len(arguments) != _PAIR:
        return _called(writer, "===", arguments, site)
    left, right = arguments
    if _sums(left) == [right] and operation(right) is not None:
        return _is_number(writer, right, site)
    if is_constant(left) and not is_constant(right):
        left, right = right, left
    if not is_constant(right) or isinstance(right, (list, dict)):
        return _called(writer, "===", arguments, site)
    code, after = writer.value(left, site)
    if right is None:
        return Test(f"({code.text} is None)", after, after, exact=True)
    if isinstance(right, bool):
        yes = after.with_fact(code.name, "true" if right else "false")
        return Test(f"({code.text} is {right})", yes, after, exact=True)
    name = writer.bind(right)
    if isinstance(right, str):
        if known(after, code, "text"):
            return Test(f"({code.text} == {name})", after, after, exact=True)
        code = writer.name(code)
        text = f"({code.text} == {name} and isinstance({code.again}, str))"
        return Test(text, after.with_fact(code.name, "text"), after)
    if known(after, code, "number"):
        return Test(f"({code.text} == {name})", after, after, exact=True)
    code = writer.name(code)
    text = f"({code.text} == {name} and is_number({code.again}))"
    return Test(text, after.with_fact(code.name, "number"), after)


@conditions("!==")
def _strictly_not(writer: Writer, arguments: Sequence[object], site: Site) -> Test:
    test = _strictly(writer, arguments, site)
    return Test(f"(not {test.text})", test.no, test.yes, exact=True)


def _sums(node: object) -> Sequence[object] | None:
    match operation(node):
        case ("+", arguments):
            return arguments
        case _:
            return None


def _is_number(writer: Writer, node: object, site: Site) -> Test:
    """Write ``{"===": [{"+": [x]}, x]}``: only a number is what its own text says."""
    code, after = writer.value(node, site)
    if known(after, code, "number"):
        return always(after)
    code = writer.name(code)
    text = f"(is_number({code.text}) and {code.again} == {code.again})"
    return Test(text, after.with_fact(code.name, "number"), after, exact=True)


def _called(writer: Writer, operator: str, arguments: Sequence[object], site: Site) -> Test:
    texts, after = writer.values(arguments, site)
    return Test(f"{writer.operator(operator)}({', '.join(texts)})", after, after, exact=True)


@conditions("==")
def _loosely(writer: Writer, arguments: Sequence[object], site: Site) -> Test:
    if len(arguments) != _PAIR:
        return _called(writer, "==", arguments, site)
    left, right = arguments
    if is_constant(left) and not is_constant(right):
        left, right = right, left
    if not is_constant(right) or not isinstance(right, str):
        return _called(writer, "==", arguments, site)
    code, after = writer.value(left, site)
    name = writer.bind(right)
    if known(after, code, "text"):
        return Test(f"({code.text} == {name})", after, after, exact=True)
    code = writer.name(code)
    rest = f"loose_equal({code.again}, {name})"
    return Test(f"({code.again} == {name} if isinstance({code.text}, str) else {rest})", after, after, exact=True)


@conditions("!=")
def _loosely_not(writer: Writer, arguments: Sequence[object], site: Site) -> Test:
    test = _loosely(writer, arguments, site)
    return Test(f"(not {test.text})", test.no, test.yes, exact=True)


def _relation(operator: str) -> None:
    def write(writer: Writer, arguments: Sequence[object], site: Site) -> Test:
        if len(arguments) != _PAIR:
            return _called(writer, operator, arguments, site)
        left, here = writer.value(arguments[0], site)
        right, after = writer.value(arguments[1], here)
        if known(here, left, "number") and known(after, right, "number"):
            return Test(f"({left.text} {operator} {right.text})", after, after, exact=True)
        return Test(f"{writer.operator(operator)}({left.text}, {right.text})", after, after, exact=True)

    conditions(operator)(write)


for _operator in ("<", "<=", ">", ">="):
    _relation(_operator)


@conditions("in")
def _in(writer: Writer, arguments: Sequence[object], site: Site) -> Test:
    if len(arguments) != _PAIR:
        return _called(writer, "in", arguments, site)
    needle, haystack = arguments
    if isinstance(haystack, list) and is_constant(haystack):
        return _member(writer, needle, haystack, site)
    wanted, here = writer.value(needle, site)
    searched, after = writer.value(haystack, here)
    if isinstance(needle, str) and known(after, searched, "text"):
        # An empty text holds nothing, not even the empty text.
        found = f"({wanted.text} in {searched.text})"
        return Test(found if needle else f"({searched.text} != {wanted.text})", after, after, exact=True)
    return Test(f"{writer.operator('in')}({wanted.text}, {searched.text})", after, after, exact=True)


def _member(writer: Writer, needle: object, members: list[object], site: Site) -> Test:
    shown = _shown(needle)
    if shown is not None:
        told = _boolean_told(writer, shown, members, site)
        if told is not None:
            return told
    code, after = writer.value(needle, site)
    texts = frozenset(member for member in members if isinstance(member, str))
    if len(members) == sum(isinstance(member, str) for member in members):
        name = writer.bind(texts)
        if known(after, code, "text"):
            return Test(f"({code.text} in {name})", after, after, exact=True)
        code = writer.name(code)
        text = f"(isinstance({code.text}, str) and {code.again} in {name})"
        return Test(text, after.with_fact(code.name, "text"), after, exact=True)
    # Arrays and objects in the list are nobody else's, so nothing is identical to them.
    numbers = frozenset(member for member in members if is_number(member))
    singles = tuple(member for member in members if member is None or isinstance(member, bool))
    table = writer.bind((texts, numbers, singles))
    return Test(f"member_of({code.text}, {table})", after, after, exact=True)


def member_of(value: object, table: tuple[frozenset[str], frozenset[float], tuple[bool | None, ...]]) -> bool:
    """Look a value up among constants of several types, by type and value."""
    texts, numbers, singles = table
    if isinstance(value, str):
        return value in texts
    if value is None or isinstance(value, bool):
        return any(value is single for single in singles)
    return isinstance(value, (int, float)) and value in numbers


def _shown(node: object) -> object:
    match operation(node):
        case ("cat", [{"var": _} as shown]):
            return shown
        case _:
            return None


def _boolean_told(writer: Writer, node: object, members: list[object], site: Site) -> Test | None:
    """Write ``{"in": [{"cat": [x]}, ["true", …]]}`` where it is known whether x is a number or which boolean."""
    if not all(member in BOOLEAN_TEXTS for member in members):
        return None
    code, after = writer.value(node, site)
    fact = site.facts.get(code.name) if code.name is not None else None
    if fact is None or fact == "text":
        return None
    return always(after) if fact in members else never(after)


@writes("cat")
def _cat(writer: Writer, arguments: Sequence[object], site: Site) -> tuple[Code, Site]:
    codes = []
    for argument in arguments:
        code, site = writer.value(argument, site)
        codes.append(code)
    # Within a list, texts could double with every member: there the operator counts.
    if writer.scope.item is None and len(codes) > 1 and all(known(site, code, "text") for code in codes):
        return Code(f"({' + '.join(code.text for code in codes)})", "text"), site
    return Code(f"{writer.operator('cat')}({', '.join(code.text for code in codes)})", "text"), site
