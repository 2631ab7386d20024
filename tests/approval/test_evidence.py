"""Who approved: people by signatures that verify."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from securesystemslib.signer import CryptoSigner

from flagseal.approval.envelope import Envelope, Signature
from flagseal.approval.evidence import approvers, gather
from flagseal.approval.signing import sign_with_ssh_keygen
from flagseal.approval.trust import Attestor
from flagseal.model.errors import ApprovalError
from tests.approval.keyring import SshKey, signed
from tests.approval.samples import STATEMENT, organisation
from tests.approval.test_statement import FORGE

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.approval.statement import Statement

PAYLOAD = STATEMENT.payload()
TWO = organisation(alice=("alice",), dora=("dora",))


def test_whoever_signed_approved() -> None:
    """Each signature is verified by itself."""
    assert approvers(signed(PAYLOAD, "alice", "dora"), TWO) == ("alice", "dora")
    assert approvers(signed(PAYLOAD, "alice"), TWO) == ("alice",)
    assert approvers(signed(PAYLOAD), TWO) == ()


def test_keys_of_nobody_count_for_nobody() -> None:
    """A good signature by an unknown key is worth nothing."""
    assert approvers(signed(PAYLOAD, "mallory"), TWO) == ()


def test_a_signature_over_other_bytes_counts_for_nobody() -> None:
    """Approvals do not travel from one statement to another."""
    other = signed(replace(STATEMENT, sequence=8).payload(), "alice")
    assert approvers(Envelope(PAYLOAD, other.signatures), TWO) == ()


def test_a_signature_made_for_commits_approves_nothing() -> None:
    """What git asks a key to sign can never be an approval."""
    alice = SshKey.of("alice")
    made = Signature(alice.fingerprint, alice.sshsig(Envelope(PAYLOAD).pae, "git"))
    assert approvers(Envelope(PAYLOAD, (made,)), TWO) == ()


def test_ssh_keygen_signs_for_a_reviewer(tmp_path: Path) -> None:
    """The way people sign: OpenSSH's tool, an own key, a file only they can read."""
    path = SshKey.of("alice").write(tmp_path / "alice")
    envelope = Envelope(PAYLOAD).with_signature(sign_with_ssh_keygen(PAYLOAD, path))
    assert approvers(envelope, TWO) == ("alice",)


@pytest.mark.parametrize("content", [None, b"", b"no key"])
def test_a_key_that_cannot_sign_says_so(tmp_path: Path, content: bytes | None) -> None:
    """A missing or broken key is a message with a remedy."""
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o600)
    with pytest.raises(ApprovalError) as caught:
        sign_with_ssh_keygen(PAYLOAD, path)
    assert caught.value.code == "SigningFailed"
    assert caught.value.remedy


def test_a_bare_ed25519_signature_counts() -> None:
    """Keys need not live in OpenSSH: the same key may sign the envelope's bytes directly."""
    alice = SshKey.of("alice")
    made = Signature(alice.fingerprint, alice.private.sign(Envelope(PAYLOAD).pae))
    assert approvers(Envelope(PAYLOAD, (made,)), TWO) == ("alice",)
    with_doras_name = replace(made, keyid=SshKey.of("dora").fingerprint)
    assert approvers(Envelope(PAYLOAD, (with_doras_name,)), TWO) == ()


def attested_statement() -> Statement:
    """A statement with a forge's block."""
    return replace(STATEMENT, forge=FORGE)


def attestation(statement: Statement, signer: CryptoSigner) -> Envelope:
    """Sign as an attestor does, through securesystemslib."""
    made = signer.sign(Envelope(statement.payload()).pae)
    return Envelope(statement.payload(), (Signature(made.keyid, bytes.fromhex(made.signature)),))


def test_an_attestor_speaks_for_the_forge() -> None:
    """Under a trusted attestor's signature the lower block's approvals count, with their times."""
    signer = CryptoSigner.generate_ed25519()
    statement = attested_statement()
    found = gather(attestation(statement, signer), statement, TWO, [Attestor(signer.public_key)])
    (approval,) = found.approvals
    assert (approval.person, approval.evidence) == ("alice", frozenset({"forge"}))
    assert approval.at == datetime(2026, 11, 23, 9, tzinfo=UTC)


def test_a_reviewers_own_signature_adds_to_the_attestors() -> None:
    """`evidence: both` can be met: one person, two kinds of proof."""
    signer = CryptoSigner.generate_ecdsa()
    statement = attested_statement()
    envelope = attestation(statement, signer).merge(signed(statement.payload(), "alice"))
    (approval,) = gather(envelope, statement, TWO, [Attestor(signer.public_key)]).approvals
    assert approval.evidence == frozenset({"forge", "keys"})


def test_without_an_attestors_signature_the_lower_block_is_words() -> None:
    """Anyone can write that alice approved."""
    statement = attested_statement()
    signer = CryptoSigner.generate_ed25519()
    stranger = CryptoSigner.generate_ed25519()
    assert gather(signed(statement.payload(), "mallory"), statement, TWO, [Attestor(signer.public_key)]).approvals == ()
    assert gather(attestation(statement, stranger), statement, TWO, [Attestor(signer.public_key)]).approvals == ()


def test_a_revoked_attestor_counts_up_to_its_last_sequence() -> None:
    """What it said before it was revoked stands; what it says afterwards is nothing."""
    signer = CryptoSigner.generate_ed25519()
    statement = attested_statement()
    envelope = attestation(statement, signer)
    assert gather(envelope, statement, TWO, [Attestor(signer.public_key, until=7)]).approvals
    assert gather(envelope, statement, TWO, [Attestor(signer.public_key, until=6)]).approvals == ()


def test_only_signatures_that_verify_are_kept() -> None:
    """What is stored and published carries no rubbish that somebody added."""
    alice = SshKey.of("alice")
    good = signed(PAYLOAD, "alice")
    envelope = good.with_signature(Signature(alice.fingerprint, bytes(64))).merge(signed(PAYLOAD, "mallory"))
    assert gather(envelope, STATEMENT, TWO, []).envelope == good
