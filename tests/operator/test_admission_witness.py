"""Receipts say whom the API server authenticated, of what, and when; nothing that came along counts as one."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.emergency import Proof, Receipt, payload_of
from flagseal_operator.admission.known import Known
from flagseal_operator.admission.witness import Desk, witness
from flagseal_operator.emergency_source import read_offer
from tests.emergency.scene import ADMISSION, REPOSITORY, ending, override, receipted, signed, world
from tests.operator.reviews import applied, asked, resource
from tests.snapshot.world import MONDAY

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal_operator.admission.review import Answer, Request
    from tests.snapshot.world import World

NONCE = "0123456789abcdef" * 2
LABEL = {"flagseal.dev/proof": "signed"}


@pytest.fixture
def company(tmp_path: Path) -> World:
    """Give the company of the incident."""
    return world(tmp_path)


def knows(company: World) -> Known:
    """Know what is accepted at a company."""
    return Known.of(company.head, company.emergencies)


def asks(company: World, request: Request, *, known: bool = True, **desk: Any) -> Answer:  # noqa: ANN401 (fields of a desk)
    """Ask the webhook, at the company's time."""
    own = Desk(company.trust, **{"signer": ADMISSION, **desk})
    return witness(request, own, knows(company) if known else None, now=company.clock(), nonce=NONCE)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("metadata", [{}, {"annotations": {"a": "b"}}, {"annotations": None}])
def test_a_receipt_proves_who_asked(company: World, metadata: dict[str, Any], known: bool) -> None:
    """What the webhook adds makes the resource take effect, on a standby that knows nothing too."""
    body = resource(override())
    body["metadata"] |= metadata
    offer = read_offer(applied(body, asks(company, asked(body), known=known)))
    (outcome,) = company.offer(offer)
    assert outcome.standing is not None
    assert outcome.standing.person == "alice"


def test_what_a_receipt_binds(company: World) -> None:
    """Place, name, spec, user, groups, extras, time and chance."""
    user = {"username": "alice@acme", "groups": ["people"], "extra": {"example.com/mfa": ["totp"]}}
    body = resource(override())
    offer = read_offer(applied(body, asks(company, asked(body, user=user))))
    assert offer.proof is not None
    told = json.loads(offer.proof.payload)
    assert told == {
        "repository": REPOSITORY,
        "environment": "production",
        "kind": "EmergencyOverride",
        "namespace": "payments",
        "name": "stop-it",
        "spec": override().digest,
        "at": "2026-11-23T10:00:00Z",
        "nonce": NONCE,
        "username": "alice@acme",
        "groups": ["people"],
        "extra": {"example.com/mfa": ["totp"]},
    }


def test_the_name_and_place_are_the_requests(company: World) -> None:
    """And not what the object says of itself."""
    body = resource(override())
    del body["metadata"]["namespace"]
    stored = applied(body, asks(company, asked(body, namespace="payments")))
    stored["metadata"]["namespace"] = "payments"  # which the API server fills in after it has asked
    (outcome,) = company.offer(read_offer(stored))
    assert outcome.standing is not None


@pytest.mark.parametrize(
    "proof",
    [
        receipted(override(), "alice@acme").proof,
        receipted(override(name="another"), "alice@acme").proof,
        payload_of(override(), REPOSITORY, at=MONDAY, nonce="0" * 32, receipt=Receipt("alice@acme")),
        "junk",
        "[" * 50_000,
        "{}",
    ],
    ids=["genuine", "another's", "unsigned", "junk", "deep", "empty"],
)
def test_a_receipt_that_came_along_is_never_trusted(company: World, proof: Proof | str) -> None:
    """Bob brings one that names alice, genuine even, and is named himself; without the role he is refused."""
    bob = {"username": "bob@acme", "groups": ["people"]}
    body = resource(override(), proof)
    refused = asks(company, asked(body, user=bob))
    assert refused.refusal is not None
    assert refused.refusal.code == "RoleMissing"
    # Where the state is not known, the receipt still names bob, and proves nothing.
    after = read_offer(applied(body, asks(company, asked(body, user=bob), known=False)))
    assert after.proof is not None
    assert after.proof.told().username == "bob@acme"
    (outcome,) = company.offer(after)
    assert outcome.standing is None


def test_a_persons_signature_is_left_as_it_is(company: World) -> None:
    """With the label and without it, whoever creates it; one that does not hold is refused early."""
    offer = signed(override())
    for metadata in ({}, {"labels": LABEL}):
        body = resource(offer.claim, offer.proof, **metadata)
        user = {"username": "system:serviceaccount:ci:applier"}
        assert applied(body, asks(company, asked(body, user=user))) == body
    others = signed(override(), "bob")
    answer = asks(company, asked(resource(others.claim, others.proof)))
    assert answer.refusal is not None
    assert answer.refusal.code == "RoleMissing"


def test_what_is_labelled_as_signed_gets_no_receipt(company: World) -> None:
    """If it comes here at all: a receipt on it would prove nothing."""
    answer = asks(company, asked(resource(override(), labels=LABEL)))
    assert answer.refusal is not None
    assert answer.refusal.code == "Unproven"


def test_groups_alone_get_no_receipt(company: World) -> None:
    """Not even every group there is."""
    user = {"username": "root", "groups": ["system:masters", "flag-emergency-override"]}
    answer = asks(company, asked(resource(override()), user=user))
    assert answer.refusal is not None
    assert answer.refusal.code == "PersonUnknown"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (resource(override()) | {"spec": {}}, "ClaimMalformed"),
        (resource(override()) | {"spec": None}, "ClaimMalformed"),
        (resource(override()) | {"spec": {"flag": "x" * 100_000}}, "ClaimMalformed"),
        (resource(override()) | {"spec": json.loads(override().spec) | {"percent": 50}}, "ClaimMalformed"),
        (resource(override(incident="INC\u200b-7")), "ClaimUnreadable"),
        (resource(override(reason="Fails.\x1b[8m")), "ClaimUnreadable"),
        (resource(override("nothing")), "UnknownFlag"),
        (resource(override(until=MONDAY - timedelta(seconds=1))), "Expired"),
        (resource(override(until=MONDAY + timedelta(days=2))), "TooLong"),
    ],
    ids=["empty", "null", "huge", "unknown", "unseen", "control", "flag", "expired", "long"],
)
def test_what_could_not_take_effect_is_refused_early(company: World, body: dict[str, Any], code: str) -> None:
    """With a remedy."""
    answer = asks(company, asked(body))
    assert answer.refusal is not None
    assert (answer.refusal.code, bool(answer.refusal.remedy)) == (code, True)


def test_an_incident_that_has_had_its_day_is_refused_early(company: World) -> None:
    """All of one flag and incident together, with what was taken before."""
    company.offer(signed(override(until=MONDAY + timedelta(hours=20))))
    company.clock.advance(hours=20)
    answer = asks(company, asked(resource(override(name="more", until=MONDAY + timedelta(hours=30)))))
    assert answer.refusal is not None
    assert answer.refusal.code == "TooLongTogether"


def test_an_end_of_what_is_not_taken_yet_is_let_through(company: World) -> None:
    """What was created a moment ago may not have reached the operator: a warning, and a receipt."""
    body = resource(ending())
    answer = asks(company, asked(body))
    assert answer.patch
    assert "no EmergencyOverride stop-it" in answer.warnings[0]
    company.offer(signed(override()))
    assert asks(company, asked(body)).warnings == ()


def test_a_demanded_extra_must_be_there(company: World) -> None:
    """Any value, or the one that is named; before anything is signed, and whether the state is known or not."""
    demanded: dict[str, str | None] = {"example.com/mfa": None, "example.com/acr": "gold"}
    body = resource(override())
    for extra, code in (
        ({}, "StepUpMissing"),
        ({"example.com/mfa": [""], "example.com/acr": ["gold"]}, "StepUpMissing"),
        ({"example.com/mfa": ["totp"], "example.com/acr": ["silver"]}, "StepUpMissing"),
        ({"example.com/mfa": ["totp"], "example.com/acr": ["silver", "gold"]}, None),
    ):
        user = {"username": "alice@acme", "extra": extra}
        for known in (True, False):
            answer = asks(company, asked(body, user=user), known=known, demanded=demanded)
            assert (answer.refusal.code if answer.refusal else None) == code


def test_a_dry_run_is_answered_and_signs_nothing(company: World) -> None:
    """Whoever reads its answer must not hold a receipt."""
    answer = asks(company, asked(resource(override()), dryRun=True))
    assert (answer.allowed, answer.patch) == (True, ())
    assert "Dry run" in answer.warnings[0]
    refused = asks(company, asked(resource(override()), user={"username": "bob@acme"}, dryRun=True))
    assert not refused.allowed


def test_without_a_key_only_signatures_count(company: World) -> None:
    """And the refusal says how to make one."""
    answer = asks(company, asked(resource(override())), signer=None)
    assert answer.refusal is not None
    assert "flagseal override" in answer.refusal.remedy
    offer = signed(override())
    assert asks(company, asked(resource(offer.claim, offer.proof)), signer=None).allowed


def test_a_name_that_is_still_to_be_made_up_is_refused(company: World) -> None:
    """A receipt binds it, and webhooks are asked before it is known."""
    body = resource(override())
    del body["metadata"]["name"]
    body["metadata"]["generateName"] = "stop-"
    answer = asks(company, asked(body, name=None))
    assert answer.refusal is not None
    assert answer.refusal.code == "NameMissing"


def test_another_environments_claims_are_left_alone(company: World) -> None:
    """Another operator's webhook answers for them; what it wrote stays."""
    claim = override(environment="staging")
    body = resource(claim, receipted(claim).proof)
    answer = asks(company, asked(body))
    assert (answer.allowed, answer.patch) == (True, ())
    assert "staging" in answer.warnings[0]


def test_spec_proof_and_label_stay_what_they_are(company: World) -> None:
    """Everything else may change: labels of tools, finalizers, owners."""
    offer = receipted(override())
    before = resource(offer.claim, offer.proof)
    other = resource(offer.claim, receipted(override()).proof)
    labelled = resource(offer.claim, offer.proof, labels=LABEL)
    later = resource(override(until=MONDAY + timedelta(hours=3)), offer.proof)
    for one, another in ((before, other), (before, labelled), (labelled, before), (before, later)):
        answer = asks(company, asked(another, "UPDATE", before=one))
        assert answer.refusal is not None
        assert answer.refusal.code == "Immutable"
    bare = resource(offer.claim)
    assert not asks(company, asked(bare, "UPDATE", before=before)).allowed
    assert not asks(company, asked(before, "UPDATE", before=bare)).allowed
    touched = resource(offer.claim, offer.proof, labels={"team": "x"}, finalizers=["a/b"])
    assert asks(company, asked(touched, "UPDATE", before=before)).allowed


@pytest.mark.parametrize("known", [True, False])
def test_a_freeze_gets_a_receipt_too(company: World, known: bool) -> None:
    """Cluster-scoped: without a namespace."""
    body = {
        "apiVersion": "flagseal.dev/v1alpha1",
        "kind": "FlagFreeze",
        "metadata": {"name": "hold"},
        "spec": {
            "environment": "production",
            "incident": "INC-7",
            "reason": "Payments fail.",
            "until": "2026-11-23T11:00:00Z",
        },
    }
    offer = read_offer(applied(body, asks(company, asked(body), known=known)))
    (outcome,) = company.offer(offer)
    assert outcome.standing is not None
    assert (outcome.standing.person, offer.claim.namespace) == ("alice", None)


def test_other_kinds_and_operations_are_none_of_its_business(company: World) -> None:
    """It is allowed to be registered too broadly."""
    pod = {"kind": "Pod", "metadata": {"name": "x"}}
    requests = (
        asked(pod, resource={"group": "", "version": "v1", "resource": "pods"}),
        asked(None, "DELETE", before=resource(override())),
        asked(resource(override()), subResource="status"),
    )
    for request in requests:
        answer = asks(company, request)
        assert (answer.allowed, answer.patch, answer.warnings) == (True, (), ())
