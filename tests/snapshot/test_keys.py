"""Keys of the snapshot: written for their owner alone, opened by URI, refused with a remedy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from securesystemslib.signer import CryptoSigner

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.keys import generate, load_public_key, load_signer, same_key, signer_among

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_key_is_its_owners_alone(tmp_path: Path) -> None:
    """The private file has mode 0600 from the start; the public half lies beside it."""
    signer = generate(tmp_path / "keys" / "online.pem")
    assert (tmp_path / "keys" / "online.pem").stat().st_mode & 0o777 == 0o600
    assert same_key(load_public_key(tmp_path / "keys" / "online.pem.pub"), signer.public_key)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    """Whoever runs the ceremony twice keeps the first key."""
    generate(tmp_path / "k.pem")
    before = (tmp_path / "k.pem").read_bytes()
    with pytest.raises(SnapshotError) as refused:
        generate(tmp_path / "k.pem")
    assert refused.value.code == "KeyExists"
    assert (tmp_path / "k.pem").read_bytes() == before


@pytest.mark.parametrize("form", ["{path}", "file:{path}", "file://{path}"])
def test_a_file_is_named_by_path_or_uri(tmp_path: Path, form: str) -> None:
    """All three open the same key, and it signs."""
    signer = generate(tmp_path / "a key.pem")
    opened = load_signer(form.format(path=tmp_path / "a key.pem"))
    signer.public_key.verify_signature(opened.sign(b"payload"), b"payload")


def test_securesystemslibs_own_file_scheme_works_too(tmp_path: Path) -> None:
    """With the public half given, as for a key in an HSM."""
    signer = generate(tmp_path / "k.pem")
    opened = load_signer(f"file2:{tmp_path / 'k.pem'}", public_key=signer.public_key)
    signer.public_key.verify_signature(opened.sign(b"payload"), b"payload")


def test_an_encrypted_key_asks_for_its_passphrase(tmp_path: Path) -> None:
    """Right, wrong and none."""
    signer = generate(tmp_path / "k.pem", passphrase="correct horse")
    assert b"ENCRYPTED" in (tmp_path / "k.pem").read_bytes()
    opened = load_signer(str(tmp_path / "k.pem"), passphrase=lambda: "correct horse")
    signer.public_key.verify_signature(opened.sign(b"payload"), b"payload")
    for passphrase, code in ((lambda: "battery", "PassphraseWrong"), (None, "PassphraseMissing")):
        with pytest.raises(SnapshotError) as refused:
            load_signer(str(tmp_path / "k.pem"), passphrase=passphrase)
        assert refused.value.code == code


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """It may be stolen already; the remedy says so."""
    generate(tmp_path / "k.pem")
    (tmp_path / "k.pem").chmod(mode)
    with pytest.raises(SnapshotError) as refused:
        load_signer(str(tmp_path / "k.pem"))
    assert refused.value.code == "KeyExposed"
    assert "chmod 600" in refused.value.remedy


def test_a_key_in_a_mounted_secret_may_be_its_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes mounts it as root's, for the group of a process that is not root; nobody else may read it."""
    generate(tmp_path / "k.pem")
    monkeypatch.setattr("os.geteuid", lambda: (tmp_path / "k.pem").stat().st_uid + 1)
    (tmp_path / "k.pem").chmod(0o440)
    load_signer(str(tmp_path / "k.pem"))
    for mode in (0o444, 0o460, 0o450):
        (tmp_path / "k.pem").chmod(mode)
        with pytest.raises(SnapshotError) as refused:
            load_signer(str(tmp_path / "k.pem"))
        assert refused.value.code == "KeyExposed"


def test_bad_files_are_refused_with_their_name(tmp_path: Path) -> None:
    """Missing, no key, a key of a kind that TUF does not know, an unknown scheme."""
    (tmp_path / "junk.pem").write_bytes(b"junk")
    (tmp_path / "junk.pem").chmod(0o600)
    odd = Ed448PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "odd.pem").write_bytes(odd)
    (tmp_path / "odd.pem").chmod(0o600)
    for uri, code in (
        (str(tmp_path / "none.pem"), "KeyMissing"),
        (str(tmp_path / "junk.pem"), "BadKey"),
        (str(tmp_path / "odd.pem"), "BadKey"),
        ("paper:under-the-mattress", "BadKeyUri"),
        ("gcpkms:projects/x", "PublicKeyMissing"),
    ):
        with pytest.raises(SnapshotError) as refused:
            load_signer(uri)
        assert (refused.value.code, uri.split(":")[-1] in refused.value.message) == (code, True)


def test_a_public_key_reads_from_pem_and_from_json(tmp_path: Path) -> None:
    """The JSON keeps the id that it was given."""
    signer = CryptoSigner.generate_ed25519("mine")
    (tmp_path / "k.json").write_text(json.dumps({"keyid": "mine", **signer.public_key.to_dict()}))
    assert load_public_key(tmp_path / "k.json") == signer.public_key
    for name, content in (("bad.json", "{}"), ("bad.pem", "-----BEGIN PUBLIC KEY-----")):
        (tmp_path / name).write_text(content)
        with pytest.raises(SnapshotError):
            load_public_key(tmp_path / name)
    with pytest.raises(SnapshotError):
        load_public_key(tmp_path / "none.pem")


def test_a_signer_is_taken_only_if_the_repository_trusts_it(tmp_path: Path) -> None:
    """Another key is named as such, before anything is signed with it."""
    trusted, other = generate(tmp_path / "a.pem"), generate(tmp_path / "b.pem")
    keys = [trusted.public_key]
    assert signer_among(str(tmp_path / "a.pem"), keys).public_key.keyid == trusted.public_key.keyid
    assert signer_among(f"file2:{tmp_path / 'a.pem'}", [other.public_key, *keys]).public_key == trusted.public_key
    with pytest.raises(SnapshotError) as refused:
        signer_among(str(tmp_path / "b.pem"), keys)
    assert refused.value.code == "KeyNotTrusted"
