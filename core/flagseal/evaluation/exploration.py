"""Every case that a flag tells apart, looked at one by one.

A case fixes, for each attribute, one of its cells (:mod:`~flagseal.evaluation.cells`), for each split one stretch of
its buckets, and one stretch of time. Only what the answer depends on is fixed: an attribute is cut into its cells when
the first condition needs it, so an early rule that matches ends the matter.

Splits are compared as exact shares of the hash space. Two with the same salt and the same attribute move together;
any others are taken to be independent, and so are attributes, even one that lies within another: cases that cannot
occur may be looked at, none that can is left out. Shares are exact for bucketing v2 and v3, where an arm's end is its
share of 2^32, rounded up; the rounding of v1, which is for imports, is not looked at.
"""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction
from itertools import accumulate
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import msgspec

from flagseal.evaluation.cells import Atoms, Cell, Undecided, cells_of, test_key, union
from flagseal.evaluation.resolved import Granted, ResolvedSplit, Served, Window
from flagseal.model.canonical import canonical_json
from flagseal.model.condition import AllOf, AnyOf, Negation, Test

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from flagseal.evaluation.resolved import ResolvedCondition, ResolvedFlag, ResolvedRule
    from flagseal.model.flag import Serve

MOST_CASES: Final = 30_000
"""Cases looked at before a question is left undecided."""

_CELLS_A_CASE: Final = 64
_PARTS_A_CASE: Final = 64
"""Parts of conditions that are looked at in the time of a case."""
_DEEPEST: Final = 150
"""Attributes and buckets that one case fixes before a question is left undecided: more of them exhaust the stack."""
_ORG: Final = ("org",)
_NO_RANK: Final = -1


class Raw(msgspec.Struct, frozen=True):
    """Stand for whatever raw targeting serves: the same for the same logic under the same key.

    Attributes:
        identity: The logic, the key it is asked under, and its default.
    """

    identity: bytes


class Rest(msgspec.Struct, frozen=True):
    """Stand for what the rules that two flags share at their end serve."""


class Side(msgspec.Struct, frozen=True):
    """One of the flags that are compared, or a part of it.

    Attributes:
        rules: Those looked at.
        end: What is served where none of them matches.
        default: The variant served where a split has no key.
    """

    rules: tuple[ResolvedRule, ...]
    end: str | Raw | Rest
    default: str


Served_: TypeAlias = "str | Raw | Rest"
_Split: TypeAlias = "tuple[str, tuple[str, ...]]"


class _Unknown(msgspec.Struct, frozen=True):
    """What must be known before a question has an answer: an attribute, a split's bucket, or raw targeting."""

    path: tuple[str, ...] | None = None
    split: _Split | None = None
    raw: ResolvedFlag | None = None


class _Needs(Exception):
    def __init__(self, unknown: _Unknown) -> None:
        self.unknown = unknown


_State: TypeAlias = "dict[object, object]"


def side_of(flag: ResolvedFlag) -> Side:
    """Take a whole flag as a side."""
    return Side(flag.rules, raw_of(flag) if flag.raw is not None else flag.default, flag.default)


def raw_of(flag: ResolvedFlag) -> Raw:
    """Name what a flag's raw targeting serves."""
    return Raw(canonical_json([flag.raw, flag.key, flag.default, sorted(flag.variants)]))


class Exploration:
    """Look at every case that some flags tell apart.

    Args:
        sides: The flags, or parts of them.
        most: Cases to look at before a question is left undecided; :data:`MOST_CASES` if it is not given.

    Raises:
        Undecided: There are too many cases.
    """

    def __init__(self, sides: Sequence[Side], *, most: int | None = None) -> None:
        self._sides = sides
        self._left = MOST_CASES if most is None else most
        self._tests: dict[tuple[str, ...], dict[tuple[object, ...], tuple[int, Test]]] = {}
        self._bits: dict[int, int] = {}
        self._tables: dict[int, list[tuple[int, int, int]]] = {}
        self._names: list[tuple[int, Collection[str]]] = []
        self._next_bit: dict[tuple[str, ...], int] = {}
        self._bucketed: set[tuple[str, ...]] = set()
        self._ends: dict[_Split, set[Fraction]] = {}
        self._bounds: set[int] = set()
        self._parts = 0
        for side in sides:
            self._collect(side.rules)
        self._granted_bit = {key: 1 << self._bit(_ORG) for key in self._tables}
        self._cells = {path: cells_of(self._atoms(path)) for path in self._paths()}
        self._arms = {split: sorted(ends) for split, ends in self._ends.items()}
        self._cost = 1 + self._parts // _PARTS_A_CASE

    # Collecting what is asked

    def _bit(self, path: tuple[str, ...]) -> int:
        bit = self._next_bit.get(path, 0)
        self._next_bit[path] = bit + 1
        return bit

    def _collect(self, rules: Iterable[ResolvedRule]) -> None:
        for rule in rules:
            self._collect_condition(rule.when)
            if isinstance(rule.outcome, ResolvedSplit):
                split = rule.outcome
                self._bucketed.add(split.by)
                self._ends.setdefault((split.salt, split.by), set()).update(_ends(split))

    def _collect_condition(self, condition: ResolvedCondition) -> None:
        self._parts += 1
        match condition:
            case Test(path=path):
                known = self._tests.setdefault(path, {})
                key = test_key(condition)
                if key not in known:
                    known[key] = (self._bit(path), condition)
                self._bits[id(condition)] = 1 << known[key][0]
            case Window(since=since, until=until):
                self._bounds |= {bound for bound in (since, until) if bound is not None}
            case Granted(tables=tables):
                self._collect_tables(condition, tables)
            case Served(flag=flag):
                self._collect(flag.rules)
            case Negation(part=part):
                self._collect_condition(cast("ResolvedCondition", part))
            case AllOf(parts=parts) | AnyOf(parts=parts):
                for part in parts:
                    self._collect_condition(cast("ResolvedCondition", part))

    def _collect_tables(self, granted: Granted, tables: Sequence[tuple[int, int, Collection[str]]]) -> None:
        if id(granted) in self._tables:
            return
        self._tables[id(granted)] = []
        for since, until, names in tables:
            bit = self._bit(_ORG)
            self._names.append((bit, names))
            self._tables[id(granted)].append((since, until, 1 << bit))
            self._bounds |= {since, until}

    def _paths(self) -> set[tuple[str, ...]]:
        return {*self._tests, *self._bucketed, *([_ORG] if self._tables else [])}

    def _atoms(self, path: tuple[str, ...]) -> Atoms:
        tests = list(self._tests.get(path, {}).values())
        return Atoms(tests, self._names if path == _ORG else [], path in self._bucketed)

    # Looking at the cases

    def all_cases(self, holds: Callable[[Case], bool]) -> bool:
        """Tell whether something holds in every case.

        Args:
            holds: Asks a case what it needs; it may be asked again about parts of it.

        Raises:
            Undecided: There are too many cases.
        """
        bounds = sorted(self._bounds)
        instants = [bounds[0] - 1, *bounds] if bounds else [0]
        return all(self._holds(holds, _Moment(self, instant), {}) for instant in instants)

    def _holds(self, holds: Callable[[Case], bool], moment: _Moment, state: _State) -> bool:
        self._left -= self._cost
        if self._left < 0 or len(state) > _DEEPEST:
            raise Undecided
        try:
            return holds(Case(self._sides, moment, state))
        except _Needs as needs:
            unknown = needs.unknown
        return all(self._holds(holds, moment, {**state, **more}) for more in moment.choices(unknown, state))

    # What a moment asks

    def cells(self, path: tuple[str, ...]) -> tuple[Cell, ...]:
        """Give the cells of an attribute; looking through many of them counts as looking at cases."""
        cells = self._cells[path]
        self._left -= len(cells) // _CELLS_A_CASE
        return cells

    def bit(self, condition: Test) -> int:
        """Give the bit of a test."""
        return self._bits[id(condition)]

    def granted_bit(self, condition: Granted) -> int:
        """Give the bit that says, at a moment, whether an entitlement is in force."""
        return self._granted_bit[id(condition)]

    def apart_from_tables(self) -> int:
        """Give the bits that are no table's."""
        return ~union(1 << bit for bit, _ in self._names)

    def in_force(self, instant: int) -> Mapping[int, int]:
        """Give, by the bit of each entitlement, the bits of its tables that count at an instant."""
        return {
            self._granted_bit[key]: union(bit for since, until, bit in tables if since <= instant < until)
            for key, tables in self._tables.items()
        }

    def stretches(self, split: _Split) -> int:
        """Count the stretches of buckets that splits with the same key tell apart."""
        return len(self._arms[split])

    def served_in(self, split: ResolvedSplit, stretch: int) -> str:
        """Give what a split serves in a stretch."""
        # Every end of this split is the end of a stretch, so the arm is the first that ends no earlier.
        return split.arms[bisect_left(_ends(split), self._arms[split.salt, split.by][stretch])][0]


def _ends(split: ResolvedSplit) -> list[Fraction]:
    total = sum(weight for _, weight in split.arms)
    return [Fraction(end, total) for end in accumulate(weight for _, weight in split.arms)]


class _Moment:
    """One stretch of time."""

    def __init__(self, exploration: Exploration, instant: int) -> None:
        self.exploration = exploration
        self.instant = instant
        self._cells: dict[tuple[str, ...], tuple[Cell, ...]] = {}

    def cells(self, path: tuple[str, ...]) -> tuple[Cell, ...]:
        """Give the cells of an attribute as far as they differ now."""
        known = self._cells.get(path)
        if known is None:
            known = self.exploration.cells(path)
            in_force = self.exploration.in_force(self.instant) if path == _ORG else {}
            if in_force:
                kept = self.exploration.apart_from_tables()
                known = tuple(
                    dict.fromkeys(
                        Cell(
                            (cell.mask & kept) | union(bit for bit, now in in_force.items() if cell.mask & now),
                            cell.rank,
                        )
                        for cell in known
                    )
                )
            self._cells[path] = known
        return known

    def choices(self, unknown: _Unknown, state: _State) -> Iterator[_State]:
        """Give what an unknown can be."""
        if unknown.path is not None:
            yield from (_fixed(unknown.path, cell) for cell in self.cells(unknown.path))
        elif unknown.split is not None:
            cell = cast("Cell", state[unknown.split[1]])
            if cell.rank == "maybe":
                yield _fixed(unknown.split, _NO_RANK)
            stretches = range(self.exploration.stretches(unknown.split))
            yield from (_fixed(unknown.split, stretch) for stretch in stretches)
        elif unknown.raw is not None:
            yield from (_fixed(raw_of(unknown.raw), variant) for variant in (*unknown.raw.variants, None))


def _fixed(what: object, value: object) -> _State:
    return {what: value}


class Case:
    """A case as far as it is fixed; asking more of it fixes more."""

    def __init__(self, sides: Sequence[Side], moment: _Moment, state: _State) -> None:
        self._sides = sides
        self._moment = moment
        self._state = state
        self.matched: list[int | None] = [None for _ in sides]

    def served(self, number: int) -> Served_:
        """Give what a side serves: a variant, or what stands for it."""
        side = self._sides[number]
        for position, rule in enumerate(side.rules):
            if self._holds(rule.when):
                self.matched[number] = position
                return self._outcome(rule.outcome, side.default)
        return side.end

    def _holds(self, condition: ResolvedCondition) -> bool:
        answer = self._truth(condition)
        if isinstance(answer, _Unknown):
            raise _Needs(answer)
        return answer

    def _truth(self, condition: ResolvedCondition) -> bool | _Unknown:
        match condition:
            case Test(path=path):
                cell = self._state.get(path)
                bit = self._moment.exploration.bit(condition)
                return _Unknown(path=path) if cell is None else bool(cast("Cell", cell).mask & bit)
            case Window(since=since, until=until):
                now = self._moment.instant
                return (since is None or since <= now) and (until is None or now < until)
            case Granted(tables=tables):
                if not any(since <= self._moment.instant < until for since, until, _ in tables):
                    return False
                cell = self._state.get(_ORG)
                bit = self._moment.exploration.granted_bit(condition)
                return _Unknown(path=_ORG) if cell is None else bool(cast("Cell", cell).mask & bit)
            case Served(flag=flag, variant=variant):
                return self._serves(flag, variant)
            case Negation(part=part):
                answer = self._truth(cast("ResolvedCondition", part))
                return answer if isinstance(answer, _Unknown) else not answer
            case AllOf(parts=parts):
                return self._combined(parts, absorbing=False)
            case AnyOf(parts=parts):
                return self._combined(parts, absorbing=True)

    def _combined(self, parts: Sequence[object], *, absorbing: bool) -> bool | _Unknown:
        unknown: _Unknown | None = None
        for part in parts:
            answer = self._truth(cast("ResolvedCondition", part))
            if answer is absorbing:
                return absorbing
            if isinstance(answer, _Unknown):
                unknown = unknown or answer
        return unknown if unknown is not None else not absorbing

    def _serves(self, flag: ResolvedFlag, variant: str) -> bool | _Unknown:
        try:
            for rule in flag.rules:
                if self._holds(rule.when):
                    return self._outcome(rule.outcome, flag.default) == variant
        except _Needs as needs:
            return needs.unknown
        if flag.raw is None:
            return flag.default == variant
        raw = raw_of(flag)
        return self._state[raw] == variant if raw in self._state else _Unknown(raw=flag)

    def _outcome(self, outcome: Serve | ResolvedSplit, default: str) -> str:
        if not isinstance(outcome, ResolvedSplit):
            return outcome.variant
        if {variant for variant, _ in outcome.arms} == {default}:
            return default
        cell = self._state.get(outcome.by)
        if cell is None:
            raise _Needs(_Unknown(path=outcome.by))
        if cast("Cell", cell).rank == "never":
            return default
        split = (outcome.salt, outcome.by)
        stretch = self._state.get(split)
        if stretch is None:
            raise _Needs(_Unknown(split=split))
        return default if stretch == _NO_RANK else self._moment.exploration.served_in(outcome, cast("int", stretch))
