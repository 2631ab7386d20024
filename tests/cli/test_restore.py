"""`flagseal trust restore`: a lost store comes back under the pinned root, and clients go on."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.cli.test_trust import client, command, data

if TYPE_CHECKING:
    import pytest

    from flagseal.snapshot.client import SnapshotClient
    from flagseal_cli.workspace import DataFolder
    from tests.cli.conftest import Demo

__all__ = ["client", "data"]


def test_a_lost_store_comes_back_by_command(
    founded: Demo, data: DataFolder, client: SnapshotClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what it needs; then the same client follows, and everything verifies."""
    words = ("trust", "restore", "-e", "production")
    assert command(founded, *words, "--genesis", "main") == 2
    assert "NotLost" in capsys.readouterr().err
    shutil.rmtree(data.store)
    assert command(founded, *words) == 2
    assert "NoGenesis" in capsys.readouterr().err
    assert command(founded, *words, "--genesis", "main") == 0
    assert command(founded, "up", "--once") == 0
    outcome = client.refresh()
    assert outcome.reason is None, outcome.message
    assert command(founded, "snapshot", "verify") == 0
