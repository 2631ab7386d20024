"""How flagd's own operators are written: ``starts_with``, ``ends_with``, ``sem_ver``, ``fractional``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flagseal.evaluation.bucketing import LARGEST_SUM, whole_weight
from flagseal.evaluation.bucketing import split as split_evaluated
from flagseal.evaluation.codegen.writer import (
    Code,
    Site,
    Test,
    Writer,
    always,
    conditions,
    is_constant,
    known,
    operation,
    writes,
)
from flagseal.evaluation.semver import Version, parse_version, relation, sem_ver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PAIR = 2
_HASHES = 2**32


# Texts


@writes("starts_with")
def _starts_with(writer: Writer, arguments: Sequence[object], site: Site) -> tuple[Code, Site]:
    return _affix("starts_with", "startswith", writer, arguments, site)


@writes("ends_with")
def _ends_with(writer: Writer, arguments: Sequence[object], site: Site) -> tuple[Code, Site]:
    return _affix("ends_with", "endswith", writer, arguments, site)


def _affix(operator: str, method: str, writer: Writer, arguments: Sequence[object], site: Site) -> tuple[Code, Site]:
    if len(arguments) != _PAIR or not isinstance(arguments[1], str):
        texts, after = writer.values(arguments, site)
        return Code(f"{writer.operator(operator)}({', '.join(texts)})", "maybe"), after
    code, after = writer.value(arguments[0], site)
    affix = writer.bind(arguments[1])
    if known(after, code, "text"):
        return Code(f"{code.text}.{method}({affix})", "bool"), after
    code = writer.name(code)
    return Code(f"({code.again}.{method}({affix}) if isinstance({code.text}, str) else None)", "maybe"), after


@conditions("starts_with", boolean=False)
def _starts_with_test(writer: Writer, arguments: Sequence[object], site: Site) -> Test:
    if len(arguments) != _PAIR or not isinstance(arguments[1], str):
        code, after = _starts_with(writer, arguments, site)
        return Test(code.text, after, after)
    code, after = writer.value(arguments[0], site)
    is_text = known(after, code, "text")
    start = arguments[1]
    if is_text and not start:
        return always(after)
    code = writer.name(code)
    yes = after.with_fact(code.name, "text")
    if not start:
        return Test(f"isinstance({code.text}, str)", yes, after, exact=True)
    if is_text:
        return Test(f"{code.text}.startswith({writer.bind(start)})", yes, after, exact=True)
    text = f"(isinstance({code.text}, str) and {code.again}.startswith({writer.bind(start)}))"
    return Test(text, yes, after, exact=True)


@writes("sem_ver")
def _sem_ver(writer: Writer, arguments: Sequence[object], site: Site) -> tuple[Code, Site]:
    match arguments:
        case [version, str(operator), str(constraint)]:
            compare, bound = relation(operator), parse_version(constraint)
            if compare is None or bound is None:
                return Code("None", "null"), site
            code, after = writer.value(version, site)
            return Code(f"satisfies({code.text}, {writer.bind(compare)}, {writer.bind(bound)})", "maybe"), after
        case _:
            texts, after = writer.values(arguments, site)
            return Code(f"{writer.bind(sem_ver)}({', '.join(texts)})", "maybe"), after


def satisfies(version: object, compare: Callable[[Version, Version], bool], bound: Version) -> bool | None:
    """Compare a version with one that is known; None if it is none."""
    parsed = parse_version(version)
    return None if parsed is None else compare(parsed, bound)


# Splits


class Arms(NamedTuple):
    """The arms of a split whose weights are known.

    Attributes:
        values: What each arm serves, unevaluated; arms without weight are left out.
        ends: Where each ends.
        whole: Whether every rank lies below the last end.
    """

    values: list[object]
    ends: list[float]
    whole: bool


def arms(writer: Writer, nodes: Sequence[object]) -> Arms | None:
    """Read the arms of a split.

    Returns:
        None if a weight is computed. No values, if the arms serve nothing.
    """
    weights = []
    for node in nodes:
        if not isinstance(node, list):
            return None if operation(node) is not None else Arms([], [], whole=False)
        weight = whole_weight(node[1]) if len(node) == _PAIR else 1
        if len(node) not in {1, _PAIR}:
            return Arms([], [], whole=False)
        if weight is None:
            return None if operation(node[1]) is not None else Arms([], [], whole=False)
        weights.append(weight)
    if not 0 < sum(weights) <= LARGEST_SUM:
        return Arms([], [], whole=False)
    ends = writer.bucketing.ends(weights)
    served = [(node[0], end) for node, end, weight in zip(nodes, ends, weights, strict=True) if weight]  # type: ignore[index]
    whole = writer.bucketing.version != "v1"
    return Arms([value for value, _ in served], [end for _, end in served], whole=whole)


class Split(NamedTuple):
    """A split whose weights are known.

    Attributes:
        arms: What is served.
        rank: Gives the rank of the key, or None.
        listed: For a key that may turn out to be a list, and so an arm: when it is one, and what is served then.
    """

    arms: Arms
    rank: str
    listed: tuple[str, str] | None = None


def split(writer: Writer, arguments: Sequence[object], site: Site) -> tuple[Split | None, Site]:
    """Read a split; None if only an evaluation can tell its weights.

    What it is made of is written at most once, and nothing computed is written here: splits within splits must not
    cost twice as much with every level.
    """
    if not arguments:
        return Split(Arms([], [], whole=False), "None"), site
    first = arguments[0]
    if isinstance(first, list):
        read = arms(writer, arguments)
        return (Split(read, _shorthand(writer)) if read is not None else None), site
    read = arms(writer, arguments[1:])
    if read is None:
        return None, site
    constant = all(map(is_constant, arguments[1:]))
    if not constant and operation(first) is not None and not _is_text(first):
        return None, site
    code, after = writer.value(first, site)
    if code.kind not in {"any", "list"}:
        return Split(read, f"{writer.rank()}({code.text})"), after
    if not constant:
        return None, site
    code = writer.name(code)
    others = [writer.constant(arm).text for arm in arguments[1:]]
    listed = _split_call(writer, _shorthand(writer), [code.again, *others])
    return Split(read, f"{writer.rank()}({code.again})", (f"isinstance({code.text}, arrays)", listed)), after


def _is_text(node: object) -> bool:
    """Tell of a key whether it is certainly no list."""
    logic = operation(node)
    return logic is not None and logic[0] == "cat"


def _shorthand(writer: Writer) -> str:
    if writer.scope.item is not None:
        # flagd's own properties and the targeting key are no members of a list's member.
        return "None"
    name, key = writer.bind(writer.bucketing.shorthand), writer.bind(writer.flag_key)
    return f"{name}({key}, g({writer.bind('targetingKey')}))"


def _split_call(writer: Writer, rank: str, texts: Sequence[str]) -> str:
    return f"split({rank}, [{', '.join(texts)}], {writer.bind(writer.bucketing.ends)})"


@writes("fractional")
def _fractional(writer: Writer, arguments: Sequence[object], site: Site) -> tuple[Code, Site]:
    read, after = split(writer, arguments, site)
    if read is None:
        return _computed(writer, arguments, site)
    if not read.arms.values and read.listed is None:
        return Code("None", "null"), site
    name = writer.scope.temporary()
    texts = ["(", f"{read.listed[1]} if {read.listed[0]} else " if read.listed else ""]
    texts.append(f"None if ({name} := {read.rank}) is None else ")
    last = len(read.arms.values) - 1
    for position, (value, end) in enumerate(zip(read.arms.values, read.arms.ends, strict=True)):
        code, _ = writer.value(value, after)
        certain = position == last and read.arms.whole
        texts.append(code.text if certain else f"{code.text} if {name} < {writer.bind(end)} else ")
    texts.append(")" if read.arms.whole else "None)")
    return Code("".join(texts)), after


def _computed(writer: Writer, arguments: Sequence[object], site: Site) -> tuple[Code, Site]:
    """Write a split of which only an evaluation can tell the weights, or whether it has a key."""
    texts, after = writer.values(arguments, site)
    if isinstance(arguments[0], list):
        return Code(_split_call(writer, _shorthand(writer), texts)), after
    key, *others = texts
    ends = writer.bind(writer.bucketing.ends)
    shorthand = f"lambda: {_shorthand(writer)}"
    return Code(f"keyed_split({key}, [{', '.join(others)}], {writer.rank()}, {shorthand}, {ends})"), after


def keyed_split(
    key: object,
    others: Sequence[object],
    rank: Callable[[object], float | None],
    shorthand: Callable[[], float | None],
    ends: Callable[[Sequence[int]], tuple[float, ...]],
) -> object:
    """Split by a key, which is an arm itself if it is a list."""
    if isinstance(key, (list, tuple)):
        return split_evaluated(shorthand(), [key, *others], ends)
    return split_evaluated(rank(key), others, ends)
