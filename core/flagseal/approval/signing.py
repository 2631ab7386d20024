"""Signing a statement as a reviewer: with OpenSSH's own tool, so that agents, hardware keys and passphrases work."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from flagseal.approval.envelope import Envelope, Signature
from flagseal.approval.sshsig import APPROVAL_NAMESPACE, parse_sshsig, unarmour
from flagseal.model.errors import ApprovalError

if TYPE_CHECKING:
    from pathlib import Path


def sign_with_ssh_keygen(payload: bytes, key_path: Path) -> Signature:
    """Sign a statement's payload with an SSH key.

    Args:
        payload: The statement's bytes; what is signed is their DSSE encoding.
        key_path: A private key, or a public one whose private half an agent holds.

    Raises:
        ApprovalError: ``SigningFailed``, with what ssh-keygen said.

    Returns:
        The signature, under the key's fingerprint.
    """
    return ssh_sign(Envelope(payload).pae, APPROVAL_NAMESPACE, key_path)


def ssh_sign(message: bytes, namespace: str, key_path: Path) -> Signature:
    """Sign bytes with an SSH key, for one purpose.

    Args:
        message: What is signed.
        namespace: The purpose; a signature counts for no other.
        key_path: As for :func:`sign_with_ssh_keygen`.

    Raises:
        ApprovalError: ``SigningFailed``, with what ssh-keygen said.
    """
    if shutil.which("ssh-keygen") is None:
        raise ApprovalError(
            "ssh-keygen is not on the PATH.", code="SigningFailed", remedy="Install the OpenSSH client."
        )
    if not key_path.is_file():
        raise ApprovalError(
            f"{key_path}: no such key.", code="SigningFailed", remedy="Name the file of your SSH key with --key."
        )
    done = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-n", namespace, "-f", str(key_path.absolute())],
        input=message,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise ApprovalError(
            f"{key_path}: ssh-keygen did not sign: {said}",
            code="SigningFailed",
            remedy="The key must be readable by you alone (chmod 600), or be loaded in your agent.",
        )
    binary = unarmour(done.stdout)
    signature = parse_sshsig(binary)
    if not signature.verifies(message, namespace):
        raise ApprovalError(f"{key_path}: the signature made does not verify.", code="SigningFailed")
    return Signature(signature.key.fingerprint, binary)
