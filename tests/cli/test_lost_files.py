"""A file of the data folder that is lost or damaged: what the commands say, and that what they advise works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flagseal_cli.main import run
from flagseal_cli.workspace import DataFolder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Demo


def once(demo: Demo) -> int:
    """Publish what is approved, and end."""
    return run(["up", "--repo", str(demo.path), "--once"])


def folder_of(demo: Demo) -> DataFolder:
    """Where the demo's production keeps its data."""
    return DataFolder(demo.path / ".flagseal" / "up" / "production")


def history_file(demo: Demo) -> Path:
    """The file without which nobody can tell what was accepted."""
    (found,) = (folder_of(demo).store / "targets" / "_repository").glob("*.head.json")
    return found


def test_a_lost_root_is_no_reason_to_begin_anew(founded: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys and published history are not thrown away, and what nobody approved is not trusted, for want of one file."""
    data = folder_of(founded)
    root = data.root.read_bytes()
    data.root.unlink()
    before = founded.state()
    capsys.readouterr()
    assert once(founded) == 2
    assert "root.json" in capsys.readouterr().err
    assert run(["trust", "init", "--repo", str(founded.path), "--environment", "production"]) == 2
    assert founded.state() == before
    data.root.write_bytes((data.store / "metadata" / "1.root.json").read_bytes())
    assert data.root.read_bytes() == root
    assert once(founded) == 0


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_damaged_file_is_not_called_a_theft(damage: str, founded: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes that nobody signed prove no stolen key; what the message advises brings everything back."""
    file = history_file(founded)
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-9])
    assert once(founded) == 2
    said = capsys.readouterr().err
    assert "stolen" not in said
    assert "flagseal trust rotate online" in said
    assert run(["trust", "rotate", "online", "--repo", str(founded.path)]) == 0
    assert once(founded) == 0
    capsys.readouterr()
    assert run(["snapshot", "verify", "--repo", str(founded.path)]) == 0, capsys.readouterr().out


def test_a_lost_online_key_is_replaced_as_the_message_says(founded: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """Founding again is no way: it was founded already."""
    folder_of(founded).online_key.unlink()
    assert once(founded) == 2
    assert "flagseal trust rotate online" in capsys.readouterr().err
    assert run(["trust", "rotate", "online", "--repo", str(founded.path)]) == 0
    assert once(founded) == 0
