"""From an approved change to a document on a stream, on real parts: history, publisher, signatures, client, relay."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from flagseal.evaluation import FlagSet
from tests.relay.test_refreshing import eventually
from tests.relay.test_verified_chain import relaying
from tests.snapshot.world import World, flag
from tests.sync.conftest import syncing

if TYPE_CHECKING:
    from pathlib import Path

ACME = {"targetingKey": "u1", "org": "acme"}
GLOBEX = {"targetingKey": "u1", "org": "globex"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Make the small company and publish its first snapshot."""
    world = World(tmp_path)
    world.publish()
    return world


def test_an_approved_change_reaches_the_streams(world: World) -> None:
    """Accepted, published, noticed, verified, sent: the bytes signed, with the statement that approved them."""
    client = world.client()
    with relaying(world, client) as running, syncing(running.relay) as asked:
        assert running.relay.wait_until_ready(60)
        stream, everything = asked.stream("flagSetId=payments"), asked.stream()
        assert FlagSet.load(stream.text()).evaluate("new-checkout", GLOBEX).variant == "off"
        everything.text()
        world.change(flag("new-checkout", on_for=["acme", "globex"]))
        running.relay.notify()
        text = stream.text()
        assert client.current is not None
        published = client.current.namespaces["payments"]
        assert hashlib.sha256(text.encode()).hexdigest() == published.etag
        for flags in (FlagSet.load(text), FlagSet.load(everything.text())):
            evaluation = flags.evaluate("new-checkout", GLOBEX)
            assert evaluation.variant == "on"
            assert evaluation.metadata == published.flag_set.flag_metadata("new-checkout")
            assert evaluation.metadata["approval"] == world.entries[-1].envelope.statement.id


def test_a_change_that_nobody_approved_reaches_no_stream(world: World) -> None:
    """A store that goes back is refused by the client, and the streams stay silent until there is real news."""
    timestamp = world.directory.path / "metadata" / "timestamp.json"
    before = timestamp.read_bytes()
    with relaying(world, world.client()) as running, syncing(running.relay) as asked:
        assert running.relay.wait_until_ready(60)
        stream = asked.stream("payments")
        stream.text()
        world.change(flag("pay-later", on_for=["acme"]))
        running.relay.notify()
        assert FlagSet.load(stream.text()).evaluate("pay-later", ACME).variant == "on"
        after = timestamp.read_bytes()
        timestamp.write_bytes(before)
        running.relay.notify()
        eventually(lambda: running.relay.refusal == "rollback")
        timestamp.write_bytes(after)
        world.change(flag("pay-later", on_for=["acme", "globex"]))
        running.relay.notify()
        assert FlagSet.load(stream.text()).evaluate("pay-later", GLOBEX).variant == "on"


def test_what_policy_says_of_old_snapshots_reaches_a_stream(world: World) -> None:
    """The publisher is away: flags say so, and past its tier's limit one serves its safe variant; and it comes back."""
    with relaying(world, world.client()) as running, syncing(running.relay) as asked:
        assert running.relay.wait_until_ready(60)
        stream = asked.stream("payments")
        published = stream.text()
        world.clock.advance(minutes=12)
        running.relay.notify()
        stale = json.loads(stream.text())
        assert stale["metadata"]["stale"] is True
        assert stale["flags"] == json.loads(published)["flags"]

        world.clock.advance(hours=1)
        running.relay.notify()
        flags = FlagSet.load(stream.text())
        assert flags.evaluate("instant-refund", ACME).variant == "off"
        assert flags.evaluate("new-checkout", ACME).variant == "on"

        world.publisher.refresh()
        running.relay.notify()
        assert stream.text() == published
