"""Operator processes that publish to a real object store, over a network and with rights that fail them."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from flagseal.snapshot.stores import open_store
from tests.cluster.process import Operator
from tests.cluster.test_faults import turned_on
from tests.cluster.test_operator import NEW, founded
from tests.snapshot.world import answer, flag
from tests.store.faults import Fault, bad_network
from tests.store.server import credentials

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flagseal.snapshot.store import Store
    from tests.cluster.cluster import Cluster
    from tests.cluster.world import CarriedWorld
    from tests.store.faults import Proxy
    from tests.store.server import S3Server


@dataclass
class Bucket:
    """A world whose snapshots lie in a bucket, and the bad network before it.

    Attributes:
        world: With its genesis in the cluster.
        store: The bucket, straight.
        url: The bucket, by way of the network.
        network: What can be made to fail.
    """

    world: CarriedWorld
    store: Store
    url: str
    network: Proxy
    _looks: int = 0

    def served(self, org: str) -> tuple[int, object]:
        """Give what a new client serves after verifying everything."""
        self.world.clock.now = datetime.now(UTC)
        self._looks += 1
        with self.world.client(f"client-{self._looks}", self.store) as client:
            outcome = client.refresh()
            assert outcome.reason is None, outcome.message
            assert client.current is not None
            return client.current.sequence, answer(client, org=org)


@contextmanager
def bucket(cluster: Cluster, folder: Path, s3: S3Server, patch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Found a world in a cluster, and its store in a bucket."""
    for name, value in credentials().items():
        patch.setenv(name, value)
    world, prefix = founded(cluster, folder), f"{secrets.token_hex(6)}/production"
    store = open_store(s3.url(prefix))
    for name in world.directory.list(""):
        stored = world.directory.get(name)
        assert stored is not None
        store.put_new(name, stored.data)
    with bad_network(s3.endpoint) as network:
        yield Bucket(world, store, s3.url(prefix, network.endpoint), network)


def test_processes_that_are_killed_publish_over_a_network_that_loses_answers(
    cluster: Cluster, tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other write is done and not answered; the active one is killed, and the standby goes on."""
    with bucket(cluster, tmp_path, s3, monkeypatch) as place:
        place.network.alternate(Fault("lost"))
        with (
            Operator(place.world, cluster.kubeconfig, name="first", store=place.url) as first,
            Operator(place.world, cluster.kubeconfig, name="second", store=place.url) as second,
        ):
            cluster.until(lambda: 1 in {first.gauge("snapshot_version"), second.gauge("snapshot_version")})
            for number in range(1, 7):
                for body in place.world.approve(flag("new-checkout", on_for=[turned_on(number)])):
                    cluster.create(body)
                if number == 3:
                    victim = first if first.gauge("active") == 1 else second
                    victim.kill()
                    assert place.served(turned_on(0))[0] <= number
                    victim.start()
                # Those of one moment are published together; so each has its own.
                cluster.until(lambda: number in {first.gauge("head_sequence"), second.gauge("head_sequence")})  # noqa: B023
                assert place.served(turned_on(number)) == (number, True)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("answer", status=403, code="AccessDenied"), "StoreClosed"),
        (Fault("answer", status=507, code="InsufficientStorage"), "StoreFull"),
    ],
    ids=["read-only", "full"],
)
def test_a_bucket_that_takes_nothing_stops_news_and_nothing_else(
    cluster: Cluster, tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch, fault: Fault, code: str
) -> None:
    """What was published stands, the statuses say why, and publishing goes on by itself."""

    def ready(of: str, name: str, namespace: str | None = None) -> str:
        return str(cluster.conditions(of, name, namespace).get("Ready", {}).get("reason", ""))

    with (
        bucket(cluster, tmp_path, s3, monkeypatch) as place,
        Operator(place.world, cluster.kubeconfig, store=place.url) as operator,
    ):
        cluster.until(lambda: operator.gauge("snapshot_version") == 1)
        place.network.always(fault)
        for body in place.world.approve(NEW):
            cluster.create(body)
        cluster.until(lambda: operator.gauge("failing") == 1)
        cluster.until(lambda: code in operator.why())
        cluster.until(lambda: ready("FlagDefinition", "ranker", "search") == code)
        assert place.served("globex") == (0, False)
        place.network.always(None)
        cluster.until(lambda: operator.gauge("head_sequence") == 1 and operator.gauge("failing") == 0)
        assert place.served("globex") == (1, True)
        cluster.until(lambda: ready("FlagDefinition", "ranker", "search") == "InForce")
