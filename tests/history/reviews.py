"""Break-glass at the small company, and its review."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flagseal.approval.envelope import Signature
from flagseal.emergency import EMERGENCY_NAMESPACE, EMPTY, Offer, Standing, parse_claim, payload_of, take
from flagseal.model.schema.review import CHECKLIST
from tests.approval.keyring import SshKey
from tests.history.company import MONDAY, Chronicle, approval_policy, document, flag, organisation, policies, row

if TYPE_CHECKING:
    from datetime import datetime

    from flagseal.emergency import Claim
    from flagseal.model.document import Document

ROLE = "flag-emergency-override"
BEGAN = MONDAY - timedelta(hours=1)
LATER = MONDAY + timedelta(hours=3)
_nonces = itertools.count(1)


def company(*documents: Document) -> Chronicle:
    """Begin a history in which alice, of the payments team, may break glass beside erin."""
    people = organisation()
    people["roles"] |= {ROLE: {"people": ["alice", "erin"]}}
    return Chronicle((*policies(**people), *(documents or (flag(), flag("pay-later"), ranker()))))


def ranker() -> Document:
    """Give a flag of another team."""
    return flag("ranker", "search", owner="team-search", tier="informational")


def rollback(
    flag_name: str = "checkout", *, name: str = "stop-it", namespace: str = "payments", **more: str | None
) -> Claim:
    """Claim a rollback of a flag for two hours, or with other parts; None leaves one out."""
    until = f"{MONDAY + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    spec: dict[str, Any] = {"flag": flag_name, "environment": "production", "action": "rollback", "incident": "INC-7"}
    spec |= {"reason": "Fails.", "until": until, **more}
    kept = {key: value for key, value in spec.items() if value is not None}
    return parse_claim("EmergencyOverride", namespace, name, kept)


def freeze(*namespaces: str, name: str = "hold-it") -> Claim:
    """Claim a freeze for two hours; of all where none is named."""
    until = f"{MONDAY + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    spec: dict[str, Any] = {"environment": "production", "incident": "INC-7", "reason": "Nobody knows.", "until": until}
    return parse_claim("FlagFreeze", None, name, spec | ({"namespaces": list(namespaces)} if namespaces else {}))


def broken(history: Chronicle, *claims: Claim, by: str = "alice", at: datetime = BEGAN) -> tuple[Standing, ...]:
    """Have a person break glass, proven by their own key."""
    key = SshKey.of(by)
    offers = []
    for claim in claims or (rollback(),):
        proof = payload_of(claim, history.trust.repository_id, at=at, nonce=f"{next(_nonces):032x}")
        signature = Signature(key.fingerprint, key.sshsig(proof.pae, EMERGENCY_NAMESPACE))
        offers.append(Offer(claim, proof.with_signature(signature)))
    standings = take(EMPTY, offers, history.head.policies.organisation, history.trust, now=at)[0].standings
    assert len(standings) == len(offers)
    return standings


def named(standing: Standing, **other: Any) -> dict[str, Any]:  # noqa: ANN401 (any part of it)
    """Name an emergency as a review does, or parts of it otherwise."""
    claim = standing.claim
    found: dict[str, Any] = {"kind": claim.kind, "name": claim.name, "proof": standing.proof.digest}
    found |= {"requestedBy": standing.person}
    if claim.flag is not None:
        found["flag"] = claim.flag
    if claim.namespaces is not None:
        found["namespaces"] = sorted(claim.namespaces)
    return found | other


def spec_of(*standings: Standing, **other: Any) -> dict[str, Any]:  # noqa: ANN401 (any part of it)
    """Write the spec of the review of some emergencies, or parts of it otherwise."""
    return {
        "incident": "INC-7",
        "environment": "production",
        "emergencies": [named(it) for it in standings],
        "outcome": "returned",
        "happened": "The gateway refused every second card.",
        "checklist": dict.fromkeys(CHECKLIST, "It was looked at."),
        "followUps": [],
    } | other


def review(*standings: Standing, name: str = "inc-7", **other: Any) -> Document:  # noqa: ANN401 (any part of the spec)
    """Write the review of some emergencies."""
    return document("IncidentReview", name, json.loads(json.dumps(spec_of(*standings, **other))))


def loose_policy() -> Document:
    """Give a policy by which anybody who approves flags suffices."""
    policy = approval_policy()
    for tier in policy["tiers"].values():
        tier["production"] |= {"metadata": row("flag-approver"), "widen": row("flag-approver")}
    return document("ApprovalPolicy", "approvals", policy)
