"""SSH signatures over files (OpenSSH, PROTOCOL.sshsig), verified without starting a program.

The namespace inside a signature keeps one made for another purpose (a commit, an e-mail) from counting as an approval.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from flagseal.approval.keys import PublicKey, Reader, parse_blob
from flagseal.model.errors import ApprovalError

APPROVAL_NAMESPACE = "approval@flagseal.dev"
COMMIT_NAMESPACE = "git"

MAGIC = b"SSHSIG"
_VERSION = 1
_HASHES = ("sha256", "sha512")
_BEGIN = b"-----BEGIN SSH SIGNATURE-----"
_END = b"-----END SSH SIGNATURE-----"


@dataclass(frozen=True, slots=True)
class SshSignature:
    """Hold one parsed signature.

    Attributes:
        key: The key it claims; meaningful once :meth:`verifies` says so and somebody vouches for the key.
        namespace: What it was made for.
        hash_name: ``sha256`` or ``sha512``.
        reserved: Bytes that take part in what is signed, without a meaning yet.
        blob: The signature proper (RFC 4253, 6.6).
    """

    key: PublicKey
    namespace: str
    hash_name: str
    reserved: bytes
    blob: bytes

    def verifies(self, message: bytes, namespace: str) -> bool:
        """Tell whether this is its key's signature over a message, made for the purpose asked for."""
        if self.namespace != namespace:
            return False
        told = MAGIC + b"".join(
            len(part).to_bytes(4, "big") + part
            for part in (
                self.namespace.encode("utf-8"),
                self.reserved,
                self.hash_name.encode("ascii"),
                hashlib.new(self.hash_name, message).digest(),
            )
        )
        return self.key.verifies(self.blob, told)


def parse_sshsig(data: bytes) -> SshSignature:
    """Read the binary form (what stands between the armour's lines, decoded).

    Raises:
        ApprovalError: ``SignatureMalformed``, ``KeyMalformed``, ``KeyUnsupported``.
    """
    reader = Reader(data)
    if reader.take(len(MAGIC)) != MAGIC or reader.uint32() != _VERSION:
        raise ApprovalError("Not an SSH signature of version 1.", code="SignatureMalformed")
    key = parse_blob(reader.string())
    try:
        namespace = reader.string().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ApprovalError("The signature's namespace is not text.", code="SignatureMalformed") from error
    reserved = reader.string()
    hash_name = reader.text()
    blob = reader.string()
    reader.end()
    if hash_name not in _HASHES:
        raise ApprovalError(f"The signature hashes with {hash_name!r}.", code="SignatureMalformed")
    return SshSignature(key, namespace, hash_name, reserved, blob)


def unarmour(text: bytes) -> bytes:
    """Decode ``-----BEGIN SSH SIGNATURE-----`` and what follows into the binary form.

    Raises:
        ApprovalError: ``SignatureMalformed``; another kind of signature (PGP, X.509) is one.
    """
    lines = text.strip().splitlines()
    if len(lines) < 3 or lines[0].strip() != _BEGIN or lines[-1].strip() != _END:  # noqa: PLR2004 (begin, body, end)
        raise ApprovalError("Not an SSH signature.", code="SignatureMalformed")
    try:
        return base64.b64decode(b"".join(line.strip() for line in lines[1:-1]), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ApprovalError("The SSH signature is not base64.", code="SignatureMalformed") from error
