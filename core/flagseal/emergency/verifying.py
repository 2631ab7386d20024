"""Whether a claim is proven: by whom, since when and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Signature as LibrarySignature

from flagseal.approval.evidence import verifies
from flagseal.approval.keys import keys_of
from flagseal.emergency.proof import EMERGENCY_NAMESPACE, RECEIPT_TYPE
from flagseal.model.errors import ApprovalError
from flagseal.policy.membership import holders

if TYPE_CHECKING:
    from datetime import datetime

    from flagseal.approval.trust import Trust
    from flagseal.emergency.claim import Claim
    from flagseal.emergency.proof import Proof, Told
    from flagseal.model.policies import Organisation

ROLE: Final = "flag-emergency-override"

LONGEST: Final = timedelta(hours=24)
"""How long one claim may hold, and all of one flag and incident together."""

LATEST_PROOF: Final = timedelta(minutes=10)
"""How old a proof may be when it is first seen."""

CLOCK_SKEW: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Proven:
    """A claim of which it is certain who made it, and that they may.

    Attributes:
        claim: The claim.
        person: Who, by the organisation.
        since: From when it holds.
        until: When it ends by itself; for one that ends another, the instant from which that has ended.
    """

    claim: Claim
    person: str
    since: datetime
    until: datetime


def verify(
    claim: Claim, proof: Proof | None, organisation: Organisation, trust: Trust, *, taken_at: datetime
) -> Proven:
    """Find out who made a claim, and whether they may.

    Args:
        claim: The claim.
        proof: What came with it.
        organisation: Of the head.
        trust: Names the repository, the environment and the key of admission.
        taken_at: When it was first seen.

    Raises:
        ApprovalError: ``Unproven``, ``ProofMalformed``; ``WrongRepository``, ``WrongEnvironment``, ``ClaimMismatch``,
            ``DigestMismatch``; ``SignatureInvalid``, ``PersonUnknown``, ``RoleMissing``; ``FromTheFuture``,
            ``ProofTooOld``, ``Expired``, ``TooLong``.
    """
    if proof is None:
        raise ApprovalError(
            f"{claim.title}: nothing proves who made it.",
            code="Unproven",
            remedy="Sign it with `flagseal override`, or create it through an API server with Flagseal's webhook.",
        )
    told = proof.told()
    _require_bound(claim, told, trust)
    if proof.kind == RECEIPT_TYPE:
        person = _receipted(claim, proof, told, organisation, trust)
    else:
        person = _signer(claim, proof, organisation)
    _require_role(claim, person, organisation, trust, told.at)
    return Proven(claim, person, told.at, _end(claim, told.at, taken_at))


def foresee(claim: Claim, username: str, organisation: Organisation, trust: Trust, *, now: datetime) -> Proven:
    """Say what a receipt would prove, before one is signed.

    Args:
        claim: The claim.
        username: Whom the API server authenticated.
        organisation: Of the head.
        trust: As for :func:`verify`.
        now: When the receipt would be issued, and seen.

    Raises:
        ApprovalError: ``WrongEnvironment``, ``PersonUnknown``, ``RoleMissing``, ``Expired``, ``TooLong``.
    """
    if claim.environment != trust.environment:
        raise _other(claim, "WrongEnvironment", f"the environment {claim.environment}", trust.environment)
    person = _user(claim, username, organisation)
    _require_role(claim, person, organisation, trust, now)
    return Proven(claim, person, now, _end(claim, now, now))


def _require_role(claim: Claim, person: str, organisation: Organisation, trust: Trust, at: datetime) -> None:
    if person not in holders(organisation, ROLE, at, (trust.environment,)):
        raise ApprovalError(
            f"{claim.title}: {person} does not hold the role {ROLE} in {trust.environment}.",
            code="RoleMissing",
            remedy=f"Somebody who holds {ROLE} must make it; groups of the cluster do not count.",
        )


def _require_bound(claim: Claim, told: Told, trust: Trust) -> None:
    """Hold what was signed against what is claimed, and where."""
    if told.repository != trust.repository_id:
        raise _other(claim, "WrongRepository", f"the repository {told.repository[:80]}", trust.repository_id)
    if (told.environment, claim.environment) != (trust.environment, trust.environment):
        raise _other(claim, "WrongEnvironment", f"the environment {claim.environment}", trust.environment)
    if (told.kind, told.namespace, told.name) != (claim.kind, claim.namespace, claim.name):
        named = f"{told.kind[:40]} {told.namespace or ''}/{told.name[:80]}"
        raise _other(claim, "ClaimMismatch", named, claim.title)
    if told.spec != claim.digest:
        raise _other(claim, "DigestMismatch", f"a spec of digest {told.spec[:19]}…", f"{claim.digest[:19]}…")


def _other(claim: Claim, code: str, told: str, own: str) -> ApprovalError:
    return ApprovalError(
        f"{claim.title}: its proof is for {told}, not for {own}.",
        code=code,
        remedy="A proof holds for one resource, as it was made; make another.",
    )


def _end(claim: Claim, since: datetime, taken_at: datetime) -> datetime:
    if since > taken_at + CLOCK_SKEW:
        raise ApprovalError(
            f"{claim.title}: its proof is of {since:%Y-%m-%d %H:%M:%S UTC}, which is to come.",
            code="FromTheFuture",
            remedy="Compare the clocks of who signed it and of the publisher.",
        )
    if since < taken_at - LATEST_PROOF:
        raise ApprovalError(
            f"{claim.title}: its proof is of {since:%Y-%m-%d %H:%M:%S UTC}, more than"
            f" {LATEST_PROOF // timedelta(minutes=1)} minutes before it was first seen.",
            code="ProofTooOld",
            remedy="Make it anew under another name: an old proof could be a replayed one.",
        )
    if claim.until is None:
        return since
    if claim.until <= max(since, taken_at):
        raise ApprovalError(
            f"{claim.title}: it ended at {claim.until:%Y-%m-%d %H:%M:%S UTC}.",
            code="Expired",
            remedy="If it is still needed, make another.",
        )
    if claim.until - since > LONGEST:
        raise ApprovalError(
            f"{claim.title}: it would hold longer than {LONGEST // timedelta(hours=1)} hours.",
            code="TooLong",
            remedy="Make it shorter; what must stay off for longer is changed in git.",
        )
    return claim.until


def _receipted(claim: Claim, proof: Proof, told: Told, organisation: Organisation, trust: Trust) -> str:
    """Find the person that an admission receipt names."""
    if trust.admission is None:
        raise ApprovalError(
            f"{claim.title}: trust.json names no key of admission, so receipts prove nothing.",
            code="SignatureInvalid",
            remedy="Name one with `flagseal trust`, or sign with `flagseal override`.",
        )
    key, pae = trust.admission, proof.pae
    for signature in proof.signatures:
        try:
            key.verify_signature(LibrarySignature(key.keyid, signature.sig.hex()), pae)
            break
        except (UnverifiedSignatureError, VerificationError):
            continue
    else:
        raise _invalid(claim, "the key of admission that trust.json names")
    return _user(claim, told.username, organisation)


def _user(claim: Claim, username: str | None, organisation: Organisation) -> str:
    """Find the one person who is a user of the cluster."""
    people = [it.id for it in organisation.people.values() if it.kubernetes_username == username]
    if username is None or len(people) != 1:
        found = "nobody" if not people else "more than one"
        raise ApprovalError(
            f"{claim.title}: the user {username!r} is {found} in the organisation.",
            code="PersonUnknown",
            remedy="List the user under `kubernetes: {username: …}` of one person in organisation.yaml.",
        )
    return people[0]


def _signer(claim: Claim, proof: Proof, organisation: Organisation) -> str:
    """Find the one person whose own key signed."""
    owners, pae = keys_of(organisation), proof.pae
    people = {
        owner.person
        for signature in proof.signatures
        if (owner := owners.get(signature.keyid)) is not None and verifies(signature, owner, pae, EMERGENCY_NAMESPACE)
    }
    if len(people) != 1:
        raise _invalid(claim, "one person's key of organisation.yaml")
    return people.pop()


def _invalid(claim: Claim, whose: str) -> ApprovalError:
    return ApprovalError(
        f"{claim.title}: no signature on its proof is by {whose}.",
        code="SignatureInvalid",
        remedy="Sign it with `flagseal override`, or create it through an API server with Flagseal's webhook.",
    )
