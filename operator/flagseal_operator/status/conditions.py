"""Conditions as `kubectl wait`, kstatus and GitOps tools understand them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

Truth = Literal["True", "False", "Unknown"]

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"
APPROVED = "ApprovalVerified"
COMPLIANT = "PolicyCompliant"
PUBLISHED = "Published"
EXPIRED = "Expired"
FROZEN = "Frozen"
BREAK_GLASS = "BreakGlassActive"
DRIFTED = "Drifted"

_LONGEST_MESSAGE = 1024


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition.

    Attributes:
        type: What it is about.
        status: Whether it holds.
        reason: Why, as a stable word in CamelCase.
        message: The same for people: what is so, and who must do what next.
    """

    type: str
    status: Truth
    reason: str
    message: str


def holds(type_: str, reason: str, message: str) -> Condition:
    """Make a condition that holds."""
    return Condition(type_, "True", reason, message)


def lacks(type_: str, reason: str, message: str) -> Condition:
    """Make a condition that does not hold."""
    return Condition(type_, "False", reason, message)


def kstatus(*, ready: Condition, busy: Condition | None = None, stuck: Condition | None = None) -> list[Condition]:
    """Give the three conditions that tools wait for, always all of them.

    Args:
        ready: ``Ready``.
        busy: ``Reconciling``, if something is under way that ends by itself.
        stuck: ``Stalled``, if nothing goes on until somebody does something.
    """
    return [
        ready,
        busy or Condition(RECONCILING, "False", "Settled", "Nothing is under way."),
        stuck or Condition(STALLED, "False", "Moving", "Nothing has to be done."),
    ]


def dated(
    conditions: Iterable[Condition], before: Sequence[Any], *, generation: int, now: datetime
) -> list[dict[str, Any]]:
    """Write conditions as the API has them; one that says what it said keeps its date.

    Args:
        conditions: The complete list.
        before: The list in the resource's status; anything may stand there.
        generation: Of the spec that they speak of.
        now: The clock.
    """
    known = {entry["type"]: entry for entry in before if isinstance(entry, dict) and isinstance(entry.get("type"), str)}
    written = []
    for condition in conditions:
        old = known.get(condition.type, {})
        since = old.get("lastTransitionTime")
        if old.get("status") != condition.status or not isinstance(since, str):
            since = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        written.append(
            {
                "type": condition.type,
                "status": condition.status,
                "reason": condition.reason,
                "message": _shortened(condition.message),
                "lastTransitionTime": since,
                "observedGeneration": generation,
            }
        )
    return written


def _shortened(message: str) -> str:
    return message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…"
