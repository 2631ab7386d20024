"""The validating webhook: a courtesy, which says early what reconciliation would say later anyway.

It refuses what the operator could never take. What it could take once somebody approves it is let through with a
warning: whoever delivers resources (Flux, Argo CD, a git source) may well be ahead of the approvals. Its being down, or
being asked by nobody, changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flagseal.emergency import RECEIPT_TYPE, verify
from flagseal.model.canonical import canonical_json, sha256_digest
from flagseal.model.document import subject_of
from flagseal.model.errors import ApprovalError, FlagsealError
from flagseal.model.loader import check_resource, parse_body
from flagseal_operator.admission.review import ALLOWED, Answer
from flagseal_operator.admission.witness import claim_of, not_signed, require_flag, unchanged
from flagseal_operator.carriers import read_carrier
from flagseal_operator.emergency_source import KINDS, is_labelled, read_offer
from flagseal_operator.inventory import declared
from flagseal_operator.resources import DECLARING, NAMESPACED, Ref

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flagseal.approval.trust import Trust
    from flagseal_operator.admission.known import Known
    from flagseal_operator.admission.review import Request

_UNAPPROVED = "what is approved stays in force until a pull request is merged with its approvals."


def advise(request: Request, trust: Trust, known: Known | None, *, now: datetime) -> Answer:
    """Answer a review at ``/validate``.

    Args:
        request: What is asked.
        trust: Names the environment that is served.
        known: The accepted state; None where it is not at hand: then nothing is said of approvals.
        now: The clock.
    """
    try:
        if request.kind in DECLARING:
            return _declaring(request, known)
        if request.body is None:
            return ALLOWED
        if request.kind in KINDS:
            return _emergency(request, trust, known, now)
        if request.kind == "FlagApproval":
            return _carrier(request, request.body)
        if request.kind is not None:
            check_resource(_bare(request, request.body), place=request.title)
    except FlagsealError as error:
        return Answer(error)
    return ALLOWED


def _declaring(request: Request, known: Known | None) -> Answer:
    if request.body is None:
        return _deleted(request, known)
    if request.before is not None and request.before.get("spec") == request.body.get("spec"):
        return ALLOWED
    ref = Ref(str(request.kind), request.namespace if request.kind in NAMESPACED else None, str(request.name))
    document = declared(ref, request.body)
    try:
        digest = sha256_digest(canonical_json(document))
    except (TypeError, ValueError, RecursionError):
        digest = None
    subject = _subject(ref, document)
    approved = None if known is None else known.digests.get(subject)
    if digest is not None and digest == approved:
        # Whatever this version thinks of its form: it is in force.
        return ALLOWED
    if request.name is None:
        raise FlagsealError(
            f"{request.title}: it is approved under a name, and has none yet.",
            code="NameMissing",
            remedy="Write metadata.name in place of metadata.generateName.",
        )
    parsed = parse_body(document, place=request.title)
    if ref.kind == "FlagPolicy" and ref.name != (wanted := f"{parsed.kind.lower()}.{parsed.name}"):
        raise FlagsealError(
            f"{request.title}: the policy in it would be {wanted}.",
            code="NameMismatch",
            remedy=f"Call the resource {wanted}.",
        )
    if known is None:
        return ALLOWED
    if approved is None:
        return Answer(warnings=(f"{subject} is not approved: it has no effect until a pull request is merged.",))
    return Answer(warnings=(f"{subject} is not as approved ({approved[:19]}…): {_UNAPPROVED}",))


def _deleted(request: Request, known: Known | None) -> Answer:
    ref = Ref(str(request.kind), request.namespace if request.kind in NAMESPACED else None, str(request.name))
    subject = _subject(ref, declared(ref, request.before or {}))
    if known is None or known.digests.get(subject) is None:
        return ALLOWED
    return Answer(warnings=(f"The removal of {subject} is not approved: it stays in force without its resource.",))


def _subject(ref: Ref, document: object) -> str:
    """Say under which name approvals speak of what a resource declares."""
    if ref.kind != "FlagPolicy":
        return subject_of(ref.kind, ref.namespace, ref.name)
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(metadata, dict):
        return str(ref)
    return subject_of(str(document.get("kind")), None, str(metadata.get("name")))


def _carrier(request: Request, body: Mapping[str, Any]) -> Answer:
    if request.before is not None and request.before.get("spec") != body.get("spec"):
        raise ApprovalError(
            f"{request.title}: what it carries cannot be changed.",
            code="Immutable",
            remedy="Delete it, and let the git source or `flagseal cluster apply` write it anew.",
        )
    read_carrier(body)
    return ALLOWED


def _emergency(request: Request, trust: Trust, known: Known | None, now: datetime) -> Answer:
    """Look at one that passed the other webhook by, or will be stored as that left it."""
    if request.operation == "UPDATE":
        return unchanged(request)
    body = request.body or {}
    claim = claim_of(request)
    if claim.environment != trust.environment:
        return ALLOWED
    # The API server fills in a namespace later than it asks.
    offer = read_offer({**body, "metadata": {**body["metadata"], "name": claim.name, "namespace": claim.namespace}})
    if is_labelled(body["metadata"]) and (offer.proof is None or offer.proof.kind == RECEIPT_TYPE):
        raise not_signed(request.title)
    if known is not None and offer.proof is not None:
        require_flag(claim, known)
        verify(claim, offer.proof, known.organisation, trust, taken_at=now)
    return ALLOWED


def _bare(request: Request, body: Mapping[str, Any]) -> dict[str, Any]:
    """Reduce metadata to what a schema speaks of."""
    return {
        "apiVersion": body.get("apiVersion"),
        "kind": request.kind,
        "metadata": {"name": request.name},
        "spec": body.get("spec"),
    }
