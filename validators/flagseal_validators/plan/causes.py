"""Why a flag changes that nobody edited: "segment pilots gained globex"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal.evaluation.describe import describe_condition
from flagseal.model.condition import SegmentRef, Test
from flagseal.model.document import split_subject
from flagseal.model.errors import CompileError
from flagseal.model.instants import utc
from flagseal_validators.plan.sentences import changes, on_or_off, summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flagseal.model.condition import Condition
    from flagseal.model.flag import EntitlementBinding, Grant
    from flagseal.policy import State

_SHOWN: Final = 5
_FEW: Final = 3


def because(subject: str, before: State, after: State, environment: str) -> str:
    """Say in words what happened to a document that flags depend on, to be read after "because".

    Args:
        subject: A segment, a binding or a flag that another requires.
        before: All documents before.
        after: And afterwards.
        environment: Where a required flag is looked at.
    """
    kind, namespace, name = split_subject(subject)
    reference = f"{namespace}/{name}"
    match kind:
        case "Segment":
            return f"segment {name} {_segment(reference, before, after)}"
        case "EntitlementBinding":
            return f"binding {name} {_binding(reference, before, after)}"
        case _:
            return f"{reference}, which it requires, {_required(reference, before, after, environment)}"


# Segments


def _segment(reference: str, before: State, after: State) -> str:
    old, new = before.catalogue.segments.get(reference), after.catalogue.segments.get(reference)
    if old is None:
        return "is new"
    if new is None:
        return "was removed"
    one, other = _members(old.when), _members(new.when)
    if one is not None and other is not None and one[0] == other[0] and set(one[1]) != set(other[1]):
        return _gained_and_lost(one[1], other[1])
    return f"is now {_condition(new.when)} instead of {_condition(old.when)}"


def _gained_and_lost(before: Iterable[str], after: Iterable[str]) -> str:
    old, new = list(before), list(after)
    gained = [name for name in new if name not in set(old)]
    lost = [name for name in old if name not in set(new)]
    told = [f"gained {_listed(gained)}"] if gained else []
    told += [f"lost {_listed(lost)}"] if lost else []
    return " and ".join(told)


def _members(when: Condition) -> tuple[tuple[str, ...], list[str]] | None:
    if not isinstance(when, Test) or when.predicate not in {"eq", "in"}:
        return None
    operands = when.operand if isinstance(when.operand, tuple) else (when.operand,)
    return when.path, [operand if isinstance(operand, str) else repr(operand) for operand in operands]


def _condition(when: Condition) -> str:
    if isinstance(when, SegmentRef):
        return f"segment {when.name}"
    return f"those where {describe_condition(when)}"  # type: ignore[arg-type]  # a segment refers to no other


# Bindings


def _binding(reference: str, before: State, after: State) -> str:
    old, new = before.catalogue.bindings.get(reference), after.catalogue.bindings.get(reference)
    if old is None:
        return f"is new: it {_granting(new)}" if new is not None else "changed"
    if new is None:
        return "was removed"
    told = list(_grants(old, new))
    shown = "; ".join(told[:_FEW])
    return (f"{shown}; and {len(told) - _FEW} more" if len(told) > _FEW else shown) or "changed"


def _granting(binding: EntitlementBinding) -> str:
    told = [f"grants {grant.org} {grant.flag} {_days(grant)}" for grant in binding.grants]
    shown = "; ".join(told[:_FEW]) or "grants nothing"
    return f"{shown}; and {len(told) - _FEW} more" if len(told) > _FEW else shown


def _grants(before: EntitlementBinding, after: EntitlementBinding) -> Iterator[str]:
    old, new = ({_of(grant): grant for grant in side.grants} for side in (before, after))
    for key in sorted(new.keys() - old.keys()):
        yield f"now grants {key[0]} {key[1]}{_variant(key[2])} {_days(new[key])}"
    for key in sorted(old.keys() - new.keys()):
        yield f"no longer grants {key[0]} {key[1]}{_variant(key[2])}"
    for key in sorted(old.keys() & new.keys()):
        one, other = old[key], new[key]
        if (one.since, one.until) != (other.since, other.until):
            yield f"grants {key[0]} {key[1]}{_variant(key[2])} {_days(other)} instead of {_days(one)}"


def _of(grant: Grant) -> tuple[str, str, str]:
    return grant.org, grant.flag, grant.variant or ""


def _variant(name: str) -> str:
    return f" ({name})" if name else ""


# Required flags


def _required(reference: str, before: State, after: State, environment: str) -> str:
    old, new = before.definition(reference), after.definition(reference)
    if old is None:
        return "is new"
    if new is None:
        return "was removed"
    try:
        one, other = before.resolve(reference, environment), after.resolve(reference, environment)
    except CompileError:
        return "has no meaning any more"
    if one is None or other is None:
        return f"is {'no longer' if other is None else 'now'} served in {environment}"
    label = on_or_off(one, other)
    told = changes(one, other, label)
    return f"is now {'; '.join(told)}" if told else f"is served as before ({summary(other, label)})"


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else shown


def _days(grant: Grant) -> str:
    """Give the first and the last day of a grant; its end is exclusive."""
    return f"from {utc(grant.since):%Y-%m-%d} to {utc(grant.until - 1):%Y-%m-%d}"
