"""What became of an EmergencyOverride or a FlagFreeze."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from flagseal_operator.status.conditions import READY, STALLED, Condition, dated, holds, kstatus, lacks

if TYPE_CHECKING:
    from datetime import datetime

    from flagseal.emergency import Outcome, Standing
    from flagseal.history import Reviewed
    from flagseal.model.errors import ApprovalError
    from flagseal_operator.inventory import Seen

ACTIVE: Final = "Active"
PROVEN: Final = "Proven"
REVIEWED: Final = "Reviewed"


def emergency_status(
    seen: Seen, outcome: Outcome | None, refusal: ApprovalError | None, now: datetime, review: Reviewed | None = None
) -> dict[str, Any]:
    """Say whether a claim is proven, in force and reviewed, and if not why, and what to do.

    Args:
        seen: The resource, and the status it has.
        outcome: What became of the claim; None if it could not be read.
        refusal: Why it could not be read.
        now: The clock.
        review: Its review; None while there is none.
    """
    before = json.loads(seen.status) if seen.status else {}
    known = before.get("conditions") if isinstance(before, dict) else None
    standing = None if outcome is None else outcome.standing
    error = refusal if outcome is None else outcome.refusal
    conditions = _refused(error) if standing is None else _standing(standing, now, review)
    status: dict[str, Any] = {
        "observedGeneration": seen.generation,
        "conditions": dated(conditions, known or (), generation=seen.generation, now=now),
    }
    if standing is not None:
        status["person"] = standing.person
        status["proof"] = standing.proof.digest
    if review is not None:
        status["reviewed"] = review.body()
    return status


def _refused(error: ApprovalError | None) -> list[Condition]:
    reason = "Unproven" if error is None else error.code
    message = "Nothing proves it." if error is None else f"{error.message} {error.remedy}".strip()
    return [
        *kstatus(ready=lacks(READY, reason, message), stuck=holds(STALLED, reason, message)),
        lacks(PROVEN, reason, message),
        lacks(ACTIVE, reason, "It has no effect."),
    ]


def _standing(standing: Standing, now: datetime, review: Reviewed | None) -> list[Condition]:
    claim, until = standing.claim, f"{standing.until:%Y-%m-%d %H:%M:%S UTC}"
    ask = f"Somebody else than {standing.person} has to review it." if review is None else _said(review)
    proven = f"{standing.person} made it, which is proven."
    if claim.ends is not None:
        ready, active = (
            holds(READY, "Ended", f"It ended {claim.ends}."),
            lacks(ACTIVE, "Ended", "It only ends another."),
        )
    elif standing.holds(now):
        what = (
            f"everyone is served the safe variant of {claim.flag}"
            if claim.freezes is None
            else f"{claim.freezes} stays as it was served at {standing.since:%Y-%m-%d %H:%M:%S UTC}"
        )
        message = f"Until {until} {what}. {ask}"
        ready, active = holds(READY, "Active", message), holds(ACTIVE, "Active", message)
    else:
        over = f"It ended at {until}. {ask}"
        ready, active = holds(READY, "Over", over), lacks(ACTIVE, "Over", over)
    conditions = [*kstatus(ready=ready), holds(PROVEN, "Proven", proven), active]
    if claim.ends is None:
        conditions.append(holds(REVIEWED, "Reviewed", ask) if review else lacks(REVIEWED, "NotReviewed", ask))
    return conditions


def _said(review: Reviewed) -> str:
    return f"{review.text[0].upper()}{review.text[1:]}."
