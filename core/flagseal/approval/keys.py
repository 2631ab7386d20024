"""Public keys in OpenSSH's form, and what each may sign with.

Read strictly: a key that could be written in two ways would have two fingerprints, and count twice.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from flagseal.model.errors import ApprovalError
from flagseal.model.public_key import KEY_TYPES, LEAST_RSA_BITS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagseal.model.policies import Organisation

_CURVE_NAME = b"nistp256"
_UNCOMPRESSED = b"\x04"
_USER_PRESENT = 0x01


class Reader:
    """Take SSH wire data (RFC 4251, section 5) apart, front to back."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, length: int) -> bytes:
        """Read so many bytes.

        Raises:
            ApprovalError: ``KeyMalformed`` where fewer are left.
        """
        end = self._at + length
        if end > len(self._data):
            raise ApprovalError("The SSH data ends too early.", code="KeyMalformed")
        part = self._data[self._at : end]
        self._at = end
        return part

    def uint32(self) -> int:
        """Read a number of four bytes."""
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        """Read a length and so many bytes."""
        return self.take(self.uint32())

    def text(self) -> str:
        """Read a string of ASCII."""
        return self.string().decode("ascii", "replace")

    def mpint(self) -> int:
        """Read a positive integer in its only shortest form."""
        data = self.string()
        if not data or data[0] & 0x80 or (data[0] == 0 and (len(data) == 1 or not data[1] & 0x80)):
            raise ApprovalError("An SSH integer is not in its shortest form, or not positive.", code="KeyMalformed")
        return int.from_bytes(data, "big")

    def end(self) -> None:
        """Refuse anything that is left."""
        if self._at != len(self._data):
            raise ApprovalError("The SSH data goes on after its end.", code="KeyMalformed")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Hold one public key.

    Attributes:
        algorithm: OpenSSH's name of its type (``ssh-ed25519``).
        blob: Its wire form, which is what fingerprints and signatures name.
    """

    algorithm: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """``SHA256:`` and unpadded base64, as ``ssh-keygen -l`` prints it: the key's id everywhere."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).rstrip(b"=").decode("ascii")

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Tell whether an SSH signature blob (RFC 4253, 6.6) over a message is this key's.

        Hardware-backed keys must have been touched: without user presence, software alone could have signed.

        Raises:
            ApprovalError: ``KeyMalformed`` for a blob that is none.
        """
        reader = Reader(signature)
        algorithm = reader.text()
        value = reader.string()
        suffix = reader.take(5) if self.algorithm.startswith("sk-") else b""
        reader.end()
        try:
            self._verify(algorithm, value, suffix, message)
        except InvalidSignature:
            return False
        return True

    def verifies_plain(self, signature: bytes, message: bytes) -> bool:
        """Tell whether a bare Ed25519 signature of 64 bytes is this key's; only ``ssh-ed25519`` keys make them."""
        if self.algorithm != "ssh-ed25519":
            return False
        reader = Reader(self.blob)
        reader.string()
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(reader.string()).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def _verify(self, algorithm: str, value: bytes, suffix: bytes, message: bytes) -> None:
        reader = Reader(self.blob)
        reader.string()
        match self.algorithm:
            case "ssh-ed25519" if algorithm == "ssh-ed25519":
                ed25519.Ed25519PublicKey.from_public_bytes(reader.string()).verify(value, message)
            case "sk-ssh-ed25519@openssh.com" if algorithm == self.algorithm:
                public = ed25519.Ed25519PublicKey.from_public_bytes(reader.string())
                application = reader.string()
                if not suffix[0] & _USER_PRESENT:
                    raise InvalidSignature
                told = hashlib.sha256(application).digest() + suffix + hashlib.sha256(message).digest()
                public.verify(value, told)
            case "ssh-rsa" if algorithm in ("rsa-sha2-256", "rsa-sha2-512"):
                exponent, modulus = reader.mpint(), reader.mpint()
                digest = hashes.SHA256() if algorithm == "rsa-sha2-256" else hashes.SHA512()
                rsa.RSAPublicNumbers(exponent, modulus).public_key().verify(value, message, padding.PKCS1v15(), digest)
            case "ecdsa-sha2-nistp256" if algorithm == self.algorithm:
                reader.string()
                point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), reader.string())
                parts = Reader(value)
                r, s = parts.mpint(), parts.mpint()
                parts.end()
                point.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
            case _:
                raise InvalidSignature


def parse_blob(blob: bytes) -> PublicKey:
    """Read a public key's wire form.

    Raises:
        ApprovalError: ``KeyMalformed``; ``KeyUnsupported`` for types that are unknown or too weak (DSA, short RSA).
    """
    reader = Reader(blob)
    algorithm = reader.text()
    try:
        match algorithm:
            case "ssh-ed25519":
                ed25519.Ed25519PublicKey.from_public_bytes(reader.string())
            case "sk-ssh-ed25519@openssh.com":
                ed25519.Ed25519PublicKey.from_public_bytes(reader.string())
                reader.string()
            case "ssh-rsa":
                exponent, modulus = reader.mpint(), reader.mpint()
                if modulus.bit_length() < LEAST_RSA_BITS:
                    raise ApprovalError(f"An RSA key needs at least {LEAST_RSA_BITS} bits.", code="KeyUnsupported")
                rsa.RSAPublicNumbers(exponent, modulus).public_key()
            case "ecdsa-sha2-nistp256":
                curve, point = reader.string(), reader.string()
                if curve != _CURVE_NAME or not point.startswith(_UNCOMPRESSED):
                    raise ApprovalError("An ECDSA key must name its own curve, uncompressed.", code="KeyMalformed")
                ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
            case _:
                raise ApprovalError(
                    f"Keys of type {algorithm!r} are not accepted, only {', '.join(KEY_TYPES)}.",
                    code="KeyUnsupported",
                    remedy="Make one with: ssh-keygen -t ed25519",
                )
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ApprovalError(f"The {algorithm} key is malformed: {error}", code="KeyMalformed") from error
    reader.end()
    return PublicKey(algorithm, blob)


@lru_cache(maxsize=4096)
def parse_public_key(line: str) -> PublicKey:
    """Read a public key as people write it (``ssh-ed25519 AAAA… comment``).

    Raises:
        ApprovalError: ``KeyMalformed``, ``KeyUnsupported``.
    """
    words = line.split()
    if len(words) < 2:  # noqa: PLR2004 (type and key)
        raise ApprovalError(f"Not a public key in OpenSSH's form: {line[:40]!r}", code="KeyMalformed")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ApprovalError(f"The key in {line[:40]!r} is not base64.", code="KeyMalformed") from error
    key = parse_blob(blob)
    if key.algorithm != words[0]:
        raise ApprovalError(f"The key in {line[:40]!r} is a {key.algorithm} key.", code="KeyMalformed")
    return key


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose key it is."""

    person: str
    key: PublicKey


def keys_of(organisation: Organisation) -> dict[str, Owner]:
    """Map the fingerprint of every key in the organisation to its person.

    A key that belongs to two people proves neither, and is left out (policies refuse it on their own); so is a key we
    cannot read.
    """
    return dict(_unambiguous(organisation))


def _unambiguous(organisation: Organisation) -> Iterable[tuple[str, Owner]]:
    owners: dict[str, Owner] = {}
    disputed = set()
    for person in organisation.people.values():
        for line in person.keys:
            try:
                key = parse_public_key(line)
            except ApprovalError:
                continue
            other = owners.setdefault(key.fingerprint, Owner(person.id, key))
            if other.person != person.id:
                disputed.add(key.fingerprint)
    return ((name, owner) for name, owner in owners.items() if name not in disputed)
