"""How ``if``, ``and``, ``or``, ``!`` and the operators on lists are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal.evaluation.codegen.comparisons import without_guards_of_sums
from flagseal.evaluation.codegen.entitlement import grants_of
from flagseal.evaluation.codegen.writer import (
    ALWAYS,
    NEVER,
    Code,
    Kind,
    Site,
    Test,
    Writer,
    always,
    conditions,
    never,
    operation,
    writes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_CHAIN: Final = 12
"""Arms of an ``if`` in one expression; longer ones become statements of a function."""


def arms_of(arguments: Sequence[object]) -> tuple[list[tuple[object, object]], object]:
    """Pair the conditions of an ``if`` with their consequences; what is left over at the end is the ``else``."""
    pairs = list(zip(arguments[0::2], arguments[1::2], strict=False))
    return pairs, arguments[-1] if len(arguments) % 2 else None


def _joined(kinds: set[Kind]) -> Kind:
    if len(kinds) == 1:
        return next(iter(kinds))
    return "maybe" if kinds <= {"bool", "maybe", "null"} else "any"


@writes("if", "?:")
def _if(writer: Writer, arguments: Sequence[object], site: Site) -> tuple[Code, Site]:
    pairs, otherwise = arms_of(arguments)
    if len(pairs) > LONGEST_CHAIN:
        return Code(writer.called(writer.function(lambda: _if_statements(writer, pairs, otherwise)))), site
    texts: list[str] = []
    kinds: set[Kind] = set()
    here, after = site, None
    for condition, consequence in pairs:
        test = writer.test(condition, here)
        # Whatever the first condition assigns is assigned whichever way it turns out.
        after = after or Site(test.yes.assigned & test.no.assigned, site.facts)
        code, _ = writer.value(consequence, test.yes)
        texts.append(f"{code.text} if {test.text} else ")
        kinds.add(code.kind)
        here = test.no
    code, last = writer.value(otherwise, here)
    if after is None:
        return code, last
    return Code(f"({''.join(texts)}{code.text})", _joined({*kinds, code.kind})), after


def _if_statements(writer: Writer, pairs: Sequence[tuple[object, object]], otherwise: object) -> list[str]:
    lines = []
    site = Site()
    for condition, consequence in pairs:
        test = writer.test(condition, site)
        code, _ = writer.value(consequence, test.yes)
        lines.append(f"if {test.text}: return {code.text}")
        site = test.no
    code, _ = writer.value(otherwise, site)
    return [*lines, f"return {code.text}"]


@conditions("and", boolean=False)
def _and(writer: Writer, arguments: Sequence[object], site: Site) -> Test:
    tests: list[Test] = []
    here = site
    for argument in without_guards_of_sums(arguments):
        tests.append(writer.test(argument, here))
        here = tests[-1].yes
    if not tests:
        return never(site)
    return _connected(tests, " and ", ALWAYS, here, _whichever([test.no for test in tests], site))


@conditions("or", boolean=False)
def _or(writer: Writer, arguments: Sequence[object], site: Site) -> Test:
    granted = _granted(writer, arguments, site)
    if granted is not None:
        return granted
    tests: list[Test] = []
    here = site
    for argument in arguments:
        tests.append(writer.test(argument, here))
        here = tests[-1].no
    if not tests:
        return never(site)
    return _connected(tests, " or ", NEVER, _whichever([test.yes for test in tests], site), here)


def _whichever(sites: Sequence[Site], before: Site) -> Site:
    """Know what is known whichever of the parts decided, which may be any of them."""
    return Site(frozenset.intersection(*(site.assigned for site in sites)), before.facts)


def _connected(tests: Sequence[Test], word: str, neutral: str, yes: Site, no: Site) -> Test:
    if len(tests) == 1:
        return tests[0]
    left = [test for test in tests if test.text != neutral]
    exact = all(test.exact for test in left)
    if not left:
        return Test(neutral, yes, no, exact=True)
    return Test(left[0].text if len(left) == 1 else f"({word.join(test.text for test in left)})", yes, no, exact=exact)


def _granted(writer: Writer, arguments: Sequence[object], site: Site) -> Test | None:
    grants = grants_of(arguments) if writer.scope.item is None else None
    if grants is None:
        return None
    path, held = grants
    code, after = writer.value({"var": path}, site)
    code = writer.name(code)
    text = f"(isinstance({code.text}, str) and {code.again} in {writer.bind(held.at)}({writer.now()}))"
    return Test(text, after.with_fact(code.name, "text"), after, exact=True)


def _chain(writer: Writer, arguments: Sequence[object], site: Site, word: str) -> tuple[Code, Site]:
    """Write the value of ``and`` (the first falsy argument, or the last) or of ``or`` (the first truthy one)."""
    if not arguments:
        return Code("None", "null"), site
    if len(arguments) > LONGEST_CHAIN:
        return Code(writer.called(writer.function(lambda: _chain_statements(writer, arguments, word)))), site
    code, after = writer.value(arguments[0], site)
    here = after
    heads: list[str] = []
    kinds: set[Kind] = {code.kind}
    for argument in arguments[1:]:
        if code.kind in {"bool", "maybe", "text"}:
            heads.append(f"({code.text} {word} ")
        else:
            code = writer.name(code)
            heads.append(f"({code.again} if {_stops(word)}truthy({code.text}) else ")
        code, here = writer.value(argument, here)
        kinds.add(code.kind)
    return Code(f"{''.join(heads)}{code.text}{')' * len(heads)}", _joined(kinds)), after


def _stops(word: str) -> str:
    return "" if word == "or" else "not "


def _chain_statements(writer: Writer, arguments: Sequence[object], word: str) -> list[str]:
    lines = []
    site = Site()
    for argument in arguments[:-1]:
        code, site = writer.value(argument, site)
        lines += [f"r = {code.text}", f"if {_stops(word)}truthy(r): return r"]
    code, _ = writer.value(arguments[-1], site)
    return [*lines, f"return {code.text}"]


writes("and")(lambda writer, arguments, site: _chain(writer, arguments, site, "and"))
writes("or")(lambda writer, arguments, site: _chain(writer, arguments, site, "or"))


@conditions("!")
def _not(writer: Writer, arguments: Sequence[object], site: Site) -> Test:
    test = writer.test(arguments[0] if arguments else None, site)
    if test.text in {ALWAYS, NEVER}:
        return never(test.no) if test.text == ALWAYS else always(test.no)
    return Test(f"(not {test.text})", test.no, test.yes, exact=True)


@conditions("!!")
def _truth(writer: Writer, arguments: Sequence[object], site: Site) -> Test:
    return writer.test(arguments[0] if arguments else None, site)


# Lists


def _over_members(call: str, kind: Kind, writer: Writer, arguments: Sequence[object], site: Site) -> tuple[Code, Site]:
    items, after = writer.value(arguments[0] if arguments else None, site)
    function = writer.logic_function(arguments[1] if len(arguments) > 1 else None)
    return Code(f"({call}({items.text}, {function}))", kind), after


writes("filter")(lambda *place: _over_members("keep", "list", *place))
writes("map")(lambda *place: _over_members("each", "list", *place))
writes("all")(lambda *place: _over_members("every", "bool", *place))
writes("none")(lambda *place: _over_members("not some", "bool", *place))


@conditions("some")
def _some(writer: Writer, arguments: Sequence[object], site: Site) -> Test:
    member = _sought_text(arguments)
    if member is None:
        code, after = _over_members("some", "bool", writer, arguments, site)
        return Test(code.text, after, after, exact=True)
    match operation(arguments[0]):
        case ("merge", [single]):
            code, after = writer.value(single, site)
            code, text = writer.name(code), writer.bind(member)
            alone = f"isinstance({code.again}, str) and {code.again} == {text}"
            return Test(
                f"({text} in {code.again} if isinstance({code.text}, arrays) else {alone})", after, after, exact=True
            )
    code, after = writer.value(arguments[0], site)
    code = writer.name(code)
    return Test(
        f"(isinstance({code.text}, arrays) and {writer.bind(member)} in {code.again})", after, after, exact=True
    )


def _sought_text(arguments: Sequence[object]) -> str | None:
    """Read ``{"some": [list, {"===": [{"var": ""}, "text"]}]}``, of which `contains` is made: one look-up."""
    if len(arguments) != 2:  # noqa: PLR2004 (the list and the logic)
        return None
    match operation(arguments[1]):
        case ("===", [{"var": ""}, str(member)]):
            return member
        case _:
            return None


@writes("reduce")
def _reduce(writer: Writer, arguments: Sequence[object], site: Site) -> tuple[Code, Site]:
    items, site = writer.value(arguments[0] if arguments else None, site)
    initial, site = writer.value(arguments[2] if len(arguments) > 2 else None, site)  # noqa: PLR2004 (the third)
    function = writer.logic_function(arguments[1] if len(arguments) > 1 else None)
    return Code(f"fold({items.text}, {function}, {initial.text})"), site
