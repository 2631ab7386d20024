"""An incident that is published: alice rolled a flag back, and others are to look at it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from flagseal.model.schema.review import CHECKLIST
from flagseal.snapshot.marks import Mark
from flagseal_cli.published import stored_state
from flagseal_validators.incidents import Incident, gather
from tests.emergency.scene import override, receipted, signed, world
from tests.snapshot.world import Clock, World, document

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.emergency import Standing
    from flagseal.model.document import Document
    from flagseal_cli.published import PublishedState


TEAMS = {
    "team-payments": {"members": ["alice", "bob", "frank"]},
    "team-search": {"members": ["alice"]},
    "on-call": {"members": ["alice"]},
}


def now() -> datetime:
    """Give the machine's time in whole seconds: commands go by that."""
    return datetime.now(UTC).replace(microsecond=0)


def company(path: Path, *flags: Document, ago: timedelta = timedelta(hours=3)) -> World:
    """Found a company some time ago, in which alice may break glass."""
    made = world(path, *flags, teams=TEAMS)
    made.clock = Clock(now() - ago)
    made.publisher = made.new_publisher()
    made.publish()
    return made


def rolled_back(
    company: World,
    flag_name: str = "new-checkout",
    *,
    by_receipt: bool = False,
    **changes: Any,  # noqa: ANN401 (any part of a claim)
) -> Standing:
    """Have alice roll a flag back for an hour, and publish that."""
    at = company.clock()
    claim = override(flag_name, **{"until": at + timedelta(hours=1), **changes})
    (outcome,) = company.offer(receipted(claim, at=at) if by_receipt else signed(claim, at=at))
    assert outcome.standing is not None, outcome.refusal
    company.publish()
    return outcome.standing


def published(company: World) -> PublishedState:
    """Verify what is published, by the pinned root."""
    found = stored_state(company.directory, company.root, Mark())
    assert found is not None
    return found


def incidents(company: World) -> tuple[Incident, ...]:
    """Gather what is published of incidents."""
    state = published(company)
    return gather(state.head, state.build, state.trail, now=company.clock())


def review_of(*standings: Standing, name: str = "inc-7", **other: Any) -> Document:  # noqa: ANN401 (parts of the spec)
    """Write the review of some overrides of INC-7."""
    spec = {
        "incident": "INC-7",
        "environment": "production",
        "emergencies": [
            {
                "kind": it.claim.kind,
                "name": it.claim.name,
                **({"flag": it.claim.flag} if it.claim.flag is not None else {}),
                "proof": it.proof.digest,
                "requestedBy": it.person,
            }
            for it in standings
        ],
        "outcome": "returned",
        "happened": "The gateway refused every second card.",
        "checklist": dict.fromkeys(CHECKLIST, "It was looked at."),
        "followUps": [],
    }
    return document("IncidentReview", name, json.loads(json.dumps(spec | other)))
