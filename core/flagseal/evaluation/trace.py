"""Which rule answered, and what each other rule would have done: an answer taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.evaluation.describe import describe_condition, describe_outcome
from flagseal.evaluation.emit import emit
from flagseal.evaluation.flag_set import FlagSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flagseal.evaluation.resolved import ResolvedFlag
    from flagseal.model.canonical import Json

DEFAULT = "default"
TARGETING = "targeting"
"""The names under which what is no rule answers."""


@dataclass(frozen=True, slots=True)
class Line:
    """One rule, for one context.

    Attributes:
        name: The rule's, or :data:`DEFAULT`, or :data:`TARGETING` for raw targeting.
        when: Its condition in words.
        serves: What it serves in words.
        holds: Whether its condition holds; None where that cannot be told (raw targeting).
        answers: Whether it is the one that answered.
    """

    name: str
    when: str
    serves: str
    holds: bool | None
    answers: bool


def trace(
    flag: ResolvedFlag, context: Mapping[str, Json], *, bucketing: str, clock: Callable[[], float]
) -> tuple[Line, ...]:
    """Tell rule by rule what a flag does with a context; the last line is the default.

    Args:
        flag: Resolved.
        context: The evaluation context.
        bucketing: The environment's.
        clock: Gives unix seconds.
    """
    served = f"{flag.default}"
    if flag.raw is not None:
        return (
            Line(TARGETING, "raw flagd targeting", "what it says", None, answers=True),
            Line(DEFAULT, "otherwise", served, None, answers=False),
        )
    lines: list[Line] = []
    answered = False
    for rule in flag.rules:
        holds = _holds(emit(rule.when), context, bucketing, clock)
        answers = holds and not answered
        answered = answered or holds
        lines.append(
            Line(rule.name, describe_condition(rule.when), describe_outcome(rule.outcome), holds, answers=answers)
        )
    return (*lines, Line(DEFAULT, "otherwise", served, holds=True, answers=not answered))


def _holds(condition: Json, context: Mapping[str, Json], bucketing: str, clock: Callable[[], float]) -> bool:
    document: dict[str, Json] = {
        "flags": {
            "rule": {
                "state": "ENABLED",
                "variants": {"holds": True, "fails": False},
                "defaultVariant": "fails",
                "targeting": {"if": [condition, "holds", "fails"]},
            }
        }
    }
    return FlagSet.load(document, bucketing=bucketing, clock=clock).evaluate("rule", context).value is True
