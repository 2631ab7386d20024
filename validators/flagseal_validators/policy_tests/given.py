"""The facts of a case: what is given, as the decision takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from flagseal.model.instants import parse_instant
from flagseal.policy import Approval, Facts
from flagseal.policy.state import changed_subjects

if TYPE_CHECKING:
    from datetime import datetime

    from flagseal_validators.policy_tests.change import Sides

SOMEBODY: Final = "somebody-else"
"""Who wrote a change whose case names no author: nobody who could approve it."""


def facts_of(given: dict[str, Any], sides: Sides, now: datetime) -> Facts:
    """Give the facts of a case.

    Args:
        given: What the case gives, valid by the schema.
        sides: The change made of it.
        now: The time, if it names none.
    """
    common = given.get("evidence", ["keys"])
    written = [given.get("author"), *given.get("contributors", ())]
    authors = [person for person in written if person is not None]
    return Facts(
        accepted=sides.before,
        after=sides.after,
        subjects=changed_subjects(sides.before, sides.after),
        contributors=tuple(authors or [SOMEBODY]),
        approvals=tuple(_approval(entry, common) for entry in given.get("approvals", ())),
        now=parse_instant(given["time"]) if "time" in given else now,
        ticket=given["change"].get("ticket"),
        mergers=tuple(given.get("mergers", ())),
    )


def _approval(entry: str | dict[str, Any], common: list[str]) -> Approval:
    named = {"person": entry} if isinstance(entry, str) else entry
    evidence = cast("Any", frozenset(named.get("evidence", common)))
    at = parse_instant(named["at"]) if "at" in named else None
    return Approval(cast("str", named["person"]), evidence, at)
