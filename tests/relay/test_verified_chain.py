"""From an approved change to an answer over HTTP, on real parts: history, publisher, signatures, client, relay."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from flagseal.snapshot.store import DirectoryStore
from flagseal_relay.relay import Relay
from flagseal_relay.serve import serve
from tests.relay.harness import evaluation_body
from tests.relay.test_events import listening
from tests.relay.test_metrics import read
from tests.relay.test_refreshing import eventually
from tests.snapshot.world import World, flag

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flagseal.snapshot.client import SnapshotClient

ACME = evaluation_body(targetingKey="u1", org="acme")
GLOBEX = evaluation_body(targetingKey="u1", org="globex")


class Running:
    """A relay behind a verifying client, asked over HTTP."""

    def __init__(self, relay: Relay, url: str) -> None:
        self.relay = relay
        self.url = url

    def one(self, key: str, body: bytes = ACME) -> httpx.Response:
        """Ask for one flag."""
        return httpx.post(f"{self.url}/ofrep/v1/evaluate/flags/{key}", content=body, timeout=60)

    def variant(self, key: str, body: bytes = ACME) -> object:
        """Ask for one flag's variant."""
        return self.one(key, body).json().get("variant")


@contextmanager
def relaying(world: World, client: SnapshotClient) -> Iterator[Running]:
    """Serve what a client verifies, and the store's files."""
    relay = Relay(client, files=world.directory, poll=3600, clock=lambda: world.clock().timestamp())
    with client, serve(relay, port=0) as server:
        yield Running(relay, server.url)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Make the small company and publish its first snapshot."""
    world = World(tmp_path)
    world.publish()
    return world


def test_an_approved_change_changes_the_answer(world: World) -> None:
    """Accepted, published, noticed, verified, answered."""
    with relaying(world, world.client()) as running:
        assert running.relay.wait_until_ready(60)
        assert (running.variant("new-checkout"), running.variant("new-checkout", GLOBEX)) == ("on", "off")
        with listening(running.url) as listener:
            first = listener.data()["version"]
            published = world.change(flag("new-checkout", on_for=["acme", "globex"]))
            running.relay.notify()
            assert listener.data()["version"] == published.version > first
        assert running.variant("new-checkout", GLOBEX) == "on"
        metadata = running.one("new-checkout", GLOBEX).json()["metadata"]
        assert metadata["approval"] == world.entries[-1].envelope.statement.id
        samples = read(httpx.get(f"{running.url}/metrics", timeout=60).text)
        assert samples["flagseal_snapshot_version", ()] == published.version
        assert samples["flagseal_snapshot_sequence", ()] == published.sequence


def test_a_store_that_goes_back_changes_no_answer(world: World) -> None:
    """The client refuses the rollback, the relay names it and goes on."""
    before = DirectoryStore(world.directory.path).get("metadata/timestamp.json")
    assert before is not None
    with relaying(world, world.client()) as running:
        world.change(flag("new-checkout", on_for=["acme", "globex"]))
        running.relay.notify()
        eventually(lambda: running.variant("new-checkout", GLOBEX) == "on")
        (world.directory.path / "metadata" / "timestamp.json").write_bytes(before.data)
        running.relay.notify()
        eventually(
            lambda: 'refused_updates_total{reason="rollback"}' in httpx.get(f"{running.url}/metrics", timeout=60).text
        )
        assert running.variant("new-checkout", GLOBEX) == "on"
        assert httpx.get(f"{running.url}/readyz", timeout=60).json()["refused"] == "rollback"


def test_a_relay_behind_a_relay_verifies_for_itself(world: World, tmp_path: Path) -> None:
    """It is given the inner one's files and its own pinned root, and no credentials of the store."""
    with relaying(world, world.client("inner")) as inner:
        assert inner.relay.wait_until_ready(60)
        with relaying(world, world.client("edge", f"{inner.url}/tuf/")) as edge:
            assert edge.relay.wait_until_ready(60)
            assert edge.variant("new-checkout") == "on"
            world.change(flag("pay-later", on_for=["acme"]))
            edge.relay.notify()
            eventually(lambda: edge.variant("pay-later") == "on")
            # Whoever holds the inner relay may change its files, but not what the edge answers.
            forge(world.directory, tmp_path)
            edge.relay.notify()
            eventually(lambda: edge.relay.refusal is not None)
            assert edge.variant("pay-later") == "on"


def forge(store: DirectoryStore, aside: Path) -> None:
    """Replace the timestamp by one that nobody signed."""
    path = store.path / "metadata" / "timestamp.json"
    body = json.loads(path.read_bytes())
    body["signed"]["version"] += 1
    forged = aside / "forged"
    forged.write_text(json.dumps(body))
    forged.replace(path)


def test_a_relay_that_is_cut_off_says_so_and_keeps_answering(world: World) -> None:
    """Until a tier's limit, past which policy wants the safe variant and its reason; and it comes back."""
    with relaying(world, world.client()) as running:
        assert running.relay.wait_until_ready(60)
        assert running.variant("instant-refund") == "on"
        world.clock.advance(minutes=12)
        running.relay.notify()
        eventually(lambda: running.one("instant-refund").json()["metadata"].get("stale") is True)
        assert running.variant("instant-refund") == "on"
        fresh = httpx.get(f"{running.url}/readyz", timeout=60).json()
        assert (fresh["ready"], fresh["stale"]) == (True, True)

        world.clock.advance(hours=1)
        running.relay.notify()
        eventually(lambda: running.one("instant-refund").json()["reason"] == "STALE")
        assert running.variant("instant-refund") == "off"
        assert running.variant("new-checkout") == "on"

        world.publisher.refresh()
        running.relay.notify()
        eventually(lambda: running.variant("instant-refund") == "on")
        assert "stale" not in running.one("instant-refund").json()["metadata"]


def test_a_relay_starts_without_its_store(world: World, tmp_path: Path) -> None:
    """From what its client verified before."""
    with relaying(world, world.client()) as running:
        assert running.relay.wait_until_ready(60)
    with relaying(world, world.client(source=DirectoryStore(tmp_path / "away"))) as running:
        assert running.relay.wait_until_ready(60)
        assert running.variant("new-checkout") == "on"
        eventually(lambda: running.relay.refusal is not None)
