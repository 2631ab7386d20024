"""The operator as a process: one is active, another stands by, and the store knows no two truths."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes.client import CoordinationV1Api
from securesystemslib.signer import CryptoSigner

from flagseal.approval.trust import Attestor
from flagseal.snapshot.restoring import restore
from flagseal.snapshot.trust_change import set_trust
from flagseal_cli.main import run
from tests.cluster.process import Operator, lease_of
from tests.cluster.test_operator import NEW, founded
from tests.snapshot.world import World, answer, flag

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.cluster import Cluster


def test_it_publishes_tells_how_it_is_and_ends_when_told(cluster: Cluster, tmp_path: Path) -> None:
    """Probes, metrics, SIGTERM; and what it published verifies for a client."""
    world = founded(cluster, tmp_path)
    with Operator(world, cluster.kubeconfig) as operator:
        cluster.until(lambda: operator.ask("/readyz")[0] == 200 and operator.gauge("active") == 1)
        assert operator.ask("/healthz")[0] == 200
        for body in world.approve(NEW):
            cluster.create(body)
        cluster.until(lambda: operator.gauge("head_sequence") == 1)
        world.clock.advance(seconds=5)
        with world.client() as client:
            client.refresh()
            assert answer(client, org="globex") is True
        assert operator.stop() == 0


def test_a_standby_takes_over_from_a_killed_one(cluster: Cluster, tmp_path: Path) -> None:
    """And it goes on from what was published, by the marks in the Lease."""
    world = founded(cluster, tmp_path)
    with Operator(world, cluster.kubeconfig, name="first") as first:
        cluster.until(lambda: first.gauge("snapshot_version") == 1)
        with Operator(world, cluster.kubeconfig, name="second") as second:
            assert second.ask("/readyz")[0] == 200
            cluster.until(lambda: "first" in second.why())
            first.kill()
            cluster.until(lambda: second.gauge("active") == 1)
            for body in world.approve(NEW):
                cluster.create(body)
            cluster.until(lambda: second.gauge("head_sequence") == 1)


def test_whoever_ends_in_order_lets_the_next_take_over_at_once(cluster: Cluster, tmp_path: Path) -> None:
    """A release of the Lease, and not its expiry."""
    world = founded(cluster, tmp_path)
    with Operator(world, cluster.kubeconfig, name="first") as first:
        cluster.until(lambda: first.gauge("snapshot_version") == 1)
        with Operator(world, cluster.kubeconfig, name="second") as second:
            assert first.stop() == 0
            lease: Any = CoordinationV1Api(cluster.api).read_namespaced_lease(lease_of(world), "default")
            # It is free, or the other has it by now: in no case does it have to run out.
            assert not (lease.spec.holder_identity or "").startswith("first")
            cluster.until(lambda: second.gauge("active") == 1)


def test_a_store_that_was_rolled_back_is_held_by_the_marks_in_the_lease(cluster: Cluster, tmp_path: Path) -> None:
    """Every signature in it holds; that it is old only the Lease remembers."""
    world = founded(cluster, tmp_path)
    with Operator(world, cluster.kubeconfig) as operator:
        cluster.until(lambda: operator.gauge("snapshot_version") == 1)
        old = {name: world.directory.get(name) for name in world.directory.list("")}
        for body in world.approve(NEW):
            cluster.create(body)
        cluster.until(lambda: operator.gauge("head_sequence") == 1)
    for name in world.directory.list(""):
        (world.directory.path / name).unlink()
    for name, stored in old.items():
        assert stored is not None
        world.directory.put_new(name, stored.data)
    with Operator(world, cluster.kubeconfig) as operator:
        cluster.until(lambda: operator.gauge("failing") == 1)
        assert "StoreRolledBack" in operator.why()
        cluster.create(next(iter(world.approve(flag("pay-later", on_for=["acme"])))))
        assert operator.gauge("head_sequence") <= 0


def test_a_store_that_is_lost_for_good_is_begun_anew_when_a_person_says_so(cluster: Cluster, tmp_path: Path) -> None:
    """From the FlagApprovals that are still in the cluster, above what the Lease remembers."""
    world = founded(cluster, tmp_path)
    with Operator(world, cluster.kubeconfig) as operator:
        for body in world.approve(NEW):
            cluster.create(body)
        cluster.until(lambda: operator.gauge("head_sequence") == 1)
        version = operator.gauge("snapshot_version")
    shutil.rmtree(world.directory.path)
    restore(world.directory, [world.root], world.trust, signers=world.offline[:2], now=world.clock())
    with Operator(world, cluster.kubeconfig) as operator:
        cluster.until(lambda: "StoreRolledBack" in operator.why())
    words = ["cluster", "store-lost", "--yes", f"--kubeconfig={cluster.kubeconfig}", "--lease-namespace=default"]
    assert run([*words, f"--lease-name={lease_of(world)}"]) == 0
    with Operator(world, cluster.kubeconfig) as operator:
        cluster.until(lambda: operator.gauge("head_sequence") == 1)
        assert operator.gauge("snapshot_version") > version


def test_a_ceremony_that_changes_trust_has_the_next_process_begin_with_it(cluster: Cluster, tmp_path: Path) -> None:
    """A revoked attestor would otherwise count here for as long as the process lives."""
    world = founded(cluster, tmp_path)
    key = CryptoSigner.generate_ed25519().public_key
    with Operator(world, cluster.kubeconfig) as operator:
        cluster.until(lambda: operator.gauge("snapshot_version") == 1)
        trust = replace(world.trust, attestors=(Attestor(key, until=0),))
        set_trust(world.directory, world.root, trust, signers=world.offline[:2], now=world.clock())
        for body in world.approve(NEW):
            cluster.create(body)
        cluster.until(lambda: operator.ended)
        assert "TrustChanged" in operator.said
        assert list(operator.temporary.iterdir()) == []
    with Operator(world, cluster.kubeconfig) as operator:
        cluster.until(lambda: operator.gauge("head_sequence") == 1)
        assert operator.gauge("failing") == 0


def test_a_store_that_was_never_founded_is_said_in_words(cluster: Cluster, tmp_path: Path) -> None:
    """And never by a traceback."""
    world = World(tmp_path)
    shutil.rmtree(world.directory.path)
    with pytest.raises(AssertionError) as ended:
        Operator(world, cluster.kubeconfig).start()
    assert "Traceback" not in str(ended.value)
    assert "CeremonyIncomplete" in str(ended.value)
