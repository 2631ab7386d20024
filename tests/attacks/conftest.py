"""What several attacks begin with: a branch, and the API server of the cluster's tests for those that need one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.attacks.checkout import CHECKOUT
from tests.cluster.conftest import cluster, plane
from tests.history.branch import Branch

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["branch", "cluster", "plane"]


@pytest.fixture
def branch(tmp_path: Path) -> Branch:
    """Give a branch with a flag that one of its owners, alice or bob, may widen."""
    return Branch.at(tmp_path / "flags", CHECKOUT)
