"""What journeys begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.journeys.harness import FLAGSEAL, Up, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """A demo repository with ``flagseal up`` running on it."""
    home = tmp_path / "home"
    home.mkdir()
    made = run(FLAGSEAL, "init", "--demo", tmp_path / "demo", cwd=tmp_path, home=home)
    assert made.code == 0, made.err
    running = Up(tmp_path / "demo", home, tmp_path / "up.log")
    running.start()
    yield running
    if running.process is not None and running.process.poll() is None:
        running.kill()
