"""Recorded contexts, evaluated on both sides of a change: who is served something else, by rule and by group.

Examples of who changes are targeting keys as recorded, a few of each kind and never more, whatever is replayed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeVar

from flagseal.evaluation import FlagSet
from flagseal.evaluation.compile import compile_flag
from flagseal.evaluation.trace import DEFAULT, TARGETING
from flagseal.model.canonical import canonical_json
from flagseal.model.errors import CompileError
from flagseal.model.flag import Serve
from flagseal_validators.plan.sentences import clauses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flagseal.evaluation import Evaluation
    from flagseal.evaluation.resolved import ResolvedFlag
    from flagseal.model.canonical import Json
    from flagseal.model.flag import FlagDefinition

K = TypeVar("K")

NOT_SERVED: Final = "not served"
"""Stands for a rule and for a variant where a side does not serve the flag."""

ABSENT: Final = "(none)"
"""The group of contexts that lack an attribute."""

EXAMPLES: Final = 3
"""Targeting keys that are kept of each kind of change, if nothing else is asked for."""

_LONGEST_EXAMPLE: Final = 80
_TELL_EVERY: Final = 256
"""Contexts between two reports of progress."""


@dataclass(frozen=True, slots=True)
class Moved:
    """How many contexts went from one rule to another (or stayed), and from one answer to another.

    Attributes:
        rules: Which rule answered, before and after.
        variants: With which variant.
        examples: A few targeting keys, the first recorded.
    """

    rules: tuple[str, str]
    variants: tuple[str, str]
    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Turned:
    """How many contexts went from one variant to another, in one flag, whatever rule answered."""

    flag: str
    variants: tuple[str, str]
    count: int


@dataclass(frozen=True, slots=True)
class Group:
    """How many of the contexts with one value of an attribute change.

    Attributes:
        value: As recorded; a text, or JSON.
        changed: Contexts for which any flag serves another value.
        total: Contexts with the value.
        turned: From which variant to which, the most frequent first.
        examples: A few targeting keys of those that change.
    """

    value: str
    changed: int
    total: int
    turned: tuple[Turned, ...] = ()
    examples: tuple[str, ...] = ()


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

    @property
    def by_variant(self) -> tuple[Turned, ...]:
        """The same by variant alone, the most frequent first."""
        counts: Counter[tuple[str, str]] = Counter()
        for moved in self.by_rule:
            counts[moved.variants] += moved.count
        return tuple(Turned(self.flag, pair, number) for pair, number in _most_frequent(counts))


@dataclass(frozen=True, slots=True)
class Replay:
    """What contexts say about an environment.

    Attributes:
        at: Unix seconds at which both sides were evaluated.
        total: Contexts.
        changed: Those for which any flag serves another value.
        flags: By flag, those without a change included.
        groups: By attribute, the groups in which somebody changes; the most changed first.
        later: Unix seconds, after ``at``, at which something begins or ends on one side only: not counted yet.
    """

    at: int
    total: int
    changed: int
    flags: tuple[FlagReplay, ...]
    groups: Mapping[str, tuple[Group, ...]]
    later: tuple[int, ...] = ()


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
    examples: dict[tuple[str, str, str, str], list[str]] = field(default_factory=dict)

    def take(self, context: Mapping[str, Json], keep: int) -> tuple[str, str] | None:
        """Count a context; give the variants before and after if it is served another value."""
        one, other = _ask(self.before, context), _ask(self.after, context)
        if _same(one, other):
            return None
        self.changed += 1
        variants = _answer(one), _answer(other)
        move = (self.before.rule(context), self.after.rule(context), *variants)
        self.moves[move] += 1
        _keep(self.examples.setdefault(move, []), context, keep)
        return variants


@dataclass
class _Grouped:
    """What is counted for one value of an attribute."""

    total: int = 0
    changed: int = 0
    turned: Counter[tuple[str, tuple[str, str]]] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


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
    contexts: Sequence[Mapping[str, Json]],
    *,
    at: int,
    group_by: Sequence[str] = (),
    examples: int = EXAMPLES,
    progress: Callable[[int, int], None] | None = None,
) -> Replay:
    """Evaluate contexts on both sides of each flag, and count who changes.

    Args:
        sides: By flag, before and after.
        contexts: Evaluation contexts.
        at: Unix seconds, as the sides were made for.
        group_by: Dotted paths of attributes.
        examples: Targeting keys to keep of each kind of change; none with 0.
        progress: Told, now and then, how many contexts are done, of how many.
    """
    counts = {flag: _Count(*pair) for flag, pair in sides.items()}
    grouped: dict[str, dict[str, _Grouped]] = {attribute: {} for attribute in group_by}
    changed = 0
    for number, context in enumerate(contexts, 1):
        turned = [
            (flag, variants)
            for flag, count in counts.items()
            if (variants := count.take(context, examples)) is not None
        ]
        changed += bool(turned)
        for attribute, values in grouped.items():
            group = values.setdefault(_value_of(context, attribute), _Grouped())
            group.total += 1
            if turned:
                group.changed += 1
                group.turned.update(turned)
                _keep(group.examples, context, examples)
        if progress is not None and number % _TELL_EVERY == 0:
            progress(number, len(contexts))
    return Replay(
        at,
        len(contexts),
        changed,
        tuple(_told(flag, count) for flag, count in sorted(counts.items())),
        {attribute: _groups(values) for attribute, values in grouped.items()},
    )


def _told(flag: str, count: _Count) -> FlagReplay:
    moves = tuple(
        Moved(move[:2], move[2:], number, tuple(count.examples[move])) for move, number in _most_frequent(count.moves)
    )
    return FlagReplay(flag, count.changed, moves)


def _groups(values: Mapping[str, _Grouped]) -> tuple[Group, ...]:
    found = (
        Group(
            value,
            group.changed,
            group.total,
            tuple(Turned(flag, variants, number) for (flag, variants), number in _most_frequent(group.turned)),
            tuple(group.examples),
        )
        for value, group in values.items()
        if group.changed
    )
    return tuple(sorted(found, key=lambda group: (-group.changed, group.value)))


def _most_frequent(counts: Counter[K]) -> list[tuple[K, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _keep(examples: list[str], context: Mapping[str, Json], most: int) -> None:
    """Keep whose context it is, while there are few; those without a targeting key are nobody to be named."""
    if len(examples) >= most:
        return
    key = context.get("targetingKey")
    if isinstance(key, str) and key and (short := key[:_LONGEST_EXAMPLE]) not in examples:
        examples.append(short)


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
