"""A relay and a provider that are changed and asked all the time do not grow."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.soak.soaking import soak

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = float(os.environ.get("FLAGSEAL_SOAK_SECONDS", "20"))


def test_changes_and_evaluations_do_not_add_up(tmp_path: Path) -> None:
    """Memory, objects, threads and open files, after the warm-up; no evaluation fails meanwhile."""
    soaked = soak(SECONDS, tmp_path)
    assert soaked.growth == []
    last = soaked.looks[-1]
    assert last["errors"] == 0
    assert last["sequence"] >= soaked.changes - 20, "it does keep up"
    assert last["asked"] > 0
