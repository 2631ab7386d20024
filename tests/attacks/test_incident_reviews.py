"""Close the review of one's own emergency, or have something else count for it.

The attacker broke glass, or works for somebody who did, and wants the reports to say that it was reviewed. Means:
everything that a person of the organisation has, and may write whatever they like into a review.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from securesystemslib.signer import CryptoSigner

from flagseal.approval.envelope import Signature
from flagseal.emergency import EMPTY, Emergencies, Offer, Receipt, payload_of, take
from flagseal.history import accept, reviewed
from tests.approval.keyring import SshKey
from tests.emergency.scene import override as claimed
from tests.emergency.scene import receipted, world
from tests.forge.world import company as on_github
from tests.history.company import Chronicle, document, organisation, policies
from tests.history.reviews import (
    BEGAN,
    LATER,
    ROLE,
    broken,
    company,
    loose_policy,
    named,
    review,
    rollback,
)

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.emergency import Standing


@pytest.fixture
def history() -> Chronicle:
    """Give a history whose flags alice may roll back."""
    return company()


@pytest.fixture
def stopped(history: Chronicle) -> Standing:
    """Give an override that alice made."""
    return broken(history)[0]


def test_by_approving_it_oneself(history: Chronicle, stopped: Standing) -> None:
    """Somebody else wrote the review; who asked for what it reviews approves it."""
    assert history.refused(review(stopped), by=["bob"], approved=["alice"], now=LATER) == "SelfApproval"


def test_by_waiting_until_it_is_forgotten(history: Chronicle, stopped: Standing) -> None:
    """A year on it is still listed, and as not reviewed; once it is reviewed, it goes."""
    organisation, later = history.head.policies.organisation, BEGAN + timedelta(days=365)

    def kept(known: Emergencies) -> Emergencies:
        seen = history.head
        return take(
            known, (), organisation, history.trust, now=later, reviewed=lambda it: reviewed(seen, it) is not None
        )[0]

    known = kept(Emergencies((stopped,)))
    assert [it.identity for it in known.standings] == [stopped.identity]
    history.change(review(stopped), by=["alice"], approved=["bob"], now=LATER)
    assert kept(known) == EMPTY


def test_by_standing_for_the_second_place(history: Chronicle, stopped: Standing) -> None:
    """One of two places is filled by somebody else; the other is not filled by the requester either."""
    both = [*broken(history, rollback("ranker", namespace="search", name="stop-that")), stopped]
    assert history.refused(review(*both), by=["dora"], approved=["alice", "carol"], now=LATER) == "SelfApproval"
    assert history.attempt(review(*both), by=["dora"], approved=["bob", "carol"], now=LATER).head is not None


def test_by_a_second_key_of_ones_own() -> None:
    """A person counts as one, by whichever of their keys they sign."""
    people = organisation()
    people["roles"] |= {ROLE: {"people": ["alice"]}}
    people["people"]["alice"]["keys"].append(SshKey.of("alice-2").line)
    flags = [it for it in company().head.documents.values() if it.kind == "FlagDefinition"]
    history = Chronicle((*policies(**people), *flags))
    (stopped,) = broken(history)
    assert history.refused(review(stopped), by=["bob"], approved=["alice-2"], now=LATER) == "SelfApproval"
    assert history.refused(review(stopped), by=["bob"], approved=["alice", "alice-2"], now=LATER) == "SelfApproval"


def test_by_a_key_of_nobody(history: Chronicle, stopped: Standing) -> None:
    """A second account that the organisation does not know is nobody."""
    assert history.refused(review(stopped), by=["bob"], approved=["alice-2"], now=LATER) == "NoValidSignature"


def test_by_a_co_author_who_approves(history: Chronicle, stopped: Standing) -> None:
    """Whoever wrote a part of the review is not counted either."""
    assert history.refused(review(stopped), by=["alice", "bob"], approved=["bob"], now=LATER) == "SelfApproval"


def test_by_naming_somebody_else_as_the_requester(history: Chronicle, stopped: Standing) -> None:
    """Accepted, as any words are; but the proof says who it was."""
    other = review(stopped, emergencies=[named(stopped, requestedBy="carol")])
    history.change(other, by=["bob"], approved=["alice"], now=LATER)
    assert reviewed(history.head, stopped) is None


def test_by_naming_nobody_as_the_requester(history: Chronicle, stopped: Standing) -> None:
    """Of somebody unknown, nobody knows who that is: nobody can be counted."""
    other = review(stopped, emergencies=[named(stopped, requestedBy="ghost")])
    assert history.refused(other, by=["bob"], approved=["alice"], now=LATER) == "RequesterUnknown"


def test_by_a_receipt_of_an_account_that_is_nobodys(tmp_path: Path) -> None:
    """An override of an account that no person has never took effect, so there is nothing to review."""
    made = world(tmp_path)
    outcomes = made.offer(receipted(claimed(), "alice-at-home@acme"))
    assert [it.refusal.code for it in outcomes if it.refusal is not None] == ["PersonUnknown"]
    assert not made.emergencies.standings


def test_by_breaking_glass_by_receipt_and_approving_by_key() -> None:
    """The account in the cluster and the key are one person's."""
    admission = CryptoSigner.generate_ed25519()
    people = organisation()
    people["roles"] |= {ROLE: {"people": ["alice"]}}
    people["people"]["alice"]["kubernetes"] = {"username": "oidc:4711"}
    flags = [it for it in company().head.documents.values() if it.kind == "FlagDefinition"]
    history = Chronicle((*policies(**people), *flags))
    trust = history.trust
    claim = rollback()
    proof = payload_of(claim, trust.repository_id, at=BEGAN, nonce="7" * 32, receipt=Receipt("oidc:4711"))
    signature = admission.sign(proof.pae)
    proof = proof.with_signature(Signature(signature.keyid, bytes.fromhex(signature.signature)))
    history.trust = replace(trust, admission=admission.public_key)
    (stopped,) = take(EMPTY, [Offer(claim, proof)], history.head.policies.organisation, history.trust, now=BEGAN)[
        0
    ].standings
    assert history.refused(review(stopped), by=["bob"], approved=["alice"], now=LATER) == "SelfApproval"


@pytest.mark.parametrize("other", [{"incident": "INC-9"}, {"environment": "staging"}], ids=["incident", "environment"])
def test_by_copying_a_review_to_another_incident(history: Chronicle, stopped: Standing, other: dict[str, Any]) -> None:
    """The proofs are of the one incident and environment; a review that says another is about nothing."""
    history.change(review(stopped, **other), by=["alice"], approved=["bob"], now=LATER)
    assert reviewed(history.head, stopped) is None


def test_by_copying_the_words_of_a_review(history: Chronicle, stopped: Standing) -> None:
    """A second override of the same incident has a proof of its own."""
    (again,) = broken(history, rollback(name="stop-it"), at=BEGAN + timedelta(minutes=5))
    history.change(review(stopped), by=["alice"], approved=["bob"], now=LATER)
    assert reviewed(history.head, stopped) is not None
    assert again.claim == stopped.claim
    assert reviewed(history.head, again) is None


def test_by_having_it_approved_beforehand(history: Chronicle) -> None:
    """The override is signed in the drawer, reviewed, and used afterwards."""
    (stopped,) = broken(history, at=BEGAN)
    history.change(review(stopped), by=["alice"], approved=["bob"], now=BEGAN - timedelta(minutes=1))
    assert reviewed(history.head, stopped) is None


def test_by_changing_who_is_who_in_the_same_statement(history: Chronicle, stopped: Standing) -> None:
    """Alice's key becomes somebody else's together with the review: neither is accepted."""
    people = organisation()
    people["roles"] |= {ROLE: {"people": ["alice", "erin"]}}
    people["people"]["alice"]["keys"] = [SshKey.of("alice-2").line]
    changed = document("Organisation", "organisation", people)
    everybody = ["bob", "carol", "dora", "erin", "frank"]
    code = history.refused(changed, review(stopped), by=["mallory"], approved=everybody, now=LATER)
    assert code == "ReviewWithPolicies"


def test_by_loosening_the_rows_in_the_same_statement(history: Chronicle, stopped: Standing) -> None:
    """A review and policies are approved apart, however many people approve them together."""
    everybody = ["bob", "carol", "dora", "erin", "frank"]
    code = history.refused(loose_policy(), review(stopped), by=["mallory"], approved=everybody, now=LATER)
    assert code == "ReviewWithPolicies"


def test_by_editing_it_after_the_approval(history: Chronicle, stopped: Standing) -> None:
    """What was approved is the content; another outcome is another review."""
    approved, written = review(stopped), review(stopped, outcome="permanent")
    bundle = history.bundle(history.proposal(approved, by=["alice"]), "bob")
    moved = type(bundle)(bundle.envelope, {written.subject: written})
    acceptance = accept(history.head, moved, history.trust, now=LATER)
    assert acceptance.refusal is not None
    assert acceptance.refusal.code == "DigestMismatch"


def test_through_a_git_host_by_approving_the_request(tmp_path: Path) -> None:
    """Carol opens the request; bob, who broke glass, approves it beside the owner of the path."""
    named_bob = {"kind": "EmergencyOverride", "name": "stop-it", "flag": "payments/checkout", "requestedBy": "bob"}
    written = review(emergencies=[{**named_bob, "proof": "sha256:" + "0" * 64}])
    with on_github(tmp_path) as hub:
        hub.landed(written, by="carol", approved=("bob", "frank"))
        failed = {check.id: check.reason for check in hub.attest().failed}
        assert "bob" in failed["self-approval"]
        assert "asked for what it reviews" in failed["self-approval"]
        assert hub.poll().sequence == 0
    with on_github(tmp_path / "again") as hub:
        hub.landed(written, by="carol", approved=("alice", "frank"))
        assert hub.attest().allowed
