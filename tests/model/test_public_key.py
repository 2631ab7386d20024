"""Which public keys count, and when two entries are one key."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from flagseal.model.public_key import key_material
from tests.model.samples import public_key

WEAK = 1024


def written(key: ed25519.Ed25519PublicKey | rsa.RSAPublicKey | ec.EllipticCurvePublicKey | dsa.DSAPublicKey) -> str:
    """Write a key as ssh-keygen does."""
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def security_key(raw: bytes) -> str:
    """Write a key of a hardware token, as PROTOCOL.u2f lays it out."""
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (b"sk-ssh-ed25519@openssh.com", raw, b"ssh:"))
    return f"sk-ssh-ed25519@openssh.com {base64.b64encode(blob).decode()} token"


def test_the_types_that_can_be_verified_are_taken() -> None:
    """ed25519, hardware ed25519, P-256 and RSA of 2048 bits."""
    raw = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    keys = [
        public_key(7),
        security_key(raw),
        written(ec.generate_private_key(ec.SECP256R1()).public_key()),
        written(rsa.generate_private_key(65537, 2048).public_key()),
    ]
    assert len({key_material(key) for key in keys}) == 4


def test_a_comment_is_no_part_of_a_key() -> None:
    """Nor is its absence."""
    bare = public_key(7).rsplit(" ", 1)[0]
    assert key_material(public_key(7, "alice")) == key_material(public_key(7, "bob's second")) == key_material(bare)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (written(rsa.generate_private_key(65537, WEAK).public_key()), "at least 2048 bits, this one has 1024"),
        (written(ec.generate_private_key(ec.SECP384R1()).public_key()), "ecdsa-sha2-nistp384 are not verified"),
        ("ssh-dss AAAA", "ssh-dss are not verified"),
        ("ssh-ed25519-cert-v01@openssh.com AAAA", "are not verified"),
        ("ssh-ed25519 AAAA", "cannot be read"),
        ("ssh-ed25519", "cannot be read"),
        ("ssh-rsa " + public_key(7).split(" ")[1], "cannot be read"),
        ("", "are not verified"),
        ('command="x" ' + public_key(7), "are not verified"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "are not verified"),
    ],
    ids=range(10),
)  # fmt: skip
def test_what_cannot_be_verified_is_refused_with_its_reason(text: str, why: str) -> None:
    """Weak keys, other types, certificates, options and nonsense."""
    with pytest.raises(ValueError, match=why):
        key_material(text)
