"""Reviews are read strictly, whoever sends them, and answered in the form that API servers take."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal.model.errors import ApprovalError
from flagseal_operator.admission.review import Answer, ReviewMalformed, read_review
from tests.emergency.scene import override
from tests.operator.reviews import asked, resource, review

BODY = resource(override())
WORDS = ["request", "uid", "kind", "object", "userInfo", "username", "resource", "operation"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(WORDS), inner),
)


def edited(**fields: object) -> bytes:
    """Write a review with other fields in its request."""
    made = review(BODY)
    made["request"] |= fields
    return json.dumps({**made, "request": {k: v for k, v in made["request"].items() if v != "absent"}}).encode()


def test_a_review_is_read_with_who_asks() -> None:
    """User, groups and extras as authenticated; the place by the path, and not by what the object says."""
    extra = {"authentication.kubernetes.io/mfa": ["true"]}
    user = {"username": "alice@acme", "groups": ["people"], "extra": extra}
    found = asked(BODY, user=user, namespace="search", dryRun=True)
    assert (found.kind, found.namespace, found.name) == ("EmergencyOverride", "search", "stop-it")
    assert found.user.username == "alice@acme"
    assert found.user.groups == ("people",)
    assert found.user.extra == {"authentication.kubernetes.io/mfa": ("true",)}
    assert found.dry_run


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}',
        json.dumps(review(BODY) | {"apiVersion": "admission.k8s.io/v1beta1"}).encode(),
        edited(userInfo="absent"),
        edited(userInfo={}),
        edited(userInfo={"username": ""}),
        edited(userInfo={"username": ["alice@acme"]}),
        edited(userInfo={"username": "\ud800"}),
        edited(userInfo={"username": "a" * 2000}),
        edited(userInfo={"username": "alice@acme", "groups": "people"}),
        edited(userInfo={"username": "alice@acme", "groups": [1]}),
        edited(userInfo={"username": "alice@acme", "extra": {"mfa": "true"}}),
        edited(userInfo={"username": "alice@acme", "extra": []}),
        edited(uid="absent"),
        edited(operation="absent"),
        edited(operation="EXPLODE"),
        edited(dryRun="yes"),
        edited(object="absent"),
        edited(object=[]),
        edited(object={"kind": "Pod", "metadata": {}}),
        edited(object={"kind": "EmergencyOverride", "metadata": None}),
        edited(operation="UPDATE"),
        edited(operation="DELETE"),
        edited(name=["x"]),
        edited(namespace={}),
        edited(resource="absent"),
        edited(resource={"group": "flagseal.dev"}),
    ],
)
def test_what_is_no_review_is_refused_as_such(data: bytes) -> None:
    """And by no other error."""
    with pytest.raises(ReviewMalformed):
        read_review(data)


@given(JSON)
def test_reading_is_total(value: object) -> None:
    """Whatever JSON comes, it is a review or none."""
    made = review(BODY)
    for data in (value, made | {"request": value}, made | {"request": made["request"] | {"userInfo": value}}):
        with contextlib.suppress(ReviewMalformed):
            read_review(json.dumps(data).encode())


def test_what_is_not_ours_is_nobodys() -> None:
    """Other groups, other kinds of our group, and subresources; a status is the operator's own."""
    pod = {"kind": "Pod", "metadata": {"name": "x"}}
    core = {"group": "", "version": "v1", "resource": "pods"}
    assert asked(pod, resource=core).kind is None
    assert asked(BODY, resource={"group": "flagseal.dev", "version": "v2", "resource": "wishes"}).kind is None
    assert asked(BODY, subResource="status").kind is None
    assert asked(BODY, resource={"group": "evil.dev", "version": "v1", "resource": "emergencyoverrides"}).kind is None


def test_a_refusal_says_why_and_what_to_do() -> None:
    """In the place that kubectl shows."""
    refusal = ApprovalError("It was not you.", code="RoleMissing", remedy="Ask erin.")
    response = Answer(refusal, patch=({"op": "add"},)).body("u1")["response"]
    assert (response["uid"], response["allowed"]) == ("u1", False)
    assert response["status"]["message"] == "It was not you. Ask erin."
    assert response["status"]["reason"] == "RoleMissing"
    assert "patch" not in response


def test_a_patch_and_warnings_travel_as_the_api_wants_them() -> None:
    """Base64 of a list of operations; each warning one line, and not too many."""
    patch = {"op": "add", "path": "/metadata/annotations", "value": {}}
    response = Answer(patch=(patch,), warnings=("two\nlines\r\nX-Evil: 1", *["w" * 1000] * 50)).body("u1")["response"]
    assert response["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(response["patch"])) == [patch]
    assert response["warnings"][0] == "two lines X-Evil: 1"
    assert len(response["warnings"]) < 10
    assert all(len(it) <= 256 for it in response["warnings"])
