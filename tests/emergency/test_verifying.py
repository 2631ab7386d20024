"""Whether a claim is proven, and why not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from securesystemslib.signer import CryptoSigner

from flagseal.approval.sshsig import APPROVAL_NAMESPACE
from flagseal.emergency import Offer, Proof, parse_claim, payload_of, verify
from flagseal.model.errors import ApprovalError
from tests.emergency.scene import REPOSITORY, ROLE, override, receipted, sign, signed, world
from tests.snapshot.world import MONDAY

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.emergency import Proven
    from tests.snapshot.world import World

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def company(tmp_path: Path) -> World:
    """Give a world with the policies of an emergency."""
    return world(tmp_path)


def proven(company: World, offer: Offer) -> Proven:
    """Verify an offer as first seen now."""
    organisation = company.head.policies.organisation
    return verify(offer.claim, offer.proof, organisation, company.trust, taken_at=company.clock())


def code(company: World, offer: Offer) -> str:
    """Verify an offer that must be refused, and give the reason's code."""
    with pytest.raises(ApprovalError) as refused:
        proven(company, offer)
    assert refused.value.remedy
    return refused.value.code


def test_a_person_proves_a_claim_with_their_own_key(company: World) -> None:
    """It says who, since when and until when."""
    found = proven(company, signed(override()))
    assert (found.person, found.since, found.until) == ("alice", MONDAY, MONDAY + 2 * HOUR)


def test_the_api_server_proves_a_claim_with_a_receipt(company: World) -> None:
    """By the user's name, which the organisation maps to a person."""
    assert proven(company, receipted(override())).person == "alice"


def test_a_proof_survives_being_written_and_read(company: World) -> None:
    """As an annotation carries it."""
    offer = receipted(override())
    assert offer.proof is not None
    assert Proof.from_body(offer.proof.body()) == offer.proof
    assert proven(company, replace(offer, proof=Proof.from_body(offer.proof.body()))).person == "alice"


def test_nothing_is_believed_without_a_proof(company: World) -> None:
    """A stored resource does not say who made it."""
    assert code(company, Offer(override(), None)) == "Unproven"


def test_groups_alone_never_suffice(company: World) -> None:
    """Not even one that is called like the role."""
    assert code(company, receipted(override(), "bob@acme", groups=(ROLE, "system:masters"))) == "RoleMissing"


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        (signed(override(), "bob"), "RoleMissing"),
        (signed(override(), "mallory"), "SignatureInvalid"),
        (receipted(override(), "system:admin"), "PersonUnknown"),
        (receipted(override(), signer=CryptoSigner.generate_ed25519()), "SignatureInvalid"),
        (signed(override(), repository="git:" + "2" * 40), "WrongRepository"),
        (signed(override(environment="staging")), "WrongEnvironment"),
        (signed(override(), at=MONDAY + MINUTE), "FromTheFuture"),
        (signed(override(), at=MONDAY - 11 * MINUTE), "ProofTooOld"),
        (signed(override(until=MONDAY)), "Expired"),
        (signed(override(until=MONDAY + 25 * HOUR)), "TooLong"),
    ],
)
def test_what_does_not_hold_is_refused_by_name(company: World, offer: Offer, reason: str) -> None:
    """Each with what to do."""
    assert code(company, offer) == reason


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (override(name="other"), "ClaimMismatch"),
        (override(namespace="search"), "ClaimMismatch"),
        (override("pay-later"), "DigestMismatch"),
        (override(until=MONDAY + 3 * HOUR), "DigestMismatch"),
        (override(environment="staging"), "WrongEnvironment"),
    ],
)
def test_a_proof_holds_for_one_claim_as_it_was_made(company: World, other: Any, reason: str) -> None:  # noqa: ANN401 (Claim)
    """Moved to another, it proves nothing."""
    assert code(company, replace(signed(override()), claim=other)) == reason


def test_a_signature_made_for_an_approval_proves_nothing(company: World) -> None:
    """Nor would one made here approve anything: the namespace is part of what is signed."""
    unsigned = payload_of(override(), REPOSITORY, at=MONDAY, nonce="0" * 32)
    offer = Offer(override(), sign(unsigned, "alice", APPROVAL_NAMESPACE))
    assert code(company, offer) == "SignatureInvalid"


def test_a_person_cannot_write_a_receipt(company: World) -> None:
    """Under their own key a receipt is worth nothing, whoever it names."""
    offer = receipted(override())
    assert offer.proof is not None
    assert code(company, replace(offer, proof=sign(replace(offer.proof, signatures=()), "bob"))) == "SignatureInvalid"


def test_membership_counts_when_the_proof_is_made(company: World) -> None:
    """Frank is on call through Monday."""
    tuesday = MONDAY + timedelta(days=1)
    assert proven(company, signed(override(), "frank")).person == "frank"
    company.clock.now = tuesday
    assert code(company, signed(override(until=tuesday + HOUR), "frank", at=tuesday)) == "RoleMissing"


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "enable"},
        {"action": None},
        {"variant": "on"},
        {"incident": ""},
        {"reason": " "},
        {"until": "tomorrow"},
        {"ends": "other"},
        {"flag": "../search/ranker"},
    ],
)
def test_a_claim_can_ask_for_nothing_else(changes: dict[str, Any]) -> None:
    """No variant, no other action, no end that is none."""
    spec = {**json.loads(override().spec), **changes}
    with pytest.raises(ApprovalError) as refused:
        parse_claim("EmergencyOverride", "payments", "stop-it", {k: it for k, it in spec.items() if it is not None})
    assert refused.value.code == "ClaimMalformed"
