"""The values of one attribute, cut into cells within which nothing that a flag asks of it changes.

A question (an *atom*) is a test of the attribute, or the membership in a table of entitlements. A cell is named by the
atoms that hold in it, as the bits of an integer. Cells may be too many (a combination that no value has) but never too
few: that is what makes proofs over them sound.

What a test says about a value is what the compiled form says (:mod:`~flagseal.evaluation.emit`): a missing attribute,
or one of another type, passes nothing but ``exists: false``.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, product
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, cast

from flagseal.evaluation.form import read_constraint
from flagseal.evaluation.semver import RELATIONS, Version, parse_version

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from flagseal.model.condition import Test

Rank: TypeAlias = Literal["never", "maybe", "always"]
"""Whether a value of the cell has a place among the buckets: only texts have, and not those beyond Unicode."""

MOST_CELLS: Final = 4096
"""Of one attribute; with more, nothing is decided."""

_MOST_FREE: Final = 10


class Undecided(Exception):
    """There are too many cases to look at."""


class Cell(NamedTuple):
    """Values that answer every atom alike."""

    mask: int
    rank: Rank


class Atoms(NamedTuple):
    """What is asked of one attribute: tests and tables, each with its bit."""

    tests: Sequence[tuple[int, Test]]
    tables: Sequence[tuple[int, Collection[str]]]
    bucketed: bool


def cells_of(atoms: Atoms) -> tuple[Cell, ...]:
    """Cut the values of an attribute into cells.

    Raises:
        Undecided: There are more than :data:`MOST_CELLS`.
    """
    kinds = (_missing(atoms), _other(atoms), _booleans(atoms), _numbers(atoms), _lists(atoms), _texts(atoms))
    found: dict[Cell, None] = {}
    for kind in kinds:
        for cell in kind:
            found[cell if atoms.bucketed else Cell(cell.mask, "never")] = None
            if len(found) > MOST_CELLS:
                raise Undecided
    return tuple(found)


def scalar_key(value: object) -> tuple[str, object]:
    """Tell scalars apart by type and value: true is not 1, but 1.0 is 1."""
    if isinstance(value, bool):
        return "boolean", value
    return ("number" if isinstance(value, (int, float)) else type(value).__name__), value


def test_key(test: Test) -> tuple[object, ...]:
    """Tell tests of one attribute apart."""
    operand = test.operand
    if isinstance(operand, tuple):
        return test.predicate, *map(scalar_key, operand)
    return test.predicate, scalar_key(operand)


def _members(test: Test, kind: str) -> list[object]:
    """List a test's operands of one type."""
    operands = test.operand if isinstance(test.operand, tuple) else (test.operand,)
    return [operand for operand in operands if scalar_key(operand)[0] == kind]


_INCLUDING: Final = ("eq", "in")
_EXCLUDING: Final = ("ne", "notIn")
_ORDER: Final = ("gt", "gte", "lt", "lte", "before", "after")


def _existing(atoms: Atoms) -> int:
    return sum(1 << bit for bit, test in atoms.tests if test.predicate == "exists" and test.operand)


def _missing(atoms: Atoms) -> Iterator[Cell]:
    yield Cell(sum(1 << bit for bit, test in atoms.tests if test.predicate == "exists" and not test.operand), "never")


def _other(atoms: Atoms) -> Iterator[Cell]:
    """Give objects, and the number that is none: there, and nothing else."""
    yield Cell(_existing(atoms), "never")


def _booleans(atoms: Atoms) -> Iterator[Cell]:
    for value in (True, False):
        yield Cell(_existing(atoms) | sum(_listed(atoms, "boolean", value)), "never")


def _listed(atoms: Atoms, kind: str, value: object) -> Iterator[int]:
    """Give the bits of equality and membership tests that a value of a type passes."""
    for bit, test in atoms.tests:
        if test.predicate in _INCLUDING and value in _members(test, kind):
            yield 1 << bit
        elif test.predicate in _EXCLUDING:
            members = _members(test, kind)
            if members and value not in members:
                yield 1 << bit


def _numbers(atoms: Atoms) -> Iterator[Cell]:
    bounds: set[Fraction] = set()
    for _, test in atoms.tests:
        if test.predicate in (*_INCLUDING, *_EXCLUDING, *_ORDER):
            bounds |= {Fraction(cast("float", number)) for number in _members(test, "number")}
    points = sorted(bounds) or [Fraction(0)]
    between = [(low + high) / 2 for low, high in pairwise(points)]
    for value in (points[0] - 1, *points, *between, points[-1] + 1):
        mask = _existing(atoms) | sum(_listed(atoms, "number", value))
        for bit, test in atoms.tests:
            if test.predicate in _ORDER and _ordered(test, value):
                mask |= 1 << bit
        yield Cell(mask, "never")


def _ordered(test: Test, value: Fraction) -> bool:
    bound = Fraction(test.operand)  # type: ignore[arg-type]  # a number, by the schema
    match test.predicate:
        case "gt" | "after":
            return value > bound
        case "gte":
            return value >= bound
        case "lte":
            return value <= bound
        case _:
            return value < bound


def _lists(atoms: Atoms) -> Iterator[Cell]:
    """Give lists: any of the members asked for may be in one."""
    bits: dict[tuple[str, object], int] = {}
    for bit, test in atoms.tests:
        if test.predicate == "contains":
            key = scalar_key(test.operand)
            bits[key] = bits.get(key, 0) | 1 << bit
    for held in _subsets(list(bits.values())):
        yield Cell(_existing(atoms) | sum(held), "never")


def _subsets(items: Sequence[int]) -> Iterator[tuple[int, ...]]:
    if len(items) > _MOST_FREE:
        raise Undecided
    for chosen in product((False, True), repeat=len(items)):
        yield tuple(item for item, taken in zip(items, chosen, strict=True) if taken)


# Texts


def _texts(atoms: Atoms) -> Iterator[Cell]:
    others = _existing(atoms)
    known: dict[str, int] = {"": 0} if atoms.bucketed else {}
    for bit, test in atoms.tests:
        members = [member for member in _members(test, "str") if isinstance(member, str)]
        if test.predicate in (*_INCLUDING, *_EXCLUDING):
            if test.predicate in _EXCLUDING and members:
                others |= 1 << bit
            # For those that exclude, the bit is taken away below.
            for member in set(members):
                known[member] = known.get(member, 0) ^ 1 << bit
    for bit, names in atoms.tables:
        for name in names:
            known[name] = known.get(name, 0) | 1 << bit
    patterns = [(bit, test) for bit, test in atoms.tests if test.predicate in _PATTERNS]
    for text, mask in known.items():
        matched = sum(1 << bit for bit, test in patterns if _matches(test, text))
        yield Cell((others ^ mask) | matched, _rank(text))
    for matched in _combinations(patterns):
        yield Cell(others | matched, "maybe")


def _rank(text: str) -> Rank:
    if not text:
        return "never"
    return "always" if text.isascii() else "maybe"


_PATTERNS: Final = ("startsWith", "endsWith", "hasSubstring", "semver")


def _matches(test: Test, text: str) -> bool:
    operand = str(test.operand)
    match test.predicate:
        case "startsWith":
            return text.startswith(operand)
        case "endsWith":
            return text.endswith(operand)
        case "hasSubstring":
            return operand in text
        case _:
            version = parse_version(text)
            return version is not None and _satisfies(version, operand)


def _combinations(patterns: Sequence[tuple[int, Test]]) -> Iterator[int]:
    """Give what patterns a text that nobody names may match."""
    by_predicate: dict[str, dict[str, int]] = {predicate: {} for predicate in _PATTERNS}
    for bit, test in patterns:
        bits = by_predicate[test.predicate]
        bits[str(test.operand)] = bits.get(str(test.operand), 0) | 1 << bit
    starts, ends = by_predicate["startsWith"], by_predicate["endsWith"]
    for start, end in product((*starts, None), (*ends, None)):
        affixes = sum(bits for it, bits in starts.items() if it == "" or (start is not None and start.startswith(it)))
        affixes |= sum(bits for it, bits in ends.items() if it == "" or (end is not None and end.endswith(it)))
        fixed = [affix for affix in (start, end) if affix is not None]
        for inner in _substrings(by_predicate["hasSubstring"], fixed):
            for version in _versions(by_predicate["semver"]):
                yield affixes | inner | version


def _substrings(bits: Mapping[str, int], fixed: Sequence[str]) -> Iterator[int]:
    """Give which texts may be inside one that has these affixes; what is inside of one that is inside is inside."""
    free = [text for text in bits if text and not any(text in affix for affix in fixed)]
    given = sum(mask for text, mask in bits.items() if text not in free)
    if len(free) > _MOST_FREE:
        raise Undecided
    for chosen in product((False, True), repeat=len(free)):
        held = {text for text, taken in zip(free, chosen, strict=True) if taken}
        if all(text in held for text in free for other in held if text in other):
            yield given | sum(bits[text] for text in held)


# Versions are ordered, and every relation holds for one stretch of that order (or all but a point of it).


def _lowest(major: int, minor: int) -> Version:
    """Give the version before every other of a minor version: its first pre-release."""
    return Version(major, minor, 0, released=False, prerelease=((0, 0, ""),))


def _stretch(constraint: str) -> tuple[Version, Version]:
    """Give the versions at whose places a relation begins or ceases to hold."""
    operator, bound = _read(constraint)
    if operator == "^":
        return _lowest(bound.major, 0), _lowest(bound.major + 1, 0)
    if operator == "~":
        return _lowest(bound.major, bound.minor), _lowest(bound.major, bound.minor + 1)
    return bound, bound


def _read(constraint: str) -> tuple[str, Version]:
    read = read_constraint(constraint)
    version = parse_version(read[1]) if read is not None else None
    if read is None or version is None:
        raise Undecided
    return read[0], version


def _satisfies(version: Version, constraint: str) -> bool:
    operator, bound = _read(constraint)
    return RELATIONS[operator](version, bound)


def _versions(bits: Mapping[str, int]) -> Iterator[int]:
    """Give which constraints a text may satisfy together: as no version, at each bound, and between bounds."""
    yield 0
    if not bits:
        return
    bounds = sorted({bound for constraint in bits for bound in _stretch(constraint)})
    for bound in bounds:
        yield sum(mask for constraint, mask in bits.items() if _satisfies(bound, constraint))
    for low, high in pairwise([None, *bounds, None]):
        yield sum(mask for constraint, mask in bits.items() if _satisfied_between(low, high, constraint))


def _satisfied_between(low: Version | None, high: Version | None, constraint: str) -> bool:
    """Tell whether versions strictly between two neighbouring bounds satisfy a constraint; None is no bound."""
    operator, bound = _read(constraint)
    start, end = _stretch(constraint)
    after_start, before_end = low is not None and low >= start, high is not None and high <= end
    match operator:
        case "=":
            return False
        case "!=":
            return True
        case "<" | "<=":
            return high is not None and high <= bound
        case ">" | ">=":
            return low is not None and low >= bound
        case _:
            return after_start and before_end


def union(masks: Iterable[int]) -> int:
    """Join masks."""
    result = 0
    for mask in masks:
        result |= mask
    return result
