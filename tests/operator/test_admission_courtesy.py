"""A courtesy: what could never be taken is refused early, what could be once approved is let through with a word."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from flagseal_operator.admission.courtesy import advise
from flagseal_operator.admission.known import Known
from flagseal_operator.carriers import carry, genesis_carrier
from tests.cluster.cluster import resource_of
from tests.emergency.scene import override, receipted, signed, world
from tests.operator.reviews import asked, resource
from tests.snapshot.world import FLAGS, flag

if TYPE_CHECKING:
    from flagseal_operator.admission.review import Answer, Request
    from tests.snapshot.world import World

LABEL = {"flagseal.dev/proof": "signed"}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a company; nothing here changes it."""
    return world(tmp_path_factory.mktemp("company"))


def asks(company: World, request: Request, *, known: bool = True) -> Answer:
    """Ask the webhook."""
    state = Known.of(company.head, company.emergencies) if known else None
    return advise(request, company.trust, state, now=company.clock())


def refusal(answer: Answer) -> str | None:
    """Give the code of a refusal."""
    return None if answer.refusal is None else answer.refusal.code


def test_what_is_approved_passes_without_a_word(company: World) -> None:
    """Every flag, segment and policy of the head, created or updated."""
    bodies = [resource_of(it) for it in company.head.documents.values()]
    assert {body["kind"] for body in bodies} == {"FlagDefinition", "FlagPolicy"}
    for body in bodies:
        for request in (asked(body), asked(body, "UPDATE", before=body | {"spec": {}})):
            answer = asks(company, request)
            assert (answer.allowed, answer.warnings) == (True, ())


def test_what_is_not_approved_passes_with_a_warning(company: World) -> None:
    """Flux may be ahead of the approvals: it must not be held up, and whoever applies by hand is told."""
    edited = resource_of(flag("new-checkout", on_for=["acme", "evil"]))
    new = resource_of(flag("unheard-of"))
    for body, word in ((edited, "not as approved"), (new, "not approved")):
        answer = asks(company, asked(body))
        assert answer.allowed
        assert word in answer.warnings[0]
        assert asks(company, asked(body), known=False) == replace(answer, warnings=())


def test_a_removal_that_is_not_approved_passes_with_a_warning(company: World) -> None:
    """It stays in force; what was never approved goes without a word."""
    body = resource_of(FLAGS[0])
    answer = asks(company, asked(None, "DELETE", before=body))
    assert answer.allowed
    assert "stays in force" in answer.warnings[0]
    policy = next(resource_of(it) for it in company.head.documents.values() if it.namespace is None)
    assert asks(company, asked(None, "DELETE", before=policy)).warnings
    assert asks(company, asked(None, "DELETE", before=resource_of(flag("unheard-of")))).warnings == ()
    assert asks(company, asked(None, "DELETE", before=body), known=False).warnings == ()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    "spec",
    [None, {}, [], {"description": 5}, {"description": "\ud800"}, {"description": 2**70}],
    ids=["none", "empty", "list", "typed", "half", "large"],
)
def test_what_is_no_document_is_refused(company: World, spec: object, known: bool) -> None:
    """With every place that is wrong, as `flagseal validate` names them."""
    body = resource_of(FLAGS[0]) | {"spec": spec}
    answer = asks(company, asked(body), known=known)
    assert refusal(answer) == "InvalidDocuments"
    assert answer.refusal is not None
    assert "FlagDefinition/payments/new-checkout" in answer.refusal.message


def test_a_deep_document_is_refused(company: World) -> None:
    """And takes no stack with it."""
    spec: dict[str, Any] = {}
    for _ in range(300):
        spec = {"description": spec}
    body = resource_of(FLAGS[0]) | {"spec": spec}
    assert refusal(asks(company, asked(body))) == "InvalidDocuments"


def test_an_unreadable_document_can_still_be_relabelled_and_let_go(company: World) -> None:
    """Only a change of what it says is looked at: finalizers and labels of tools are their own business."""
    body = resource_of(FLAGS[0]) | {"spec": {"old": "form"}}
    touched = body | {"metadata": body["metadata"] | {"labels": {"a": "b"}}}
    assert asks(company, asked(touched, "UPDATE", before=body)).allowed
    assert asks(company, asked(None, "DELETE", before=body)).allowed


def test_a_policy_is_called_what_is_in_it(company: World) -> None:
    """Otherwise it declares nothing that anybody looks for."""
    policy = next(resource_of(it) for it in company.head.documents.values() if it.kind == "Organisation")
    spec = json.loads(json.dumps(policy["spec"]))
    spec["document"]["spec"]["teams"] = {}
    misnamed = policy | {"metadata": {"name": "organisation.other"}, "spec": spec}
    assert refusal(asks(company, asked(misnamed))) == "NameMismatch"
    assert asks(company, asked(misnamed | {"metadata": policy["metadata"]})).warnings
    assert refusal(asks(company, asked(misnamed | {"spec": {}}))) == "InvalidDocuments"


def test_a_carrier_is_called_what_it_carries_and_stays_so(company: World) -> None:
    """Its envelopes are envelopes, and its documents canonical."""
    (body,) = carry(genesis_carrier(company.trust.genesis.manifest), company.genesis_documents)
    assert asks(company, asked(dict(body))).allowed
    junk = {"payload": "e30=", "payloadType": "x", "signatures": []}
    for changed in (
        body | {"metadata": {"name": "x"}},
        body | {"spec": {"envelopes": [junk]}},
        body | {"spec": {"envelopes": "x"}},
        body | {"spec": {"documents": ["{}"]}},
        body | {"spec": {"documents": ["[" * 50_000]}},
        body | {"spec": None},
    ):
        assert refusal(asks(company, asked(changed))) == "CarrierMalformed"
    assert refusal(asks(company, asked(dict(body), "UPDATE", before=body | {"spec": {}}))) == "Immutable"


def test_a_repository_is_checked_by_its_schema(company: World) -> None:
    """An API server does the same; one that was told not to, does not."""
    spec = {"url": "https://git.example.com/acme/flags", "apply": "everything"}
    body = {
        "apiVersion": "flagseal.dev/v1alpha1",
        "kind": "FlagRepository",
        "metadata": {"name": "flags", "uid": "1", "managedFields": []},
        "spec": spec,
    }
    assert asks(company, asked(body)).allowed
    refused = asks(company, asked(body | {"spec": spec | {"url": "ext::sh -c evil"}}))
    assert refusal(refused) == "InvalidDocuments"


def test_an_emergency_that_passed_the_other_webhook_by_is_looked_at(company: World) -> None:
    """Labelled and not signed, labelled with a receipt, signed by somebody without the role; and changed later."""
    good, bobs, odd = signed(override()), signed(override(), "bob"), signed(override(incident="INC\n7"))
    receipt = receipted(override())
    for body, code in (
        (resource(good.claim, good.proof, labels=LABEL), None),
        (resource(receipt.claim, receipt.proof), None),
        (resource(good.claim, labels=LABEL), "Unproven"),
        (resource(receipt.claim, receipt.proof, labels=LABEL), "Unproven"),
        (resource(bobs.claim, bobs.proof, labels=LABEL), "RoleMissing"),
        (resource(good.claim, "junk", labels=LABEL), "ProofMalformed"),
        (resource(good.claim) | {"spec": {}}, "ClaimMalformed"),
        (resource(odd.claim, odd.proof, labels=LABEL), "ClaimUnreadable"),
        (resource(override(environment="staging"), labels=LABEL), None),
    ):
        assert refusal(asks(company, asked(body))) == code
    before, after = resource(good.claim, good.proof, labels=LABEL), resource(good.claim, labels=LABEL)
    assert refusal(asks(company, asked(after, "UPDATE", before=before))) == "Immutable"
    assert asks(company, asked(None, "DELETE", before=before)).allowed


def test_what_is_not_ours_is_let_through(company: World) -> None:
    """It is allowed to be registered too broadly."""
    pod = {"kind": "Pod", "metadata": {"name": "x"}}
    assert asks(company, asked(pod, resource={"group": "", "version": "v1", "resource": "pods"})).allowed
    assert asks(company, asked(resource_of(FLAGS[0]) | {"spec": {}}, subResource="status")).allowed
