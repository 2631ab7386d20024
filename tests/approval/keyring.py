"""Keys of people, and signatures made with them without starting a program."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from flagseal.approval.envelope import Envelope, Signature
from flagseal.approval.sshsig import APPROVAL_NAMESPACE, MAGIC

if TYPE_CHECKING:
    from pathlib import Path


def wire(*parts: bytes) -> bytes:
    """Write SSH strings: length and bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@dataclass(frozen=True)
class SshKey:
    """One person's ed25519 key."""

    private: Ed25519PrivateKey
    comment: str = "somebody"

    @staticmethod
    def of(name: str) -> SshKey:
        """Make a key from a name: the same each time, so that failures can be repeated."""
        return SshKey(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest()), name)

    @property
    def blob(self) -> bytes:
        """The public key on the wire."""
        return wire(b"ssh-ed25519", self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    @property
    def line(self) -> str:
        """The public key as organisation.yaml has it."""
        return f"ssh-ed25519 {base64.b64encode(self.blob).decode()} {self.comment}"

    @property
    def fingerprint(self) -> str:
        """What ``ssh-keygen -l`` prints."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    def sshsig(self, message: bytes, namespace: str = APPROVAL_NAMESPACE, hash_name: str = "sha512") -> bytes:
        """Sign as ``ssh-keygen -Y sign`` does, in binary form."""
        told = MAGIC + wire(namespace.encode(), b"", hash_name.encode(), hashlib.new(hash_name, message).digest())
        signature = wire(b"ssh-ed25519", self.private.sign(told))
        return MAGIC + (1).to_bytes(4, "big") + wire(self.blob, namespace.encode(), b"", hash_name.encode(), signature)

    def approve(self, payload: bytes) -> Signature:
        """Sign a statement's payload as a reviewer."""
        return Signature(self.fingerprint, self.sshsig(Envelope(payload).pae))

    def write(self, path: Path) -> Path:
        """Write the private key as OpenSSH reads it."""
        path.write_bytes(self.private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        path.chmod(0o600)
        path.with_suffix(".pub").write_text(self.line + "\n")
        return path


def signed(payload: bytes, *names: str) -> Envelope:
    """Put a statement into an envelope that the people named have signed, each with the key of their name."""
    return Envelope(payload, tuple(sorted(SshKey.of(name).approve(payload) for name in names)))
