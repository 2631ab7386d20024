"""trust.json: what is trusted first."""

from __future__ import annotations

import json
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner

from flagseal.approval.trust import Attestor, Genesis, Trust
from flagseal.model.errors import ApprovalError

TRUST = Trust(
    repository_id="git:" + "1" * 40,
    repository_name="acme/flags",
    ref="refs/heads/main",
    environment="production",
    genesis=Genesis("a" * 40, "sha256:" + "b" * 64, 0),
    attestors=(Attestor(CryptoSigner.generate_ed25519().public_key, until=12),),
    admission=CryptoSigner.generate_ecdsa().public_key,
)


def test_trust_reads_back_as_it_was_written() -> None:
    """Every field survives the file."""
    assert Trust.parse(TRUST.to_bytes()) == TRUST


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", 2),
        ("repository", {"id": "x"}),
        ("ref", "main"),
        ("environment", "../x"),
        ("genesis", {"commit": "a" * 40, "manifest": "sha256:x", "sequence": 0}),
        ("genesis", {"commit": "a" * 40, "manifest": "sha256:" + "b" * 64, "sequence": -1}),
        ("genesis", {"commit": "a" * 40, "manifest": "sha256:" + "b" * 64, "sequence": True}),
        ("genesis", {"commit": "a" * 40, "manifest": "sha256:" + "b" * 64, "sequence": 2**53}),
        ("attestors", {}),
        ("attestors", [{"key": {"keyid": "x"}, "until": None}]),
        ("admission", {"keytype": "ed25519"}),
        ("more", 1),
    ],
)
def test_a_bent_trust_is_refused(field: str, value: object) -> None:
    """Nothing is guessed, and nothing unknown passed over."""
    body: dict[str, Any] = json.loads(TRUST.to_bytes())
    body[field] = value
    with pytest.raises(ApprovalError) as caught:
        Trust.parse(json.dumps(body).encode())
    assert caught.value.code == "TrustMalformed"


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"[" * 100_000, b" " * 300_000])
def test_rubbish_is_refused_in_words(data: bytes) -> None:
    """Whatever the bytes, the answer is the room's own error."""
    with pytest.raises(ApprovalError):
        Trust.parse(data)
