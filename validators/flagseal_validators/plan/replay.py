"""Recorded contexts, evaluated on both sides of a change: who is served something else, by rule and by group."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from flagseal.evaluation import FlagSet
from flagseal.evaluation.compile import compile_flag
from flagseal.evaluation.trace import DEFAULT, TARGETING
from flagseal.model.canonical import canonical_json
from flagseal.model.errors import CompileError
from flagseal.model.flag import Serve
from flagseal_validators.plan.sentences import clauses

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from flagseal.evaluation import Evaluation
    from flagseal.evaluation.resolved import ResolvedFlag
    from flagseal.model.canonical import Json
    from flagseal.model.flag import FlagDefinition

NOT_SERVED: Final = "not served"
"""Stands for a rule and for a variant where a side does not serve the flag."""

ABSENT: Final = "(none)"
"""The group of contexts that lack an attribute."""


@dataclass(frozen=True, slots=True)
class Moved:
    """How many contexts went from one rule to another (or stayed), and from one answer to another.

    Attributes:
        rules: Which rule answered, before and after.
        variants: With which variant.
    """

    rules: tuple[str, str]
    variants: tuple[str, str]
    count: int


@dataclass(frozen=True, slots=True)
class Group:
    """How many of the contexts with one value of an attribute change."""

    value: str
    changed: int
    total: int


@dataclass(frozen=True, slots=True)
class FlagReplay:
    """What contexts say about one flag.

    Attributes:
        changed: Contexts that are served another value.
        by_rule: The most frequent first.
    """

    flag: str
    changed: int
    by_rule: tuple[Moved, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """What contexts say about an environment.

    Attributes:
        at: Unix seconds at which both sides were evaluated.
        total: Contexts.
        changed: Those for which any flag serves another value.
        flags: By flag, those without a change included.
        groups: By attribute, the groups in which somebody changes; the most changed first.
    """

    at: int
    total: int
    changed: int
    flags: tuple[FlagReplay, ...]
    groups: Mapping[str, tuple[Group, ...]]


@dataclass(frozen=True)
class Side:
    """One side of one flag: it can be asked, and tells which rule answered.

    Attributes:
        key: What it is asked by; None where it is not served.
    """

    key: str | None
    answers: FlagSet
    rules: FlagSet

    def rule(self, context: Mapping[str, Json]) -> str:
        """Name the rule that answers a context."""
        if self.key is None:
            return NOT_SERVED
        return str(self.rules.evaluate(self.key, context).value)


@dataclass
class _Count:
    """What is counted for one flag."""

    before: Side
    after: Side
    changed: int = 0
    moves: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)

    def take(self, context: Mapping[str, Json]) -> bool:
        one, other = _ask(self.before, context), _ask(self.after, context)
        if _same(one, other):
            return False
        self.changed += 1
        rules = self.before.rule(context), self.after.rule(context)
        self.moves[(*rules, _answer(one), _answer(other))] += 1
        return True


def side(flag: ResolvedFlag | None, definition: FlagDefinition | None, *, bucketing: str, at: int) -> Side:
    """Make one side of a flag ready to be asked."""
    if flag is None or definition is None:
        empty = FlagSet.load({"flags": {}})
        return Side(None, empty, empty)
    return Side(
        definition.key, _load(flag, definition, bucketing, at), _load(_telling(flag), definition, bucketing, at)
    )


def _load(flag: ResolvedFlag, definition: FlagDefinition, bucketing: str, at: int) -> FlagSet:
    try:
        compiled: dict[str, Json] = {definition.key: compile_flag(flag, definition, None)}
    except CompileError:
        compiled = {}
    return FlagSet.load({"flags": compiled}, bucketing=bucketing, clock=lambda: at)


def _telling(flag: ResolvedFlag) -> ResolvedFlag:
    """Make a flag that serves, in place of variants, the name of the rule that answers."""
    if flag.raw is not None:
        return replace(flag, variants={"0": TARGETING}, rules=(), raw=None, default="0", safe_variant="0")
    names = {clause.name for clause in clauses(flag)} | {rule.name for rule in flag.rules}
    numbered = {name: f"rule-{number}" for number, name in enumerate(sorted(names))}
    return replace(
        flag,
        variants={DEFAULT: DEFAULT, **{number: name for name, number in numbered.items()}},
        rules=tuple(replace(rule, outcome=Serve(numbered[rule.name])) for rule in flag.rules),
        default=DEFAULT,
        safe_variant=DEFAULT,
    )


def replay(
    sides: Mapping[str, tuple[Side, Side]],
    contexts: Iterable[Mapping[str, Json]],
    *,
    at: int,
    group_by: Sequence[str] = (),
) -> Replay:
    """Evaluate contexts on both sides of each flag, and count who changes.

    Args:
        sides: By flag, before and after.
        contexts: Evaluation contexts.
        at: Unix seconds, as the sides were made for.
        group_by: Dotted paths of attributes.
    """
    counts = {flag: _Count(*pair) for flag, pair in sides.items()}
    totals: dict[str, Counter[str]] = {attribute: Counter() for attribute in group_by}
    moved: dict[str, Counter[str]] = {attribute: Counter() for attribute in group_by}
    total = changed = 0
    for context in contexts:
        total += 1
        any_changed = sum(count.take(context) for count in counts.values()) > 0
        changed += any_changed
        for attribute in group_by:
            value = _value_of(context, attribute)
            totals[attribute][value] += 1
            moved[attribute][value] += any_changed
    groups = {
        attribute: tuple(
            Group(value, number, totals[attribute][value])
            for value, number in sorted(moved[attribute].items(), key=lambda item: (-item[1], item[0]))
            if number
        )
        for attribute in group_by
    }
    return Replay(at, total, changed, tuple(_told(flag, count) for flag, count in sorted(counts.items())), groups)


def _told(flag: str, count: _Count) -> FlagReplay:
    moves = tuple(
        Moved((rule, other_rule), (variant, other_variant), number)
        for (rule, other_rule, variant, other_variant), number in sorted(
            count.moves.items(), key=lambda item: (-item[1], item[0])
        )
    )
    return FlagReplay(flag, count.changed, moves)


def _ask(one: Side, context: Mapping[str, Json]) -> Evaluation | None:
    return None if one.key is None else one.answers.evaluate(one.key, context)


def _same(one: Evaluation | None, other: Evaluation | None) -> bool:
    if one is None or other is None:
        return one is other
    if one.error_code != other.error_code:
        return False
    # As JSON: Python takes True for 1.
    return one.value is other.value or canonical_json(one.value) == canonical_json(other.value)


def _answer(one: Evaluation | None) -> str:
    if one is None:
        return NOT_SERVED
    return one.error_code or one.variant or ABSENT


def _value_of(context: Mapping[str, Json], attribute: str) -> str:
    found: object = context
    for step in attribute.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    if found is None:
        return ABSENT
    return found if isinstance(found, str) else canonical_json(found).decode()
