"""The mutating webhook: what the API server authenticated becomes a signed receipt, for two kinds only.

A receipt says who asked, and decides nothing: whether that person may is decided where the claim is taken, and by every
client again. What could not take effect anyway is refused here, while whoever asks still looks at the screen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from flagseal.emergency import RECEIPT_TYPE, Offer, Proof, foresee, issue, parse_claim, require_readable, take, verify
from flagseal.emergency.receipting import fitting
from flagseal.model.canonical import canonical_json
from flagseal.model.errors import ApprovalError
from flagseal_operator.admission.review import ALLOWED, Answer
from flagseal_operator.emergency_source import KINDS, PROOF_ANNOTATION, PROOF_LABEL, SIGNED, is_labelled
from flagseal_operator.resources import NAMESPACED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from securesystemslib.signer import Signer

    from flagseal.approval.trust import Trust
    from flagseal.emergency import Claim, Receipt
    from flagseal_operator.admission.known import Known
    from flagseal_operator.admission.review import Request

_LATER: Final = frozenset({"NothingToEnd"})
"""What a look at the resources, which the operator may not have had yet, could turn out otherwise."""


@dataclass(frozen=True)
class Desk:
    """Who signs receipts, and for whom.

    Attributes:
        trust: Names the repository, the environment and the key of admission.
        signer: The private half of that key; None where receipts are not given.
        demanded: Extras that an authenticated user must have (how they authenticated, say), each with the value that
            it must have; None for any.
    """

    trust: Trust
    signer: Signer | None
    demanded: Mapping[str, str | None] = field(default_factory=dict)


def witness(request: Request, desk: Desk, known: Known | None, *, now: datetime, nonce: str) -> Answer:
    """Answer a review at ``/mutate``.

    Args:
        request: What is asked.
        desk: Who signs.
        known: The accepted state; None where it is not at hand: then nothing is refused for its sake.
        now: The clock.
        nonce: 32 to 64 hexadecimal digits of chance.
    """
    if request.kind not in KINDS or request.body is None:
        return ALLOWED
    try:
        if request.operation == "UPDATE":
            return unchanged(request)
        return _created(request, desk, known, now.replace(microsecond=0), nonce)
    except ApprovalError as error:
        return Answer(error)


def unchanged(request: Request) -> Answer:
    """Refuse to let spec, proof or label become others: together they are what somebody did."""
    before, after = request.before or {}, request.body or {}
    spec = _canonical(before.get("spec"))
    same = (
        spec is not None
        and spec == _canonical(after.get("spec"))
        and proof_text(before) == proof_text(after)
        and is_labelled(before.get("metadata") or {}) == is_labelled(after.get("metadata") or {})
    )
    if same:
        return ALLOWED
    return Answer(
        ApprovalError(
            f"{request.title}: its spec, its proof and the label {PROOF_LABEL} stay what they are.",
            code="Immutable",
            remedy="Write another one; `ends` ends this one early.",
        )
    )


def proof_text(body: Mapping[str, Any]) -> str | None:
    """Give the proof that a resource carries, unread."""
    annotations = (body.get("metadata") or {}).get("annotations")
    found = annotations.get(PROOF_ANNOTATION) if isinstance(annotations, dict) else None
    return None if found is None else str(found)


def claim_of(request: Request) -> Claim:
    """Read what is claimed.

    Raises:
        ApprovalError: ``ClaimMalformed``, ``ClaimUnreadable``; ``NameMissing``, where the API server is still to make
            a name up.
    """
    kind, body = str(request.kind), request.body or {}
    if request.name is None:
        raise ApprovalError(
            f"{request.title}: a proof binds a name, and it has none yet.",
            code="NameMissing",
            remedy="Write metadata.name in place of metadata.generateName.",
        )
    claim = parse_claim(kind, request.namespace if kind in NAMESPACED else None, request.name, body.get("spec"))
    require_readable(claim)
    return claim


def _created(request: Request, desk: Desk, known: Known | None, now: datetime, nonce: str) -> Answer:
    claim = claim_of(request)
    if claim.environment != desk.trust.environment:
        # Perhaps another operator's; its webhook answers for it.
        return Answer(warnings=(f"{claim.environment} is not served from here, so nothing here proves {claim.title}.",))
    if known is not None:
        require_flag(claim, known)
    carried = _carried(request)
    if carried is not None and carried.kind != RECEIPT_TYPE:
        if known is not None:
            verify(claim, carried, known.organisation, desk.trust, taken_at=now)
        return ALLOWED
    if is_labelled((request.body or {}).get("metadata") or {}):
        raise not_signed(request.title)
    return _receipted(request, claim, desk, known, now, nonce)


def _receipted(request: Request, claim: Claim, desk: Desk, known: Known | None, now: datetime, nonce: str) -> Answer:
    """Sign who asks."""
    if desk.signer is None:
        raise ApprovalError(
            f"{claim.title}: this operator has no key for admission receipts.",
            code="NoReceipts",
            remedy="Sign it with your own key (`flagseal override`), or give the operator --admission-key.",
        )
    _require_extras(claim, request.user, desk.demanded)
    warnings: tuple[str, ...] = ()
    if known is not None:
        foresee(claim, request.user.username, known.organisation, desk.trust, now=now)
    if request.dry_run:
        # A receipt in the answer to a dry run could be used by whoever reads the answer.
        return Answer(warnings=(f"Dry run: no receipt is signed for {claim.title}.",))
    receipt = fitting(request.user, desk.demanded)
    proof = issue(claim, desk.trust.repository_id, receipt, desk.signer, at=now, nonce=nonce)
    if known is not None:
        warnings = _beside(Offer(claim, proof), desk, known, now)
    if proof_text(request.body or {}) is not None:
        warnings = (*warnings, "The proof that came along was replaced: receipts are signed here, and by nobody else.")
    audit = {"claim": claim.title, "incident": claim.incident, "nonce": nonce}
    return Answer(patch=_annotation(request.body or {}, proof), warnings=warnings, audit=audit)


def _beside(offer: Offer, desk: Desk, known: Known, now: datetime) -> tuple[str, ...]:
    """Hold a claim against all that was taken before, as the builder will."""
    _, outcomes = take(known.emergencies, [offer], known.organisation, desk.trust, now=now)
    refusal = outcomes[0].refusal
    if refusal is None:
        return ()
    if refusal.code in _LATER:
        return (f"As far as is known here: {refusal.message}",)
    raise refusal


def require_flag(claim: Claim, known: Known) -> None:
    """Refuse a claim about a flag that there is none of.

    Raises:
        ApprovalError: ``UnknownFlag``.
    """
    if claim.flag is not None and not known.has_flag(*claim.flag.split("/", 1)):
        raise ApprovalError(
            f"{claim.title}: there is no flag {claim.flag} in the accepted state.",
            code="UnknownFlag",
            remedy="spec.flag is the flag's name, and it lies in the same namespace: `kubectl get flags -A`.",
        )


def not_signed(title: str) -> ApprovalError:
    """Say that something is labelled as signed, and is not."""
    return ApprovalError(
        f"{title}: it is labelled {PROOF_LABEL}={SIGNED}, and carries no signature of a person.",
        code="Unproven",
        remedy="Take the label away to get a receipt, or sign it with your own key (`flagseal override`).",
    )


def _require_extras(claim: Claim, user: Receipt, demanded: Mapping[str, str | None]) -> None:
    for key, wanted in demanded.items():
        values = (user.extra or {}).get(key, ())
        if not any(values) if wanted is None else wanted not in values:
            raise ApprovalError(
                f"{claim.title}: the API server does not say of {user.username!r} that {key} is {wanted or 'there'}.",
                code="StepUpMissing",
                remedy="Log in again with your second factor, or sign it with your own key (`flagseal override`).",
            )


def _carried(request: Request) -> Proof | None:
    """Read the proof that came along; None where there is none that can be read, which is replaced."""
    text = proof_text(request.body or {})
    if text is None:
        return None
    try:
        return Proof.parse(text)
    except ApprovalError:
        return None


def _annotation(body: Mapping[str, Any], proof: Proof) -> tuple[Mapping[str, Any], ...]:
    text = json.dumps(proof.body(), separators=(",", ":"))
    there = (body.get("metadata") or {}).get("annotations")
    if not isinstance(there, dict):
        return ({"op": "add", "path": "/metadata/annotations", "value": {PROOF_ANNOTATION: text}},)
    # RFC 6902: adding what is there replaces it.
    pointer = PROOF_ANNOTATION.replace("~", "~0").replace("/", "~1")
    return ({"op": "add", "path": f"/metadata/annotations/{pointer}", "value": text},)


def _canonical(value: object) -> bytes | None:
    try:
        return canonical_json(value)
    except (TypeError, ValueError, RecursionError):
        return None
