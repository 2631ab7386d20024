"""`flagseal trust revoke`: whichever key was stolen, one command takes it out, and clients follow."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from securesystemslib.signer import CryptoSigner

from flagseal.approval.trust import Attestor
from flagseal.snapshot import ceremony
from flagseal.snapshot.keys import generate, load_signer
from flagseal.snapshot.store import DirectoryStore
from flagseal.snapshot.trust_change import set_trust
from tests.cli.test_trust import client, command, data

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from flagseal.snapshot.ceremony import Trusted
    from flagseal.snapshot.client import SnapshotClient
    from flagseal_cli.workspace import DataFolder
    from tests.cli.conftest import Demo

__all__ = ["client", "data"]


def says(data: DataFolder) -> Trusted:
    """Read what the offline keys say."""
    return ceremony.trusted(DirectoryStore(data.store), data.read_root())


def test_a_stolen_online_key(founded: Demo, data: DataFolder, client: SnapshotClient, tmp_path: Path) -> None:
    """A new one signs everything; with the old one nothing can be published."""
    stolen = shutil.copy(data.online_key, tmp_path / "stolen.pem")
    (keyid,) = says(data).root.roles["timestamp"].keyids
    assert command(founded, "trust", "revoke", keyid[:8]) == 0
    assert keyid not in says(data).root.keys
    assert command(founded, "up", "--once") == 0
    assert client.refresh().reason is None
    shutil.copy(stolen, data.online_key)
    assert command(founded, "up", "--once") == 2


def test_a_lost_offline_key(founded: Demo, data: DataFolder, client: SnapshotClient, tmp_path: Path) -> None:
    """The two that are left replace it in both of its roles; the rest stays."""
    lost = load_signer(str(data.offline_keys / "1.pem")).public_key.keyid
    for suffix in ("", ".pub"):
        (data.offline_keys / f"1.pem{suffix}").rename(tmp_path / f"lost{suffix}")
    kept = {*says(data).root.roles["root"].keyids} - {lost}
    assert command(founded, "trust", "revoke", lost) == 0
    after = says(data)
    for role in ("root", "targets"):
        assert lost not in after.root.roles[role].keyids
        assert kept < {*after.root.roles[role].keyids}
        assert (len(after.root.roles[role].keyids), after.root.roles[role].threshold) == (3, 2)
    assert command(founded, "up", "--once") == 0
    assert client.refresh().reason is None
    assert command(founded, "trust", "renew") == 0, "the new key signs with the others"


def test_attestors_and_the_key_of_admission(
    founded: Demo, data: DataFolder, client: SnapshotClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first counts up to what is published; the second is replaced; `trust show` says both."""
    attestor, admission = CryptoSigner.generate_ed25519().public_key, CryptoSigner.generate_ed25519().public_key
    trust = replace(says(data).trust, attestors=(Attestor(attestor),), admission=admission)
    signers = [load_signer(str(path)) for path in sorted(data.offline_keys.glob("*.pem"))]
    set_trust(DirectoryStore(data.store), data.read_root(), trust, signers=signers, now=datetime.now(UTC))
    assert command(founded, "trust", "revoke", attestor.keyid) == 0
    new = generate(tmp_path / "admission.pem")
    assert command(founded, "trust", "revoke", admission.keyid, "--new-key", str(tmp_path / "admission.pem.pub")) == 0
    after = says(data).trust
    assert after.attestors == (Attestor(attestor, until=0),)
    assert after.admission is not None
    assert after.admission.keyid == new.public_key.keyid
    capsys.readouterr()
    assert command(founded, "trust", "show") == 0
    shown = capsys.readouterr().out
    assert f"{attestor.keyid}, revoked: counts up to statement 0" in shown
    assert f"admission    {new.public_key.keyid}" in shown
    assert command(founded, "up", "--once") == 0
    assert client.refresh().reason is None


def test_what_cannot_be_revoked_is_said_and_nothing_is_written(
    founded: Demo, data: DataFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person's key is in git; a beginning too short, or of no key, means none; --until is an attestor's."""
    (online,) = says(data).root.roles["timestamp"].keyids
    before = founded.state()
    for words, code in (
        (("SHA256:abcdefgh",), "PersonsKey"),
        ((online[:7],), "UnknownKey"),
        (("0" * 64,), "UnknownKey"),
        ((online, "--until", "3"), "--until"),
    ):
        assert command(founded, "trust", "revoke", *words) == 2
        assert code in capsys.readouterr().err
    assert founded.state() == before
    assert json.loads(data.read_root())["signed"]["version"] == 1
