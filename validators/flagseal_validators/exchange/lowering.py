"""Sections of the neutral form as they stand in a file: as rules, or as raw targeting where no rules mean the same."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, cast

from flagseal.evaluation.emit import emit
from flagseal.model.condition import ALWAYS, NEVER, SegmentRef, Test
from flagseal.model.flag import Ramp, Serve, Split
from flagseal.model.instants import utc
from flagseal.policy.facts import rfc3339
from flagseal_validators.exchange.conditions import Opaque
from flagseal_validators.exchange.neutral import TARGETING_KEY, Step, whole_weights
from flagseal_validators.exchange.spelling import folded, renamed, spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flagseal.evaluation.resolved import ResolvedCondition
    from flagseal.model.canonical import Json
    from flagseal.model.condition import Condition
    from flagseal_validators.exchange.neutral import Gate, NeutralSegment, Section

_MOST_STEPS: Final = 200
_LONGEST_NAME: Final = 100
_HUNDRED: Final = Fraction(100)
_NOW: Final[Json] = {"var": "$flagd.timestamp"}


@dataclass(frozen=True, slots=True)
class Lowered:
    """A section as it stands in a file.

    Attributes:
        section: The entry of ``environments``.
        raw: Whether it holds raw targeting.
        segments: Keys of the origin's segments that it names.
    """

    section: dict[str, Json]
    raw: bool
    segments: frozenset[str]


def lowered(
    section: Section,
    *,
    key: str,
    segments: Mapping[str, NeutralSegment],
    names: Mapping[str, str],
    flags: Mapping[str, str],
) -> Lowered:
    """Write a section.

    Args:
        section: What the origin's environment serves.
        key: The flag's.
        segments: Of the origin, by key.
        names: What they are called here.
        flags: References of the flags that are required, by key.

    Raises:
        Opaque: It is too large, or has no form.
    """
    if len(section.steps) > _MOST_STEPS:
        raise Opaque(f"more than {_MOST_STEPS} rules")
    written: dict[str, Json] = {"off": True} if section.off else {}
    if section.requires:
        required = dict.fromkeys((flags[one.key], one.variant) for one in section.requires)
        written["requires"] = [{"flag": flag, "variant": variant} for flag, variant in required]
    steps = [found for step in section.steps if (found := _folded(step, segments)) is not None]
    gated = [number for number, step in enumerate(steps) if step.gate is not None]
    if gated and gated[0] < len(steps) - 1:
        raw = _raw(section, steps, key, segments)
        return Lowered({**written, "targeting": raw, "default": section.default}, raw=True, segments=frozenset())
    if section.targets:
        written["targets"] = {variant: [*keys] for variant, keys in section.targets.items()}
    rules = _rules(steps, section.default, names)
    if rules:
        written["rules"] = [*rules]
    used = frozenset(name for step in steps for name in _segments(step.when))
    return Lowered({**written, "default": section.default}, raw=False, segments=used)


def _folded(step: Step, segments: Mapping[str, NeutralSegment]) -> Step | None:
    def known(name: str) -> Condition:
        """Stand for a segment, if it is not the same for everyone."""
        constant = folded(segments[name].when)
        return (ALWAYS if constant else NEVER) if isinstance(constant, bool) else SegmentRef(name)

    found = folded(renamed(step.when, known))
    nobody = found is False or (step.gate is not None and step.gate.percent <= 0)
    empty = step.since is not None and step.until is not None and step.since >= step.until
    if nobody or empty:
        return None
    when = ALWAYS if found is True else cast("Condition", found)
    return Step(step.name, when, step.outcome, step.gate, step.since, step.until)


def _segments(condition: Condition) -> Iterable[str]:
    found: list[str] = []

    def keep(name: str) -> Condition:
        found.append(name)
        return SegmentRef(name)

    renamed(condition, keep)
    return found


# Rules


def _rules(steps: Iterable[Step], default: str, names: Mapping[str, str]) -> list[dict[str, Json]]:
    rules: list[dict[str, Json]] = []
    taken: set[str] = set()
    for step in steps:
        rule: dict[str, Json] = {"name": _name(step.name, taken)}
        for word, instant in (("from", step.since), ("until", step.until)):
            if instant is not None:
                rule[word] = instant_text(instant)
        if step.when != ALWAYS:
            rule["when"] = spelled(renamed(step.when, lambda name: SegmentRef(names[name])))
        rules.append({**rule, **_outcome(step, default)})
    return rules


def _name(text: str, taken: set[str]) -> str:
    text = " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())
    text = text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"
    number, name = 1, text or "rule"
    while name in taken:
        number += 1
        name = f"{text or 'rule'} ({number})"
    taken.add(name)
    return name


def _outcome(step: Step, default: str) -> dict[str, Json]:
    outcome = step.outcome
    if isinstance(outcome, Ramp):
        return {"ramp": _ramp(outcome), **_by(outcome.by, outcome.salt)} if step.gate is None else _no_form()
    if step.gate is None and isinstance(outcome, Serve):
        return {"serve": outcome.variant}
    arms = outcome.arms if isinstance(outcome, Split) else ((outcome.variant, 1),)
    by, salt = (outcome.by, outcome.salt) if isinstance(outcome, Split) else (None, None)
    if step.gate is not None:
        # Nobody comes behind it, so those outside get the default: one split says both.
        total = sum(weight for _, weight in arms)
        share = min(step.gate.percent, _HUNDRED)
        inside = [(variant, share * weight / total) for variant, weight in arms]
        arms, by, salt = whole_weights([*inside, (default, _HUNDRED - share)]), step.gate.by, step.gate.salt
    return {"split": [{"variant": variant, "weight": weight} for variant, weight in arms], **_by(by, salt)}


def _by(by: tuple[str, ...] | None, salt: str | None) -> dict[str, Json]:
    found: dict[str, Json] = {} if by is None or by == TARGETING_KEY else {"by": ".".join(by)}
    return found if salt is None else {**found, "salt": salt}


def _ramp(ramp: Ramp) -> dict[str, Json]:
    return {
        "variant": ramp.variant,
        "from": ramp.start_weight,
        "to": ramp.end_weight,
        "start": instant_text(ramp.start),
        "end": instant_text(ramp.end),
        "steps": ramp.steps,
    }


def instant_text(instant: int) -> str:
    """Write unix seconds as a file has them.

    Raises:
        Opaque: No calendar of ours has that time.
    """
    try:
        return rfc3339(utc(instant))
    except (ValueError, OverflowError, OSError):
        raise Opaque("a time that no calendar has") from None


def _no_form() -> dict[str, Json]:
    raise Opaque("a schedule for a share of people only")


# Raw targeting


def _raw(section: Section, steps: list[Step], key: str, segments: Mapping[str, NeutralSegment]) -> Json:
    """Write a chain in which some are passed on to the next step: no rule does that."""
    targets = [
        Step(variant, Test(TARGETING_KEY, "in", keys), Serve(variant)) for variant, keys in section.targets.items()
    ]
    arms: list[Json] = []
    for step in [*targets, *steps]:
        inlined = folded(renamed(step.when, lambda name: segments[name].when))
        parts = [*_window(step), *([emit(cast("ResolvedCondition", inlined))] if inlined is not True else [])]
        parts += [] if step.gate is None else _gate(step.gate)
        if inlined is not False:
            arms += [True if not parts else parts[0] if len(parts) == 1 else {"and": parts}, _raw_outcome(step, key)]
    return {"if": [*arms, None]}


def _window(step: Step) -> list[Json]:
    since: list[Json] = [] if step.since is None else [{">=": [_NOW, step.since]}]
    return since if step.until is None else [*since, {"<": [_NOW, step.until]}]


def _gate(gate: Gate) -> list[Json]:
    weights = dict(whole_weights([("in", gate.percent), ("out", _HUNDRED - gate.percent)]))
    if "out" not in weights:
        return _has_key(gate.by)
    arms: list[tuple[str, int]] = [(arm, weights[arm]) for arm in ("in", "out")]
    return [*_has_key(gate.by), {"===": [_fractional(gate.by, gate.salt, arms), "in"]}]


def _raw_outcome(step: Step, key: str) -> Json:
    match step.outcome:
        case Serve(variant=variant):
            return variant
        case Split(arms=arms, by=by, salt=salt):
            path = by or TARGETING_KEY
            split = _fractional(path, key if salt is None else salt, arms)
            return {"if": [{"and": _has_key(path)}, split, None]}
        case _:
            raise Opaque("a schedule beside a share of people")


def _fractional(by: tuple[str, ...], salt: str, arms: Iterable[tuple[str, int]]) -> Json:
    listed: list[Json] = [[arm, weight] for arm, weight in arms]
    return {"fractional": [{"cat": [salt, {"var": ".".join(by)}]}, *listed]}


def _has_key(by: tuple[str, ...]) -> list[Json]:
    key: Json = {"var": ".".join(by)}
    return [{"starts_with": [key, ""]}, {"!==": [key, ""]}]
