"""An operator on a real API server: what is approved gets published, and nothing else ever does."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flagseal_operator.active import Active
from flagseal_operator.kube import configuration
from tests.cluster.world import CarriedWorld
from tests.snapshot.world import flag

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.cluster import Cluster
    from tests.cluster.control_plane import ControlPlane

NEW = flag("new-checkout", on_for=["acme", "globex"])


def now() -> datetime:
    """Read the machine's clock: the API server has it too."""
    return datetime.now(UTC)


def founded(cluster: Cluster, folder: Path) -> CarriedWorld:
    """Put a company's genesis into a cluster."""
    world = CarriedWorld(folder)
    for body in (*world.genesis_bodies(), *world.declared()):
        cluster.create(body)
    return world


@contextmanager
def active(cluster: Cluster, world: CarriedWorld) -> Iterator[Active]:
    """Run an operator until the block ends, from its first publication on."""
    world.publisher._clock = now
    operator = Active(lambda: configuration(cluster.kubeconfig), world.publisher, world.trust, clock=now)
    operator.start()
    try:
        cluster.until(lambda: operator.vitals.published)
        yield operator
    finally:
        operator.stop()


def test_an_approved_change_is_published_and_the_status_says_by_whom(cluster: Cluster, tmp_path: Path) -> None:
    """From the resource's creation to the snapshot, and back to the status."""
    world = founded(cluster, tmp_path)
    with active(cluster, world) as operator:
        for body in world.approve(NEW):
            cluster.create(body)
        cluster.until(lambda: operator.vitals.sequence == 1)
        cluster.edit("FlagDefinition", "new-checkout", "payments", NEW.body()["spec"])  # type: ignore[arg-type]

        def status() -> dict[str, Any]:
            found: dict[str, Any] = cluster.get("FlagDefinition", "new-checkout", "payments").get("status", {})
            return found

        cluster.until(lambda: status()["approvedBy"] == "alice +1" and status()["conditions"][0]["status"] == "True")
        assert status()["snapshotVersion"] == 2
        row = cluster.kubectl("get", "flags", "-n", "payments", "new-checkout")
        assert "alice +1" in row


def test_an_edit_by_hand_changes_nothing_even_after_a_restart(cluster: Cluster, tmp_path: Path) -> None:
    """The head stays published; the status says what to do."""
    world = founded(cluster, tmp_path)
    with active(cluster, world):
        cluster.edit("FlagDefinition", "pay-later", "payments", {"description": "for mallory"})
        cluster.until(lambda: "Drifted" in cluster.conditions("FlagDefinition", "pay-later", "payments"))
    world.publisher = world.new_publisher()
    with active(cluster, world) as restarted:
        assert restarted.vitals.sequence == 0
        ready = cluster.conditions("FlagDefinition", "pay-later", "payments")["Ready"]
        assert (ready["status"], ready["reason"]) == ("False", "ApprovalMissing")
    content = world.new_publisher().load()
    assert content is not None
    assert b"mallory" not in b"".join(content.build.files.values())


def test_the_api_server_may_go_away_and_come_back(plane: ControlPlane, cluster: Cluster, tmp_path: Path) -> None:
    """What is published stays; what was approved meanwhile is published when it is back."""
    world = founded(cluster, tmp_path)
    with active(cluster, world) as operator:
        plane.stop_api()
        assert operator.running
        plane.start_api()
        for body in world.approve(NEW):
            cluster.create(body)
        cluster.until(lambda: operator.vitals.sequence == 1)


def test_no_thread_is_left_when_an_operator_stops(cluster: Cluster, tmp_path: Path) -> None:
    """It can be stopped in a process that goes on."""
    world = founded(cluster, tmp_path)
    with active(cluster, world):
        pass
    names = {thread.name for thread in threading.enumerate() if thread.is_alive()}
    assert not {name for name in names if name.startswith(("flagseal-watch", "flagseal-builder", "flagseal-status"))}
