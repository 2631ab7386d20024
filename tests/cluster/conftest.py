"""The API server that all tests of a process share, with our kinds installed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane, assets
from tests.store.server import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.store.server import S3Server

USERS: dict[str, tuple[str, ...]] = {
    "erin": ("people",),
    "mallory": ("people",),
    "flux": ("system:masters",),
    "alice@acme": ("people",),
    "bob@acme": ("people", "flag-emergency-override"),
}


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Start a control plane for this process."""
    found = assets()
    if found is None:
        pytest.skip("KUBEBUILDER_ASSETS is not set: no kube-apiserver and etcd to test against")
    plane = ControlPlane(found, tmp_path_factory.mktemp("control-plane"))
    plane.add_users(USERS)
    plane.start()
    try:
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Run a real S3 server for this process."""
    with running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def cluster(plane: ControlPlane) -> Iterator[Cluster]:
    """Give a cluster with our kinds and nothing of them in it."""
    cluster = Cluster(plane.api(), plane.kubeconfig())
    cluster.install()
    cluster.empty()
    yield cluster
    cluster.empty()


@pytest.fixture(scope="session", autouse=True)
def _no_other_cluster(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever a test forgets to say, it reaches no cluster of the person who runs it."""
    os.environ["KUBECONFIG"] = str(Path(tmp_path_factory.mktemp("none")) / "absent")
