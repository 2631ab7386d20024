"""Break glass in a cluster without holding the role, by means of admission receipts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from securesystemslib.signer import CryptoSigner

from flagseal.approval.envelope import Signature
from flagseal.emergency import Emergencies, Receipt, parse_claim, payload_of
from flagseal.model.errors import ApprovalError
from flagseal_operator.admission.known import Known
from flagseal_operator.admission.witness import Desk, witness
from flagseal_operator.emergency_source import read_offer
from tests.approval.keyring import SshKey
from tests.emergency.scene import ADMISSION, REPOSITORY, ROLE, ending, override, receipted, sign, world
from tests.operator.reviews import applied, asked, resource
from tests.snapshot.world import MONDAY

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.emergency import Offer
    from flagseal_operator.admission.review import Answer
    from tests.snapshot.world import World

HOUR = timedelta(hours=1)
ALICE = {"username": "alice@acme", "groups": ["people"]}
BOB = {"username": "bob@acme", "groups": ["people"]}
LABEL = {"flagseal.dev/proof": "signed"}


@pytest.fixture
def company(tmp_path: Path) -> World:
    """Give a world in which alice holds the role."""
    return world(tmp_path)


def sent(company: World, body: dict[str, Any], user: dict[str, Any], **more: Any) -> Answer:  # noqa: ANN401 (of a request)
    """Create a resource through the API server, which asks the webhook."""
    known = Known.of(company.head, company.emergencies)
    desk = Desk(company.trust, ADMISSION)
    return witness(asked(body, user=user, **more), desk, known, now=company.clock(), nonce="0" * 32)


def holds(company: World, *bodies: dict[str, Any]) -> bool:
    """Have the operator look at what is stored, and see whether anything holds then."""
    offers = []
    for body in bodies:
        try:
            offers.append(read_offer(body))
        except ApprovalError:
            continue
    company.offer(*offers)
    return bool(company.emergencies.holding(company.clock()))


def stored(offer: Offer, **metadata: object) -> dict[str, Any]:
    """Write a resource past the webhook."""
    return resource(offer.claim, offer.proof, **metadata)


def genuine(company: World) -> dict[str, Any]:
    """Have alice create an override, and give what is stored."""
    body = resource(override())
    return applied(body, sent(company, body, ALICE))


def test_what_the_attacks_vary_works(company: World) -> None:
    """Alice's own holds: each attack below fails for what it changes."""
    assert holds(company, genuine(company))


def test_by_forging_a_receipt(company: World) -> None:
    """Means: a key of one's own, under the real one's id."""
    mine = CryptoSigner.generate_ed25519()
    offer = receipted(override(), signer=mine)
    assert offer.proof is not None
    as_theirs = tuple(Signature(ADMISSION.public_key.keyid, it.sig) for it in offer.proof.signatures)
    assert not holds(company, stored(offer))
    assert not holds(company, stored(replace(offer, proof=replace(offer.proof, signatures=as_theirs))))


def test_by_signing_a_receipt_as_a_person(company: World) -> None:
    """Means: bob's own key, which organisation.yaml lists; the receipt names alice."""
    unsigned = payload_of(override(), REPOSITORY, at=MONDAY, nonce="0" * 32, receipt=Receipt("alice@acme"))
    for proof in (sign(unsigned, "bob"), sign(unsigned, "alice")):
        assert not holds(company, resource(override(), proof))


def test_by_passing_a_receipt_off_as_a_persons_word(company: World) -> None:
    """Means: the signature of a genuine receipt, under the other type of payload."""
    offer = receipted(override())
    own = payload_of(override(), REPOSITORY, at=MONDAY, nonce="0" * 32)
    assert offer.proof is not None
    moved = replace(own, signatures=offer.proof.signatures)
    assert not holds(company, resource(override(), moved))
    relabelled = replace(offer.proof, kind=own.kind)
    assert not holds(company, resource(override(), relabelled))


def test_by_moving_a_receipt_to_another_resource(company: World) -> None:
    """Means: may write resources, and read alice's: another name, place, flag, kind, environment, or longer."""
    receipt = genuine(company)["metadata"]["annotations"]["flagseal.dev/proof"]
    freeze = {
        "environment": "production",
        "incident": "INC-7",
        "reason": "Payments fail.",
        "until": "2026-11-23T12:00:00Z",
    }
    others = (
        override(name="again"),
        override("ranker", namespace="search"),
        override("pay-later"),
        override(until=MONDAY + 20 * HOUR),
        override(environment="staging"),
        ending(),
        parse_claim("FlagFreeze", None, "stop-it", json.loads(json.dumps(freeze))),
    )
    for claim in others:
        assert not holds(company, resource(claim, receipt)), claim.title


def test_by_a_receipt_of_ones_own_without_the_role(company: World) -> None:
    """Means: may create EmergencyOverrides while the webhook does not know who holds what."""
    desk = Desk(company.trust, ADMISSION)
    body = resource(override())
    answer = witness(asked(body, user=BOB), desk, None, now=company.clock(), nonce="0" * 32)
    assert not holds(company, applied(body, answer))


def test_by_groups_alone(company: World) -> None:
    """Means: may impersonate groups, and so is in every one of them, the role's namesake included."""
    groups = ["system:masters", ROLE, "alice@acme", "alice"]
    body = resource(override())
    for name in ("mallory", "bob@acme", "alice", "ALICE@acme", "alice@acme ", "system:admin"):
        user = {"username": name, "groups": groups}
        assert not sent(company, body, user).allowed
        assert not holds(company, stored(receipted(override(), name, groups=tuple(groups))))


def test_by_bringing_a_genuine_receipt_along(company: World) -> None:
    """Means: bob sends alice's own resource, receipt included, through the webhook: it is written over."""
    for user in (BOB, {"username": "mallory"}):
        answer = sent(company, genuine(company), user)
        assert not answer.allowed


def test_by_a_review_that_no_api_server_sent(company: World) -> None:
    """Means: reaches the webhook's port, and gets a receipt in alice's name for anything: it counts nowhere."""
    body = resource(override(), labels=LABEL)
    receipt = genuine(company)["metadata"]["annotations"]["flagseal.dev/proof"]
    # Past the webhook, by the label.
    assert not holds(company, resource(override(), receipt, labels=LABEL))
    # Through the webhook, as oneself.
    assert not sent(company, resource(override(), receipt), BOB).allowed
    # Past it, and then the label off, or the receipt on.
    for before, after in (
        (resource(override(), receipt, labels=LABEL), resource(override(), receipt)),
        (body, resource(override(), receipt)),
        (resource(override()), resource(override(), receipt)),
    ):
        assert not sent(company, after, BOB, operation="UPDATE", before=before).allowed


def test_by_the_receipt_of_a_dry_run(company: World) -> None:
    """Means: reads the log of a job in which alice only tried: there is none in it."""
    answer = sent(company, resource(override()), ALICE, dryRun=True)
    assert (answer.allowed, "patch" in answer.body("u")["response"]) == (True, False)
    assert "payload" not in json.dumps(answer.body("u"))


def test_by_creating_it_again_after_its_end(company: World) -> None:
    """Means: kept alice's resource, and creates it again: ended early, over, and long forgotten."""
    body = genuine(company)
    assert holds(company, body)
    company.clock.advance(minutes=1)
    end = resource(ending())
    assert not holds(company, applied(end, sent(company, end, ALICE)))
    # Deleted and created again, by somebody who passes the webhook by somehow.
    assert not holds(company, body)
    company.clock.advance(hours=3)
    assert not holds(company, body)
    company.clock.advance(days=40)
    assert not holds(company, body)
    company.emergencies = Emergencies()
    assert not holds(company, body)


def test_by_keeping_a_receipt_for_a_better_moment(company: World) -> None:
    """Means: alice's resource was withheld from the operator, and is to take effect when nobody expects it."""
    body = resource(override(until=MONDAY + 20 * HOUR))
    kept = applied(body, sent(company, body, ALICE))
    company.clock.advance(minutes=11)
    assert not holds(company, kept)


def test_by_the_webhook_of_another_repository(company: World) -> None:
    """Means: the same key of admission serves two clusters, in one of which everybody holds the role."""
    other = replace(company.trust, repository_id="git:" + "2" * 40)
    body = resource(override())
    answer = witness(asked(body), Desk(other, ADMISSION), None, now=company.clock(), nonce="0" * 32)
    assert not holds(company, applied(body, answer))


def test_by_a_key_that_looks_like_alices(company: World) -> None:
    """Means: a person's envelope with alice's key id and one's own signature passes the webhook untouched."""
    unsigned = payload_of(override(), REPOSITORY, at=MONDAY, nonce="0" * 32)
    mallory = SshKey.of("mallory")
    forged = unsigned.with_signature(Signature(SshKey.of("alice").fingerprint, mallory.sshsig(unsigned.pae)))
    body = resource(override(), forged, labels=LABEL)
    assert not sent(company, body, ALICE).allowed
    assert not holds(company, body)
