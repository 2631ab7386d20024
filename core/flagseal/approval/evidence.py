"""Who approved a statement, by the signatures around it (approval.md, Two kinds of evidence).

Each signature is verified by itself, and people are counted, not keys or key ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Signature as LibrarySignature

from flagseal.approval.envelope import Envelope, Signature
from flagseal.approval.keys import Owner, keys_of
from flagseal.approval.sshsig import APPROVAL_NAMESPACE, MAGIC, parse_sshsig
from flagseal.model.errors import ApprovalError
from flagseal.policy.facts import Approval

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flagseal.approval.statement import Statement
    from flagseal.approval.trust import Attestor
    from flagseal.model.policies import Organisation
    from flagseal.policy.facts import EvidenceKind

_PLAIN_LENGTH = 64
_KINDS: tuple[EvidenceKind, ...] = ("keys", "forge")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the signatures around one statement prove.

    Attributes:
        approvals: One a person, with every kind of evidence there is for it.
        envelope: The statement with the signatures that verified, and no others.
    """

    approvals: tuple[Approval, ...]
    envelope: Envelope


def approvers(envelope: Envelope, organisation: Organisation) -> tuple[str, ...]:
    """Give the people whose own keys signed, sorted, each once.

    Args:
        envelope: Signatures that do not verify, or whose key is nobody's, are passed over.
        organisation: Of the head that the statement builds on.
    """
    return tuple(sorted({person for person, _ in _by_reviewers(envelope, keys_of(organisation))}))


def attested(envelope: Envelope, attestors: Iterable[Attestor], sequence: int) -> tuple[Signature, ...]:
    """Give the signatures by attestors' keys that count for this sequence."""
    pae = envelope.pae
    good = []
    for attestor in attestors:
        if attestor.until is not None and sequence > attestor.until:
            continue
        for signature in envelope.signatures:
            if signature.keyid != attestor.key.keyid:
                continue
            try:
                attestor.key.verify_signature(LibrarySignature(signature.keyid, signature.sig.hex()), pae)
            except (UnverifiedSignatureError, VerificationError):
                continue
            good.append(signature)
    return tuple(good)


def gather(
    envelope: Envelope, statement: Statement, organisation: Organisation, attestors: Iterable[Attestor]
) -> Evidence:
    """Collect all the evidence for a statement.

    Args:
        envelope: The statement's.
        statement: What is inside.
        organisation: Of the head that the statement builds on.
        attestors: Of ``trust.json``. What the lower block says counts only under one of their signatures.

    Returns:
        The approvals: by key with the time of acceptance (None), by forge with the time the forge gave.
    """
    reviewers = list(_by_reviewers(envelope, keys_of(organisation)))
    attestations = attested(envelope, attestors, statement.sequence)
    by_key = {person for person, _ in reviewers}
    by_forge = {
        approval.person: approval.at
        for approval in (statement.forge_approvals() if attestations else ())
        if approval.person in organisation.people
    }
    approvals = tuple(
        Approval(
            person=person,
            evidence=frozenset(kind for kind in _KINDS if person in (by_key if kind == "keys" else by_forge)),
            at=None if person in by_key else by_forge[person],
        )
        for person in sorted(by_key | by_forge.keys())
    )
    kept = {signature for _, signature in reviewers} | set(attestations)
    return Evidence(approvals, Envelope(envelope.payload, tuple(sorted(kept))))


def _by_reviewers(envelope: Envelope, owners: Mapping[str, Owner]) -> Iterable[tuple[str, Signature]]:
    """Find the signatures that are somebody's, and whose."""
    pae = envelope.pae
    for signature in envelope.signatures:
        owner = owners.get(signature.keyid)
        if owner is not None and verifies(signature, owner, pae, APPROVAL_NAMESPACE):
            yield owner.person, signature


def verifies(signature: Signature, owner: Owner, pae: bytes, namespace: str) -> bool:
    """Tell whether a signature is the key's own, in SSH's form or bare.

    Args:
        signature: As an envelope has it.
        owner: Of the key that it names.
        pae: What was signed.
        namespace: Of SSH's form: what the signature was made for.
    """
    try:
        if len(signature.sig) == _PLAIN_LENGTH:
            return owner.key.verifies_plain(signature.sig, pae)
        if signature.sig.startswith(MAGIC):
            ssh = parse_sshsig(signature.sig)
            return ssh.key == owner.key and ssh.verifies(pae, namespace)
    except ApprovalError:
        return False
    return False
