"""The ceremonies by command: clients follow every rotation from the root they pinned at the beginning."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from flagseal.snapshot.client import SnapshotClient
from flagseal.snapshot.store import DirectoryStore
from flagseal_cli.locking import alone_in
from flagseal_cli.main import run
from flagseal_cli.workspace import DataFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Demo


@pytest.fixture
def data(founded: Demo) -> DataFolder:
    """The data of a demo whose genesis is published."""
    return DataFolder(founded.path / ".flagseal" / "up" / "production")


@pytest.fixture
def client(data: DataFolder, tmp_path: Path) -> Iterator[SnapshotClient]:
    """A client that pinned the first root and has verified the first snapshot."""
    with SnapshotClient(tmp_path / "cache", DirectoryStore(data.store), data.read_root()) as made:
        assert made.refresh().changed
        yield made


def command(demo: Demo, *words: str) -> int:
    """Run a command in the demo."""
    return run([*words, "--repo", str(demo.path)])


@pytest.mark.parametrize("role", ["root", "targets", "online"])
def test_clients_follow_the_rotation_of(
    role: str, founded: Demo, client: SnapshotClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """New keys sign, the old root still leads there, and the same flags are served."""
    assert command(founded, "trust", "rotate", role) == 0
    assert command(founded, "up", "--once") == 0
    outcome = client.refresh()
    assert outcome.reason is None, outcome.message
    assert client.current is not None
    assert not client.current.stale
    assert client.current.evaluate("new-checkout", {"org": "acme"}).value is True
    capsys.readouterr()
    assert command(founded, "snapshot", "verify") == 0, capsys.readouterr().out


def test_rotating_twice_and_renewing_works(founded: Demo, client: SnapshotClient) -> None:
    """Keys made by one ceremony hold the next."""
    for words in (("rotate", "root"), ("rotate", "root"), ("rotate", "targets"), ("rotate", "online"), ("renew",)):
        assert command(founded, "trust", *words) == 0
    assert command(founded, "up", "--once") == 0
    assert client.refresh().reason is None


def test_fewer_keys_than_the_threshold_rotate_nothing(
    founded: Demo, data: DataFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of three offline keys is not enough, and nothing is written."""
    before = founded.state()
    assert command(founded, "trust", "rotate", "targets", "--key", str(data.offline_keys / "1.pem")) == 2
    assert "→" in capsys.readouterr().err
    after = founded.state()
    made = {name for name in after if "offline" in name} - {name for name in before if "offline" in name}
    assert {name: value for name, value in after.items() if name not in made} == before


def test_a_stolen_online_key_is_of_no_use_after_the_rotation(founded: Demo, data: DataFolder, tmp_path: Path) -> None:
    """Whoever still publishes with the old key is refused by the publisher's own check."""
    stolen = shutil.copy(data.online_key, tmp_path / "stolen.pem")
    assert command(founded, "trust", "rotate", "online") == 0
    shutil.copy(stolen, data.online_key)
    assert command(founded, "up", "--once") == 2


def test_a_rotation_that_was_cut_off_is_finished_by_the_next_start(founded: Demo, data: DataFolder) -> None:
    """The ceremony was held, and the power went before the key was put in its place."""
    assert command(founded, "trust", "rotate", "online") == 0
    for suffix in ("", ".pub"):
        data.online_key.with_name(f"online.pem{suffix}").rename(data.trust / f"online.next.pem{suffix}")
    data.online_key.write_text("the old key")
    data.online_key.chmod(0o600)
    assert command(founded, "up", "--once") == 0


def test_show_names_every_role_and_its_threshold(founded: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """An auditor reads who may sign what, and where the history begins."""
    capsys.readouterr()
    assert command(founded, "trust", "show", "--format", "json") == 0
    shown = json.loads(capsys.readouterr().out)
    roles = {role["name"]: (role["threshold"], len(role["keyids"])) for role in shown["roles"]}
    assert roles["root"] == roles["targets"] == (2, 3)
    assert roles["timestamp"] == roles["snapshot"] == roles["online"] == (1, 1)
    assert shown["trust"]["environment"] == "production"
    assert shown["trust"]["genesis"]["sequence"] == 0


def test_a_ceremony_waits_for_the_publisher_to_stop(
    founded: Demo, data: DataFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rotating a key under a running `flagseal up` would leave it with one that nobody trusts."""
    before = founded.state()
    with alone_in(data):
        for words in (("rotate", "online"), ("renew",)):
            assert command(founded, "trust", *words) == 2
            assert "AlreadyRunning" in capsys.readouterr().err
    assert founded.state() == before
