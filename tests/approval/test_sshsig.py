"""SSH signatures: real ones verify, and nothing that differs from them does."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from flagseal.approval.keys import PublicKey, keys_of, parse_blob, parse_public_key
from flagseal.approval.sshsig import APPROVAL_NAMESPACE, parse_sshsig, unarmour
from flagseal.model.errors import ApprovalError
from flagseal.model.policies import Organisation, Person
from tests.approval.keyring import SshKey, wire
from tests.approval.samples import organisation

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MESSAGE = b"what is approved"


def sign(path: Path, message: bytes, namespace: str, *options: str) -> bytes:
    """Sign with the real ssh-keygen."""
    command = ["ssh-keygen", "-Y", "sign", "-q", "-n", namespace, "-f", str(path), *options]
    return subprocess.run(command, input=message, capture_output=True, check=True).stdout


def generate(folder: Path, *options: str) -> tuple[Path, str]:
    """Make a key with the real ssh-keygen."""
    path = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-f", str(path), *options], check=True, capture_output=True)
    return path, path.with_suffix(".pub").read_text().strip()


@pytest.mark.parametrize(
    "options", [("-t", "ed25519"), ("-t", "ecdsa", "-b", "256"), ("-t", "rsa", "-b", "2048")], ids=lambda o: o[1]
)
def test_signatures_of_ssh_keygen_verify(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Every type of key that OpenSSH signs with by itself is understood."""
    path, line = generate(tmp_path, *options)
    for hash_name in ("sha256", "sha512"):
        signature = parse_sshsig(unarmour(sign(path, MESSAGE, APPROVAL_NAMESPACE, "-O", f"hashalg={hash_name}")))
        assert signature.key == parse_public_key(line)
        assert signature.verifies(MESSAGE, APPROVAL_NAMESPACE)
        assert not signature.verifies(MESSAGE + b".", APPROVAL_NAMESPACE)


def test_the_fingerprint_is_what_ssh_keygen_prints(tmp_path: Path) -> None:
    """Key ids can be compared with what people see."""
    path, line = generate(tmp_path, "-t", "ed25519")
    printed = subprocess.run(["ssh-keygen", "-l", "-f", str(path)], capture_output=True, check=True, text=True).stdout
    assert parse_public_key(line).fingerprint == printed.split()[1]


def test_openssh_verifies_what_the_tests_sign(tmp_path: Path) -> None:
    """The signatures that other tests make are real: OpenSSH takes them."""
    key = SshKey.of("alice")
    allowed = tmp_path / "allowed"
    allowed.write_text(f"alice {key.line}\n")
    signature = tmp_path / "signature"
    body = base64.b64encode(key.sshsig(MESSAGE)).decode()
    signature.write_text(f"-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n")
    command = ["ssh-keygen", "-Y", "verify", "-n", APPROVAL_NAMESPACE, "-I", "alice", "-f", str(allowed)]
    done = subprocess.run([*command, "-s", str(signature)], input=MESSAGE, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("body", [b"A*AA", b"AAA", b"AA==AA==", "Ä".encode()])
def test_what_is_not_base64_is_no_signature(body: bytes) -> None:
    """Nothing in it is passed over: one signature is written in one way."""
    with pytest.raises(ApprovalError) as refused:
        unarmour(b"-----BEGIN SSH SIGNATURE-----\n" + body + b"\n-----END SSH SIGNATURE-----\n")
    assert refused.value.code == "SignatureMalformed"


def test_a_signature_made_for_a_commit_approves_nothing() -> None:
    """The namespace inside keeps one purpose from passing for another."""
    signature = parse_sshsig(SshKey.of("alice").sshsig(MESSAGE, "git"))
    assert signature.verifies(MESSAGE, "git")
    assert not signature.verifies(MESSAGE, APPROVAL_NAMESPACE)


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unnoticed(at: int, bit: int) -> None:
    """Whatever bit of a signature changes, it no longer verifies as the same key's."""
    key = SshKey.of("alice")
    data = bytearray(key.sshsig(MESSAGE))
    data[at % len(data)] ^= 1 << bit
    try:
        signature = parse_sshsig(bytes(data))
        accepted = signature.key.blob == key.blob and signature.verifies(MESSAGE, APPROVAL_NAMESPACE)
    except ApprovalError:
        accepted = False
    assert not accepted


@given(st.binary(max_size=400))
def test_rubbish_is_refused_in_words(data: bytes) -> None:
    """Whatever the bytes, the parser answers with its own error or a value."""
    for prefix in (b"", b"SSHSIG\x00\x00\x00\x01"):
        with pytest.raises(ApprovalError):
            parse_sshsig(prefix + data)


def hardware_signature(private: Ed25519PrivateKey, application: bytes, flags: int) -> tuple[PublicKey, bytes, bytes]:
    """Sign as a security key does (PROTOCOL.u2f): key, signature blob, message."""
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    suffix = bytes([flags]) + (41).to_bytes(4, "big")
    told = hashlib.sha256(application).digest() + suffix + hashlib.sha256(MESSAGE).digest()
    blob = wire(b"sk-ssh-ed25519@openssh.com", private.sign(told)) + suffix
    return parse_blob(wire(b"sk-ssh-ed25519@openssh.com", public, application)), blob, MESSAGE


def test_a_security_key_counts_only_when_it_was_touched() -> None:
    """Without user presence, software alone could have signed."""
    private = SshKey.of("alice").private
    touched, blob, message = hardware_signature(private, b"ssh:", flags=1)
    assert touched.verifies(blob, message)
    untouched, blob, message = hardware_signature(private, b"ssh:", flags=0)
    assert not untouched.verifies(blob, message)


@pytest.mark.parametrize(
    ("blob", "code"),
    [
        (wire(b"ssh-dss", b"1"), "KeyUnsupported"),
        (wire(b"ssh-ed25519", b"short"), "KeyMalformed"),
        (wire(b"ssh-ed25519", b"0" * 32, b"more"), "KeyMalformed"),
        (wire(b"ssh-rsa", b"\x01\x00\x01", b"\x00" + b"\xff" * 128), "KeyUnsupported"),
        (wire(b"ssh-rsa", b"\x00\x01\x00\x01", b"\x00" + b"\xff" * 256), "KeyMalformed"),
        (wire(b"ecdsa-sha2-nistp256", b"nistp384", b"\x04" + b"1" * 64), "KeyMalformed"),
    ],
    ids=["dsa", "short", "trailing bytes", "weak rsa", "integer with a spare zero", "another curve"],
)
def test_keys_that_are_weak_or_could_be_written_otherwise_are_refused(blob: bytes, code: str) -> None:
    """One key has one fingerprint."""
    with pytest.raises(ApprovalError) as caught:
        parse_blob(blob)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "line", ["", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-rsa " + SshKey.of("alice").line.split()[1]]
)
def test_a_line_that_is_no_key_is_refused(line: str) -> None:
    """What people list must say what it is."""
    with pytest.raises(ApprovalError):
        parse_public_key(line)


def test_a_key_listed_for_two_people_proves_neither() -> None:
    """Even if the policies' own check were passed by, a disputed key counts for nobody."""
    line = SshKey.of("shared").line
    both = Organisation({name: Person(name, name, keys=(line,)) for name in ("alice", "mallory")}, {}, {})
    assert keys_of(both) == {}
    assert len(keys_of(organisation(alice=("alice", "laptop")))) == 2
