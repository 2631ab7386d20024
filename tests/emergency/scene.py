"""An incident at the small company: who may break glass, and how they prove it."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from securesystemslib.signer import CryptoSigner

from flagseal.approval.envelope import Signature
from flagseal.emergency import EMERGENCY_NAMESPACE, Offer, Proof, Receipt, parse_claim, payload_of
from tests.approval.keyring import SshKey
from tests.snapshot.world import FLAGS, MONDAY, PEOPLE, World, policies

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.emergency import Claim
    from flagseal.model.document import Document

REPOSITORY = "git:" + "1" * 40
ADMISSION = CryptoSigner.generate_ed25519()
ROLE = "flag-emergency-override"
HELD_IN_TIME = {"members": [{"person": "frank", "until": "2026-11-23"}]}
_nonces = itertools.count(1)


def emergency_policies(**changes: Any) -> tuple[Document, ...]:  # noqa: ANN401 (any part of the organisation)
    """Make policies by which alice holds the role, and frank through Monday."""
    people = {
        name: {"name": name.title(), "keys": [SshKey.of(name).line], "kubernetes": {"username": f"{name}@acme"}}
        for name in PEOPLE
    }
    roles = {
        "release-manager": {"people": ["dora"]},
        "security": {"people": ["frank", "dora"]},
        ROLE: {"people": ["alice"], "teams": ["on-call"]},
    }
    teams = {
        "team-payments": {"members": ["alice", "bob"]},
        "team-search": {"members": ["alice"]},
        "on-call": HELD_IN_TIME,
    }
    return policies(**{"people": people, "roles": roles, "teams": teams, **changes})


def world(path: Path, *flags: Document, **changes: Any) -> World:  # noqa: ANN401 (any part of the organisation)
    """Found a world with those policies, and a key of admission."""
    return World(path, documents=(*emergency_policies(**changes), *(flags or FLAGS)), admission=ADMISSION.public_key)


def written(instant: datetime) -> str:
    """Write an instant as specs have it."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def override(
    flag_name: str = "new-checkout",
    *,
    name: str = "stop-it",
    namespace: str = "payments",
    until: datetime | None = MONDAY + timedelta(hours=2),
    **changes: Any,  # noqa: ANN401 (any part of a spec)
) -> Claim:
    """Claim a rollback."""
    spec = {
        "flag": flag_name,
        "environment": "production",
        "action": "rollback",
        "incident": "INC-7",
        "reason": "Payments fail.",
        "until": None if until is None else written(until),
    } | changes
    spec = {key: value for key, value in spec.items() if value is not None}
    return parse_claim("EmergencyOverride", namespace, name, spec)


def freeze(
    *namespaces: str,
    name: str = "hold-it",
    until: datetime | None = MONDAY + timedelta(hours=2),
    **changes: Any,  # noqa: ANN401 (any part of a spec)
) -> Claim:
    """Claim a freeze of namespaces; of all if none is named."""
    spec = {
        "namespaces": list(namespaces) or None,
        "environment": "production",
        "incident": "INC-7",
        "reason": "Nobody knows yet.",
        "until": None if until is None else written(until),
    } | changes
    return parse_claim("FlagFreeze", None, name, {key: value for key, value in spec.items() if value is not None})


def thaw(name: str = "hold-it", *, by_name: str = "over") -> Claim:
    """Claim that a freeze is over."""
    return freeze(name=by_name, until=None, ends=name)


def ending(name: str = "stop-it", *, by_name: str = "over", **changes: Any) -> Claim:  # noqa: ANN401 (any part of a spec)
    """Claim that a rollback is over."""
    return override(name=by_name, until=None, **{"action": None, "ends": name, **changes})


def signed(claim: Claim, by: str = "alice", *, at: datetime = MONDAY, repository: str = REPOSITORY) -> Offer:
    """Have a person sign a claim with the key of their name."""
    return Offer(claim, sign(payload_of(claim, repository, at=at, nonce=f"{next(_nonces):032x}"), by))


def sign(proof: Proof, by: str, namespace: str = EMERGENCY_NAMESPACE) -> Proof:
    """Sign a proof as a person."""
    key = SshKey.of(by)
    return proof.with_signature(Signature(key.fingerprint, key.sshsig(proof.pae, namespace)))


def receipted(
    claim: Claim,
    username: str = "alice@acme",
    *,
    at: datetime = MONDAY,
    groups: tuple[str, ...] = (),
    signer: CryptoSigner = ADMISSION,
) -> Offer:
    """Have the webhook sign who asked for a claim."""
    receipt = Receipt(username, groups, {"authentication.kubernetes.io/mfa": ("true",)})
    proof = payload_of(claim, REPOSITORY, at=at, nonce=f"{next(_nonces):032x}", receipt=receipt)
    signature = signer.sign(proof.pae)
    return Offer(claim, proof.with_signature(Signature(signature.keyid, bytes.fromhex(signature.signature))))
