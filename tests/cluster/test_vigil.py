"""Without an API server nothing new is published, and what is published stays fresh."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flagseal.snapshot.client import SnapshotClient
from flagseal.snapshot.compose import Lifetimes
from tests.cluster.hosting import PATIENT, Hosted, Logbook
from tests.cluster.network import way
from tests.cluster.process import lease_of
from tests.cluster.test_faults import served, turned_on
from tests.cluster.test_operator import NEW, founded
from tests.snapshot.world import flag

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.cluster import Cluster
    from tests.cluster.control_plane import ControlPlane
    from tests.cluster.world import CarriedWorld

SHORT = Lifetimes(timestamp=timedelta(seconds=60))
"""Signed again after half of it."""


def expires(world: CarriedWorld) -> datetime:
    """Say until when what is published is fresh."""
    with SnapshotClient(world.path / "freshness", world.directory, world.root) as client:
        client.refresh()
        assert client.current is not None
        return client.current.expires


def test_an_api_server_that_is_away_makes_nothing_stale(cluster: Cluster, plane: ControlPlane, tmp_path: Path) -> None:
    """What is published is signed again; once the API server is back somebody is active anew, and news go on."""
    world = founded(cluster, tmp_path)
    with Hosted(cluster, world, world.directory, lease_of(world), lifetimes=SHORT) as operator:
        cluster.until(lambda: operator.stands_at(0))
        first = expires(world)
        plane.stop_api()
        try:
            cluster.until(lambda: operator.gauge("keeping") == 1)
            assert operator.gauge("active") == 0
            assert "answers nobody" in operator.why()
            cluster.until(lambda: expires(world) > first)
            assert operator.running
            assert served(world, "globex") == (0, False)
        finally:
            plane.start_api()
        cluster.until(lambda: not operator.running)
    with Hosted(cluster, world, world.directory, lease_of(world), lifetimes=SHORT) as operator:
        for body in world.approve(NEW):
            cluster.create(body)
        cluster.until(lambda: operator.stands_at(1))
    assert served(world, "globex") == (1, True)


def test_one_that_is_cut_off_signs_beside_its_successor_and_is_in_nobodys_way(cluster: Cluster, tmp_path: Path) -> None:
    """It cannot know that there is one; the store lets both sign, and one content a version."""
    world, lease = founded(cluster, tmp_path), "flagseal-cut-off"
    book = Logbook(world.directory, tmp_path / "logbook")
    with way(cluster.kubeconfig, tmp_path) as (own, kubeconfig):
        very_short = Lifetimes(timestamp=timedelta(seconds=30))
        with Hosted(cluster, world, book, lease, kubeconfig=kubeconfig, lifetimes=very_short) as first:
            cluster.until(lambda: first.stands_at(0))
            with Hosted(cluster, world, book, lease, terms=PATIENT, lifetimes=very_short) as second:
                own.cut()
                cluster.until(lambda: first.gauge("keeping") == 1 and second.gauge("active") == 1)
                for number in range(1, 9):
                    for body in world.approve(flag("new-checkout", on_for=[turned_on(number)])):
                        cluster.create(body)
                    cluster.until(lambda: second.gauge("head_sequence") == number)  # noqa: B023
                    world.clock.now = datetime.now(UTC)
                    assert served(world, turned_on(number)) == (number, True)
                cluster.until(lambda: first.gauge("head_sequence") == 8)
                assert first.gauge("keeping") == 1
                own.mend()
                cluster.until(lambda: not first.running)
                assert second.gauge("active") == 1
    visible = [line for line in book.lines() if line.timestamp]
    assert sorted(line.timestamp for line in visible) == list(range(1, len(visible) + 1))
    contents = {(line.snapshot, line.digest) for line in visible}
    assert len(contents) == len({version for version, _ in contents})
