"""`flagseal snapshot prune`: a dry run names, a real one removes, and what is published still verifies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.test_trust import command, data

if TYPE_CHECKING:
    import pytest

    from flagseal_cli.workspace import DataFolder
    from tests.cli.conftest import Demo

__all__ = ["data"]


def test_old_versions_go_by_command(founded: Demo, data: DataFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """From the data folder, and by store and root alone; the published snapshot stays whole."""
    for _ in range(3):
        assert command(founded, "trust", "renew") == 0
        assert command(founded, "up", "--once") == 0
    where = ["--store", str(data.store), "--root", str(data.root)]
    names = {path for path in data.store.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert command(founded, "snapshot", "prune", "--keep", "2", "--dry-run", *where) == 0
    said = capsys.readouterr()
    listed = {data.store / line.removeprefix("would remove ") for line in said.out.splitlines()}
    assert listed
    assert listed < names
    assert {path for path in data.store.rglob("*") if path.is_file()} == names
    assert command(founded, "snapshot", "prune", "--keep", "2") == 0
    assert f"Removed {len(listed)} files" in capsys.readouterr().err
    assert {path for path in data.store.rglob("*") if path.is_file()} == names - listed
    assert command(founded, "snapshot", "verify") == 0


def test_where_nothing_was_founded_a_sentence_says_so(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback."""
    assert command(demo, "snapshot", "prune") == 2
    assert "NoTrust" in capsys.readouterr().err
