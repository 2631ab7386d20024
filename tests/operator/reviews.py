"""Reviews as an API server sends them."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from flagseal_operator.admission.review import read_review
from flagseal_operator.resources import NAMESPACED, PLURALS

if TYPE_CHECKING:
    from flagseal.emergency import Claim, Proof
    from flagseal_operator.admission.review import Answer, Request

ALICE = {"username": "alice@acme", "uid": "1", "groups": ["people", "system:authenticated"]}


def resource(claim: Claim, proof: Proof | str | None = None, **metadata: object) -> dict[str, Any]:
    """Write what somebody would create for a claim."""
    annotations = {}
    if proof is not None:
        annotations = {"flagseal.dev/proof": proof if isinstance(proof, str) else json.dumps(proof.body())}
    own = {"name": claim.name, **({"annotations": annotations} if annotations else {}), **metadata}
    if claim.namespace is not None:
        own["namespace"] = claim.namespace
    return {
        "apiVersion": "flagseal.dev/v1alpha1",
        "kind": claim.kind,
        "metadata": own,
        "spec": json.loads(claim.spec),
    }


def review(
    body: dict[str, Any] | None,
    operation: str = "CREATE",
    *,
    before: dict[str, Any] | None = None,
    user: dict[str, Any] | None = None,
    **request: object,
) -> dict[str, Any]:
    """Write a review; any field of the request can be another, or be left out as None."""
    shown = body or before or {}
    kind = str(shown["kind"])
    fields = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "flagseal.dev", "version": "v1alpha1", "kind": kind},
        "resource": {"group": "flagseal.dev", "version": "v1alpha1", "resource": PLURALS.get(kind, "pods")},
        "name": shown["metadata"].get("name"),
        "namespace": shown["metadata"].get("namespace") if kind in NAMESPACED else None,
        "operation": operation,
        "userInfo": ALICE if user is None else user,
        "object": body,
        "oldObject": before,
        "dryRun": False,
        **request,
    }
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {key: value for key, value in fields.items() if value is not None},
    }


def asked(*words: Any, **more: Any) -> Request:  # noqa: ANN401 (those of a review)
    """Read a review, as it comes over the wire."""
    return read_review(json.dumps(review(*words, **more)).encode())


def applied(body: dict[str, Any], answer: Answer) -> dict[str, Any]:
    """Apply an answer's patch as the API server does."""
    assert answer.refusal is None
    after: dict[str, Any] = json.loads(json.dumps(body))
    patch = answer.body("u")["response"].get("patch")
    for step in json.loads(base64.b64decode(patch)) if patch else ():
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
        place = after
        for part in parents:
            place = place[part]
        place[last] = step["value"]
    return after
