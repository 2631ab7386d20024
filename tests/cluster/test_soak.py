"""Whatever is done to a cluster: what is published is what was approved, and the statuses say so."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.cluster.soaking import Soak

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.cluster import Cluster
    from tests.cluster.control_plane import ControlPlane

SECONDS = float(os.environ.get("FLAGSEAL_SOAK_SECONDS", "20"))
SEED = int(os.environ.get("FLAGSEAL_SOAK_SEED", "20261125"))
"""The same each time: `make soak-cluster` is for looking further, and draws another each time."""


def test_random_changes_deceits_and_accidents_agree_with_a_model(
    cluster: Cluster, plane: ControlPlane, tmp_path: Path
) -> None:
    """A disagreement prints the seed and everything that was done; FLAGSEAL_SOAK_SEED repeats it."""
    soaked = Soak(cluster, tmp_path, SEED, plane).run(SECONDS)
    assert soaked.looks > soaked.actions.total() > 0
