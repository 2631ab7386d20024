"""What an operator stands on goes away and comes back: what is published verifies, and health tells the truth."""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.client import SnapshotClient
from flagseal.snapshot.marks import Mark
from flagseal_operator.kube import configuration
from flagseal_operator.lease import holder_of
from flagseal_operator.lease_api import LeaseApi, LeaseChanged, LeaseError
from flagseal_operator.lease_marks import LeaseMarks
from tests.cluster.hosting import PATIENT, Hosted
from tests.cluster.process import Operator, lease_of
from tests.cluster.test_faults import served
from tests.cluster.test_operator import NEW, founded
from tests.snapshot.world import flag

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.snapshot.store import DirectoryStore, Stored
    from tests.cluster.cluster import Cluster
    from tests.cluster.control_plane import ControlPlane

LATER = flag("new-checkout", on_for=["acme", "globex", "initech"])


def test_an_api_server_that_goes_and_comes_back(cluster: Cluster, plane: ControlPlane, tmp_path: Path) -> None:
    """The active operator is none any more, since nobody can tell it that it still is; the next waits, and goes on."""
    world = founded(cluster, tmp_path)
    with Operator(world, cluster.kubeconfig) as operator:
        cluster.until(lambda: operator.gauge("snapshot_version") == 1)
        plane.stop_api()
        try:
            cluster.until(lambda: operator.gauge("active") == 0)
            assert operator.gauge("keeping") == 1
            assert operator.stop() == 0
            assert "Traceback" not in operator.log
            assert served(world, "globex") == (0, False)
            operator.start()
            cluster.until(lambda: "cannot tell who is active: LeaseUnavailable" in operator.why())
            assert operator.gauge("active") == 0
        finally:
            plane.start_api()
        cluster.until(lambda: operator.gauge("snapshot_version") == 1)
        for body in world.approve(NEW):
            cluster.create(body)
        cluster.until(lambda: operator.gauge("head_sequence") == 1)
    assert served(world, "globex") == (1, True)


def test_an_api_server_that_hangs_deposes_as_one_that_is_gone(
    cluster: Cluster, plane: ControlPlane, tmp_path: Path
) -> None:
    """It takes connections and answers nobody: a holder does not wait for it longer than its Lease holds."""
    world = founded(cluster, tmp_path)
    with Operator(world, cluster.kubeconfig) as operator:
        cluster.until(lambda: operator.gauge("snapshot_version") == 1)
        hung = plane._processes["kube-apiserver"].pid
        os.kill(hung, signal.SIGSTOP)
        try:
            cluster.until(lambda: operator.gauge("keeping") == 1)
        finally:
            os.kill(hung, signal.SIGCONT)
        cluster.until(lambda: not operator.running)
        assert "LeaseLost" in operator.log
        assert "Traceback" not in operator.log
        assert served(world, "globex") == (0, False)
        operator.start()
        cluster.until(lambda: operator.gauge("snapshot_version") == 1)


def test_a_cluster_that_lost_everything_keeps_what_is_published(
    cluster: Cluster, plane: ControlPlane, tmp_path: Path
) -> None:
    """No Lease, no resource: the head is read back from the store, and the next statement follows it."""
    world = founded(cluster, tmp_path)
    with Operator(world, cluster.kubeconfig) as operator:
        cluster.until(lambda: operator.gauge("snapshot_version") == 1)
        for body in world.approve(NEW):
            cluster.create(body)
        cluster.until(lambda: operator.gauge("head_sequence") == 1)
    plane.wipe()
    cluster.install()
    with Operator(world, cluster.kubeconfig) as operator:
        cluster.until(lambda: operator.gauge("snapshot_version") > 0)
        assert operator.gauge("head_sequence") == 1
        assert served(world, "globex") == (1, True)
        for body in world.approve(LATER):
            cluster.create(body)
        cluster.until(lambda: operator.gauge("head_sequence") == 2)
    assert served(world, "initech") == (2, True)
    marks = LeaseMarks(LeaseApi(configuration(cluster.kubeconfig), "default", lease_of(world)))
    assert marks.read().sequence == 2


def test_a_cluster_that_is_wiped_under_an_active_operator_ends_it(
    cluster: Cluster, plane: ControlPlane, tmp_path: Path
) -> None:
    """However soon it is back: versions begin anew there, so what was seen before would pass for newer for ever."""
    world = founded(cluster, tmp_path)
    with Hosted(cluster, world, world.directory, lease_of(world), terms=PATIENT) as operator:
        cluster.until(lambda: operator.stands_at(0))
        for body in world.approve(NEW):
            cluster.create(body)
        cluster.until(lambda: operator.stands_at(1))
        plane.wipe()
        cluster.until(lambda: not operator.running)
    assert served(world, "globex") == (1, True)
    cluster.install()
    with Hosted(cluster, world, world.directory, lease_of(world), terms=PATIENT) as operator:
        cluster.until(lambda: operator.stands_at(1))
        for body in (*world.approve(LATER), *world.declared()):
            cluster.create(body)
        cluster.until(lambda: operator.stands_at(2))
        cluster.until(lambda: "Ready" in cluster.conditions("FlagDefinition", "new-checkout", "payments"))
        cluster.until(
            lambda: cluster.conditions("FlagDefinition", "new-checkout", "payments")["Ready"]["status"] == "True"
        )
    assert served(world, "initech") == (2, True)


def test_a_key_that_is_rotated_in_flight_publishes_nothing_more_until_the_new_one_is_there(
    cluster: Cluster, tmp_path: Path
) -> None:
    """The old key's process says so; one with the new key goes on, and clients follow."""
    world = founded(cluster, tmp_path)
    with Operator(world, cluster.kubeconfig) as operator:
        cluster.until(lambda: operator.gauge("snapshot_version") == 1)
        world.rotate_online()
        for body in world.approve(NEW):
            cluster.create(body)
        cluster.until(lambda: operator.gauge("failing") == 1)
        assert operator.gauge("head_sequence") == 0
        assert operator.stop() == 0
        operator.start()
        cluster.until(lambda: operator.gauge("head_sequence") == 1)
    assert served(world, "globex") == (1, True)


def test_keys_are_rotated_while_changes_are_published(cluster: Cluster, tmp_path: Path) -> None:
    """Twice, with an operator at work: who follows loses nothing, and refuses only what the old key signed."""
    world = founded(cluster, tmp_path)
    changes = 12
    with (
        Operator(world, cluster.kubeconfig) as operator,
        SnapshotClient(tmp_path / "follower", world.directory, world.root) as follower,
    ):
        cluster.until(lambda: operator.gauge("snapshot_version") == 1)
        seen = 0

        def follow(*, rotating: bool = False) -> int:
            nonlocal seen
            outcome = follower.refresh()
            assert outcome.reason is None or (rotating and outcome.reason == "wrong-signature"), outcome.message
            assert follower.current is not None
            assert follower.current.sequence >= seen
            seen = follower.current.sequence
            return seen

        for number in range(1, changes + 1):
            for body in world.approve(flag("new-checkout", on_for=[f"org-{number}"])):
                cluster.create(body)
            follow()
            if number in (4, 8):
                # The ceremony meets a publisher that is at work.
                world.rotate_online()
                follow(rotating=True)
                assert operator.stop() == 0
                follow(rotating=True)
                operator.start()
                cluster.until(lambda: operator.gauge("head_sequence") == number)  # noqa: B023
        cluster.until(lambda: follow() == changes)
    assert served(world, f"org-{changes}") == (changes, True)


class FullStore:
    """A store whose disk may be full."""

    def __init__(self, store: DirectoryStore) -> None:
        self._store = store
        self.full = multiprocessing.get_context("fork").Value("b", 0)

    def get(self, name: str, *, limit: int | None = None) -> Stored | None:
        """Read."""
        return self._store.get(name, limit=limit)

    def list(self, prefix: str) -> tuple[str, ...]:
        """List."""
        return self._store.list(prefix)

    def put_new(self, name: str, data: bytes) -> None:
        """Create, if there is room."""
        self._check(name)
        self._store.put_new(name, data)

    def replace(self, name: str, data: bytes, *, if_match: str | None) -> str:
        """Replace, if there is room."""
        self._check(name)
        return self._store.replace(name, data, if_match=if_match)

    def _check(self, name: str) -> None:
        if self.full.value:
            raise SnapshotError(f"{name}: no room to write", code="StoreFull", remedy="Free space.")


def test_a_full_store_stops_news_and_nothing_else(cluster: Cluster, tmp_path: Path) -> None:
    """What was published stands; once there is room, publishing goes on by itself."""
    world = founded(cluster, tmp_path)
    store = FullStore(world.directory)
    with Hosted(cluster, world, store, lease_of(world), terms=PATIENT) as operator:
        cluster.until(lambda: operator.stands_at(0))
        store.full.value = 1
        for body in world.approve(NEW):
            cluster.create(body)
        cluster.until(lambda: operator.gauge("failing") == 1)
        assert served(world, "globex") == (0, False)
        store.full.value = 0
        cluster.until(lambda: operator.stands_at(1))
    assert served(world, "globex") == (1, True)


def test_the_server_keeps_a_lease_to_one_writer(cluster: Cluster) -> None:
    """What was read a while ago does not overwrite what is there; marks and holder leave each other alone."""
    lease = LeaseApi(configuration(cluster.kubeconfig), "default", "flagseal-one-writer")
    assert lease.get() is None
    made = lease.put({"spec": {"holderIdentity": "first", "leaseDurationSeconds": 8}})
    LeaseMarks(lease).reach(Mark(1, 2, 3))
    for stale in (made, {"spec": {"holderIdentity": "second"}}):
        with pytest.raises(LeaseChanged):
            lease.put(stale)
    there = lease.get()
    assert there is not None
    assert (holder_of(there), LeaseMarks(lease).read()) == ("first", Mark(1, 2, 3))


def test_a_lease_that_one_may_not_read_is_said_with_the_remedy(plane: ControlPlane) -> None:
    """Somebody without a role."""
    found = configuration(plane.kubeconfig("mallory"))
    with pytest.raises(LeaseError) as refused:
        LeaseApi(found, "default", "flagseal-operator").get()
    assert refused.value.code == "LeaseForbidden"
    assert "get, create and update" in refused.value.remedy
