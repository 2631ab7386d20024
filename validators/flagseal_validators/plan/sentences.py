"""What a flag serves, and what changes of it: "on for 2 organisations; now also on for 10 % of the others"."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, cast

from flagseal.evaluation.analysis import equivalent
from flagseal.evaluation.describe import describe_condition
from flagseal.evaluation.resolved import Granted, ResolvedSplit, Served, Window
from flagseal.model.canonical import canonical_json
from flagseal.model.condition import ALWAYS, AllOf, AnyOf, Negation, Test
from flagseal.model.flag import Serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from flagseal.evaluation.resolved import ResolvedCondition, ResolvedFlag, ResolvedRule
    from flagseal.model.canonical import Json

    Label = Callable[[str], str]

_NOUNS: Final[dict[tuple[str, ...], tuple[str, str]]] = {
    ("org",): ("organisation", "organisations"),
    ("targetingKey",): ("targeting key", "targeting keys"),
}
"""What the members of a list are called, by attribute, where there is a word."""

_SHOWN: Final = 5
_WHOLE: Final = 100
_DIGITS: Final = 3
_MOST_DIGITS: Final = 12
_LONGEST_VALUE: Final = 60
UNTOLD: Final = "served otherwise, in a way these words do not tell"
"""Where something may differ and no sentence was found: a plan is not silent about it."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A rule, or the rules that a schedule became, as one.

    Attributes:
        key: What it is, on both sides of a change: the rule's own name; which of several of that name, by the variant,
            None for the last; and a number. Whoever names rules cannot write the key of another.
        name: The rule's, to be read; several may be called the same.
        when: Its condition, times left out.
        times: Its times in words; empty for always.
        outcome: What it serves, at the end of its schedule if it has one.
        start: What a schedule serves at its beginning; None for a rule that is no schedule.
        first: Whether nothing comes before it, so that "the others" are everyone.
        rules: The rules it stands for.
    """

    key: tuple[str, str | None, int]
    name: str
    when: ResolvedCondition
    times: str
    outcome: Serve | ResolvedSplit
    start: Serve | ResolvedSplit | None
    first: bool
    rules: tuple[ResolvedRule, ...]


def summary(flag: ResolvedFlag, label: Label) -> str:
    """Say what a flag serves."""
    if flag.raw is not None:
        return f"by raw targeting, otherwise {label(flag.default)}"
    parts = [clause_text(clause, flag, label) for clause in clauses(flag)]
    if not parts:
        return f"{label(flag.default)} for everyone"
    return ", ".join([*parts, f"otherwise {label(flag.default)}"])


def changes(before: ResolvedFlag, after: ResolvedFlag, label: Label) -> tuple[str, ...]:
    """Say what differs between two states of a flag, each to be read after "now"; nothing if only the writing does."""
    if _serve_the_same(before, after):
        return ()
    found = [*_identity(before, after), *_values(before, after)]
    if canonical_json(before.raw) != canonical_json(after.raw):
        found.append("other raw targeting (nobody can say whom it moves)" if after.raw is not None else "rules alone")
    old, new = {it.key: it for it in clauses(before)}, {it.key: it for it in clauses(after)}
    keys = list(new)
    kept = [key for key in keys if key in old]
    for position, key in enumerate(keys):
        if key in old:
            found += _changed(old[key], new[key], after, label)
            continue
        follower = next((new[other].name for other in keys[position + 1 :] if other in old), None)
        text = clause_text(new[key], after, label)
        found.append(f"also {text}" if follower is None else f"{text}, before the rule {follower!r} is looked at")
    found += [f"no longer {clause_text(old[key], before, label)}" for key in old if key not in new]
    if kept != [key for key in old if key in new]:
        found.append(f"the rules in another order: {', '.join(repr(new[key].name) for key in kept)}")
    if before.default != after.default:
        found.append(f"{label(after.default)} instead of {label(before.default)} for everyone else")
    if not found and repr(before.rules) != repr(after.rules):
        found.append(UNTOLD)
    return tuple(found)


def on_or_off(*flags: ResolvedFlag | None) -> Label:
    """Give the words for variants: ``on`` and ``off`` for a switch, otherwise their names."""
    words: dict[str, str] = {}
    for flag in flags:
        values = list(flag.variants.items()) if flag is not None else []
        if len(values) == 2 and {value is True for _, value in values} == {True, False}:  # noqa: PLR2004 (on and off)
            names = {name: "on" if value is True else "off" for name, value in values if isinstance(value, bool)}
            if any(words.get(name, word) != word for name, word in names.items()):
                return str
            words |= names
    return lambda variant: words.get(variant, variant)


# One rule


def clauses(flag: ResolvedFlag) -> tuple[Clause, ...]:
    """Take the rules of a flag, those of one schedule together."""
    groups: list[list[ResolvedRule]] = []
    for rule in flag.rules:
        if groups and _goes_on(groups[-1][-1], rule):
            groups[-1].append(rule)
        else:
            groups.append([rule])
    found: list[Clause] = []
    seen: Counter[tuple[str, str | None]] = Counter()
    for number, rules in enumerate(groups):
        last = rules[-1]
        when, window = _apart(last.when)
        times, start = _times(window), None
        if len(rules) > 1:
            begun, ended = _apart(rules[0].when)[1].since, window.since
            times, start = f"from {_instant(begun)} to {_instant(ended)}", rules[0].outcome
        name, which = last.name, None
        if any(name == group[-1].name for group in groups[number + 1 :]):
            # Grants that name a variant come as a rule before their rule.
            which = last.outcome.variant if isinstance(last.outcome, Serve) else ""
            name = f"{name} ({which or number})"
        key = (last.name, which, seen[last.name, which])
        seen[last.name, which] += 1
        found.append(Clause(key, name, when, times, last.outcome, start, not found, tuple(rules)))
    return tuple(found)


def _goes_on(before: ResolvedRule, after: ResolvedRule) -> bool:
    """Tell whether a rule is the next step of a schedule."""
    until, since = _apart(before.when)[1].until, _apart(after.when)[1].since
    return before.name == after.name and until is not None and since is not None and since >= until


def clause_text(clause: Clause, flag: ResolvedFlag, label: Label) -> str:
    """Say what a rule serves, and to whom."""
    match clause.when:
        case Negation(part=Served(flag=required, variant=variant)):
            served = label(clause.outcome.variant) if isinstance(clause.outcome, Serve) else ""
            return f"{served} unless {required.namespace}/{required.name} serves {variant}"
    whom = _whom(clause)
    times = f" {clause.times}" if clause.times else ""
    if isinstance(clause.outcome, Serve):
        return f"{label(clause.outcome.variant)} for {whom}{times}"
    return f"{_shares(clause, flag, label)} of {whom}{_by(clause.outcome)}{times}"


def _shares(clause: Clause, flag: ResolvedFlag, label: Label, digits: int = _DIGITS) -> str:
    outcome = clause.outcome
    if isinstance(outcome, Serve):
        return label(outcome.variant)
    rest = flag.default
    growing = [variant for variant, _ in outcome.arms if variant != rest]
    if len(growing) == 1:
        end = _percent(outcome, growing[0], digits)
        if clause.start is not None:
            return f"{label(growing[0])} for {_percent(clause.start, growing[0], digits)} growing to {end}"
        return f"{label(growing[0])} for {end}"
    return ", ".join(f"{label(variant)} for {_percent(outcome, variant, digits)}" for variant, _ in outcome.arms)


def _percent(outcome: Serve | ResolvedSplit, variant: str, digits: int) -> str:
    if isinstance(outcome, Serve):
        return "100 %" if outcome.variant == variant else "0 %"
    total = sum(weight for _, weight in outcome.arms)
    share = sum(weight for name, weight in outcome.arms if name == variant)
    text = f"{100 * share / total:.{digits}g}"
    # What is left to somebody is not everybody's.
    while share < total and float(text) >= _WHOLE and digits < _MOST_DIGITS:
        digits += 1
        text = f"{100 * share / total:.{digits}g}"
    return f"{Decimal(text):f} %"


def _by(outcome: Serve | ResolvedSplit) -> str:
    if not isinstance(outcome, ResolvedSplit) or outcome.by == ("targetingKey",):
        return ""
    return f" (by {'.'.join(outcome.by)})"


def _whom(clause: Clause) -> str:
    when = clause.when
    if when == ALWAYS:
        return "everyone" if clause.first else "the others"
    members = _members(when)
    if members is not None:
        path, names = members
        return _named(path, names)
    if isinstance(when, Granted):
        names = sorted({name for _, _, table in when.tables for name in table})
        if not names:
            return "no entitled organisation yet"
        return f"{len(names)} entitled {_plural(len(names), ('org',))} ({_listed(names)})"
    return f"those where {describe_condition(when)}"


def _members(when: ResolvedCondition) -> tuple[tuple[str, ...], list[str]] | None:
    """Read a condition that lists texts of an attribute that has a noun."""
    if not isinstance(when, Test) or when.path not in _NOUNS or when.predicate not in {"eq", "in"}:
        return None
    operands = when.operand if isinstance(when.operand, tuple) else (when.operand,)
    names = [operand for operand in operands if isinstance(operand, str)]
    return (when.path, names) if len(names) == len(operands) else None


def _named(path: tuple[str, ...], names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{_plural(1, path)} {names[0]}"
    return f"{len(names)} {_plural(len(names), path)} ({_listed(names)})"


def _plural(number: int, path: tuple[str, ...]) -> str:
    return _NOUNS[path][number != 1]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else shown or "none"


def _apart(when: ResolvedCondition) -> tuple[ResolvedCondition, Window]:
    """Tell a condition from the times around it."""
    parts: list[object] = list(when.parts) if isinstance(when, AllOf) else [when]
    windows = [part for part in parts if isinstance(part, Window)]
    rest = [part for part in parts if not isinstance(part, Window)]
    since = max((window.since for window in windows if window.since is not None), default=None)
    until = min((window.until for window in windows if window.until is not None), default=None)
    left = rest[0] if len(rest) == 1 else AllOf(tuple(rest))  # type: ignore[arg-type]  # resolved conditions
    return left, Window(since, until)  # type: ignore[return-value]


def _times(window: Window) -> str:
    since = f"from {_instant(window.since)}" if window.since is not None else ""
    until = f"until {_instant(window.until)}" if window.until is not None else ""
    return " ".join(part for part in (since, until) if part)


def _instant(seconds: int | None) -> str:
    return "ever" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


# What differs


def _serve_the_same(before: ResolvedFlag, after: ResolvedFlag) -> bool:
    """Prove that everybody is served the same variant, whatever is written; False where it cannot be decided."""
    one, other = canonical_json(before.variants), canonical_json(after.variants)
    values = {canonical_json(value) for value in after.variants.values()}
    named = before.safe_variant == after.safe_variant and one == other and len(values) == len(after.variants)
    return named and equivalent(after, before)


def _identity(before: ResolvedFlag, after: ResolvedFlag) -> Iterator[str]:
    if before.key != after.key:
        yield f"asked for as {after.key} instead of {before.key}"
    if before.safe_variant != after.safe_variant:
        yield f"the safe variant {after.safe_variant} instead of {before.safe_variant}"


def _values(before: ResolvedFlag, after: ResolvedFlag) -> Iterator[str]:
    for name in sorted(before.variants.keys() | after.variants.keys()):
        if name not in after.variants:
            yield f"without the variant {name}"
        elif name not in before.variants:
            yield f"with the variant {name} ({_value(after.variants[name])})"
        elif canonical_json(before.variants[name]) != canonical_json(after.variants[name]):
            yield f"{_value(after.variants[name])} instead of {_value(before.variants[name])} as the value of {name}"


def _value(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _changed(before: Clause, after: Clause, flag: ResolvedFlag, label: Label) -> Iterator[str]:
    if repr(before.rules) == repr(after.rules):
        return
    same_outcome = (before.outcome, before.start) == (after.outcome, after.start)
    match before.when, after.when:
        case Negation(part=Served(variant=one) as required), Negation(part=Served(variant=other)) if one == other:
            yield f"{required.flag.namespace}/{required.flag.name}, which it requires, serves otherwise"
            return
    if same_outcome and before.times == after.times and (granted := _granted(before.when, after.when)):
        yield from granted
        return
    same_when = repr(before.when) == repr(after.when)
    if same_outcome and before.times == after.times and (moved := _moved_members(before, after)) is not None:
        path, added, gone = moved
        served = _shares(after, flag, label)
        of = "for" if isinstance(after.outcome, Serve) else "of"
        if added:
            yield f"also {served} {of} {_named(path, added)}"
        if gone:
            yield f"no longer {served} {of} {_named(path, gone)}"
        return
    drawn = _drawn(before, after)
    if same_when and before.times == after.times and before.start is None and after.start is None:
        shares = _told_apart(before, after, flag, label)
        if isinstance(before.outcome, ResolvedSplit) and isinstance(after.outcome, ResolvedSplit):
            served, _, share = shares[0].rpartition(" for ")
            old = share if served and shares[1].startswith(f"{served} for ") else shares[0]
            told = shares[1] if shares[0] == shares[1] else f"{shares[1]} instead of {old}"
            yield f"{told} of {_whom(after)}{_by(after.outcome)}{drawn}"
            return
    texts = clause_text(before, flag, label), clause_text(after, flag, label)
    if texts[0] == texts[1] and not drawn:
        steps = len(before.rules) - 1, len(after.rules) - 1
        differ = steps[0] != steps[1]
        how = f"{steps[1]} {'step' if steps[1] == 1 else 'steps'} instead of {steps[0]}" if differ else "another way"
        yield f"{texts[1]}, in {how} (the rule {after.name!r})"
    else:
        yield f"{texts[1]} instead of {texts[0]}{drawn}"


def _told_apart(before: Clause, after: Clause, flag: ResolvedFlag, label: Label) -> tuple[str, str]:
    """Say two shares with as many digits as tell them apart."""
    for digits in range(_DIGITS, _MOST_DIGITS + 1):
        shares = _shares(before, flag, label, digits), _shares(after, flag, label, digits)
        if shares[0] != shares[1]:
            return shares
    return _shares(before, flag, label), _shares(after, flag, label)


def _drawn(before: Clause, after: Clause) -> str:
    one, other = before.outcome, after.outcome
    if isinstance(one, ResolvedSplit) and isinstance(other, ResolvedSplit) and one != other:
        if one.salt != other.salt:
            return f", drawn anew with the salt {other.salt} instead of {one.salt}"
        if one.by != other.by:
            return f", drawn anew by {'.'.join(other.by)} instead of {'.'.join(one.by)}"
        if sorted(one.arms) == sorted(other.arms):
            return ", with its arms in another order"
    return ""


def _moved_members(before: Clause, after: Clause) -> tuple[tuple[str, ...], list[str], list[str]] | None:
    one, other = _members(before.when), _members(after.when)
    if one is None or other is None or one[0] != other[0] or set(one[1]) == set(other[1]):
        return None
    added = [name for name in other[1] if name not in one[1]]
    return one[0], added, [name for name in one[1] if name not in other[1]]


def _granted(before: ResolvedCondition, after: ResolvedCondition) -> list[str]:
    """Say whose grants differ, if nothing else of two conditions does."""
    if repr(_without_grants(before)) != repr(_without_grants(after)):
        return []
    old, new = _grants(before), _grants(after)
    added, gone = sorted(new.keys() - old.keys()), sorted(old.keys() - new.keys())
    told = [f"also granted to {_named(('org',), added)}"] if added else []
    told += [f"no longer granted to {_named(('org',), gone)}"] if gone else []
    moved = [name for name in sorted(old.keys() & new.keys()) if old[name] != new[name]]
    told += [f"granted to {name} {_spans(new[name])} instead of {_spans(old[name])}" for name in moved[:_SHOWN]]
    if len(moved) > _SHOWN:
        told.append(f"at other times to {len(moved) - _SHOWN:,} more organisations")
    return told


def _spans(spans: set[tuple[int, int]]) -> str:
    return " and ".join(f"from {_instant(since)} until {_instant(until)}" for since, until in sorted(spans))


def _grants(condition: ResolvedCondition) -> dict[str, set[tuple[int, int]]]:
    found: dict[str, set[tuple[int, int]]] = {}
    match condition:
        case Granted(tables=tables):
            for since, until, names in tables:
                for name in names:
                    found.setdefault(name, set()).add((since, until))
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                for name, spans in _grants(cast("ResolvedCondition", part)).items():
                    found.setdefault(name, set()).update(spans)
        case Negation(part=part):
            found = _grants(cast("ResolvedCondition", part))
    return found


def _without_grants(condition: ResolvedCondition) -> object:
    match condition:
        case Granted():
            return Granted(())
        case AllOf(parts=parts) | AnyOf(parts=parts):
            return type(condition), [_without_grants(cast("ResolvedCondition", part)) for part in parts]
        case Negation(part=part):
            return Negation, _without_grants(cast("ResolvedCondition", part))
        case _:
            return condition
