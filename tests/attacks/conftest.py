"""The API server of the cluster's tests, for the attacks that need one."""

from __future__ import annotations

from tests.cluster.conftest import cluster, plane

__all__ = ["cluster", "plane"]
