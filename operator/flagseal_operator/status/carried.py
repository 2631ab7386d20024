"""The status of FlagApprovals: accepted, waiting for those before it, refused and why, or of no use any more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flagseal_operator.pieces import place_of
from flagseal_operator.status.conditions import (
    APPROVED,
    READY,
    RECONCILING,
    STALLED,
    Condition,
    dated,
    holds,
    kstatus,
    lacks,
)

if TYPE_CHECKING:
    from flagseal.approval.statement import Statement
    from flagseal_operator.inventory import Seen
    from flagseal_operator.pieces import Joined
    from flagseal_operator.status.picture import Picture


def carrier_status(
    name: str, seen: Seen, statement: Statement | None, picture: Picture, joined: Joined | None = None
) -> dict[str, Any]:
    """Say what became of a statement.

    Args:
        name: Of the FlagApproval.
        seen: What it says, and the status it has.
        statement: What it carries; None for documents alone, and where it cannot be read.
        picture: Everything else.
        joined: How the pieces stand of which it carries one; None if it carries none.
    """
    before = json.loads(seen.status) if seen.status else {}
    status: dict[str, Any] = {
        "observedGeneration": seen.generation,
        "conditions": dated(
            _conditions(name, seen, statement, picture, joined),
            before.get("conditions") or () if isinstance(before, dict) else (),
            generation=seen.generation,
            now=picture.now,
        ),
    }
    if statement is not None:
        status["sequence"] = statement.sequence
        approval = picture.approvals.get(statement.id)
        if approval is not None:
            status["approvedBy"] = approval.by
    return status


def _conditions(
    name: str, seen: Seen, statement: Statement | None, picture: Picture, joined: Joined | None
) -> list[Condition]:
    if seen.problem is not None:
        return _refused("CarrierMalformed", seen.problem)
    if joined is not None and joined.envelope is None:
        return _in_pieces(name, joined)
    if statement is None:
        return kstatus(ready=holds(READY, "Carries", "It carries documents; statements name them by their digest."))
    head = picture.head
    if statement.id in picture.accepted:
        message = f"Accepted as statement {statement.sequence}."
        return [*kstatus(ready=holds(READY, "Accepted", message)), holds(APPROVED, "Accepted", message)]
    if statement.sequence <= head.sequence:
        return _refused(
            "Superseded",
            f"It is a statement {statement.sequence}, and {head.sequence} is accepted: nothing depends on this one.",
        )
    refusal = picture.refused.get(name)
    if refusal is not None:
        return _refused(refusal.error.code, f"{refusal.error.message} {refusal.error.remedy}".strip())
    if name in picture.judging:
        return judging(f"Statement {statement.sequence}")
    if statement.sequence == head.sequence + 1:
        return _refused("FromMismatch", "It does not build on what is accepted. Sign again what builds on it.")
    message = f"It has number {statement.sequence}, and {head.sequence + 1} is not here yet."
    return [
        *kstatus(ready=lacks(READY, "SequenceGap", message), busy=holds(RECONCILING, "SequenceGap", message)),
        Condition(APPROVED, "Unknown", "SequenceGap", message),
    ]


def judging(title: str) -> list[Condition]:
    """Say that something is being judged, and that nobody has to do anything."""
    message = f"{title} is being judged, which takes a while where much changes. Nothing has to be done."
    return [
        *kstatus(ready=lacks(READY, "Judging", message), busy=holds(RECONCILING, "Judging", message)),
        Condition(APPROVED, "Unknown", "Judging", message),
    ]


def _in_pieces(name: str, joined: Joined) -> list[Condition]:
    """Say what a statement lacks that is not whole."""
    whole = place_of(name)[0]
    if not joined.missing:
        return _refused(
            "DigestMismatch",
            f"The {joined.of} pieces under this name are not the statement that it names. Let the git source, or "
            "`flagseal cluster apply`, write them anew.",
        )
    names = ", ".join(whole[:12] + ("…" if number == 1 else f"…-{number}") for number in joined.missing[:3])
    message = f"{len(joined.missing)} of the statement’s {joined.of} pieces are not here yet: {names}"
    message += f" and {len(joined.missing) - 3} more." if len(joined.missing) > 3 else "."  # noqa: PLR2004 (as above)
    return [
        *kstatus(ready=lacks(READY, "PieceMissing", message), busy=holds(RECONCILING, "PieceMissing", message)),
        Condition(APPROVED, "Unknown", "PieceMissing", message),
    ]


def _refused(reason: str, message: str) -> list[Condition]:
    return [
        *kstatus(ready=lacks(READY, reason, message), stuck=holds(STALLED, reason, message)),
        lacks(APPROVED, reason, message),
    ]
