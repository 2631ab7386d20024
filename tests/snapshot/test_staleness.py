"""Staleness: the last good answers stay, say so, and give way to the safe variant only where policy asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from tests.snapshot.stores import overwrite
from tests.snapshot.world import World, answer, flag

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.evaluation import Evaluation
    from flagseal.snapshot.client import SnapshotClient


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a company whose genesis is published; its high-risk flags are safe after fifteen minutes."""
    world = World(tmp_path)
    world.publish()
    return world


def ask(client: SnapshotClient, key: str) -> Evaluation:
    """Evaluate a flag for acme."""
    assert client.current is not None
    return client.current.evaluate(key, {"targetingKey": "u1", "org": "acme"})


def test_answers_stay_when_the_publisher_is_gone(world: World) -> None:
    """After ten minutes they say that they are stale, and after a year they still do."""
    with world.client() as client:
        client.refresh()
        assert "stale" not in ask(client, "new-checkout").metadata
        for wait in (10, 60 * 24 * 365):
            world.clock.advance(minutes=wait)
            assert client.refresh().reason == "stale-metadata"
            assert client.current is not None
            assert client.current.stale
            evaluation = ask(client, "new-checkout")
            assert (evaluation.value, evaluation.variant, evaluation.metadata["stale"]) == (True, "on", True)
            assert evaluation.metadata["owner"] == "team-payments"


@pytest.mark.parametrize("verify", ["full", "tuf"])
def test_past_its_tiers_limit_a_flag_serves_its_safe_variant(world: World, verify: Literal["full", "tuf"]) -> None:
    """Only the tier that says so; the others keep; a fresh snapshot ends it."""
    with world.client(verify=verify) as client:
        client.refresh()
        world.clock.advance(minutes=15)
        before = client.current
        assert ask(client, "instant-refund").variant == "on"
        world.clock.advance(seconds=1)
        refund = ask(client, "instant-refund")
        assert (refund.value, refund.variant, refund.reason) == (False, "off", "STALE")
        assert refund.metadata["riskTier"] == "high-risk"
        assert ask(client, "new-checkout").variant == "on"
        assert client.current is not before
        assert client.current is client.current
        assert client.current is not None
        served = client.current.namespaces["payments"].flag_set
        assert served.evaluate("instant-refund", {"org": "acme"}).reason == "STALE"
        assert served.evaluate("nonsense", {}).error_code == "FLAG_NOT_FOUND"
        assert set(served.keys()) == {"instant-refund", "new-checkout", "pay-later"}
        world.publisher.refresh()
        assert client.refresh().reason is None
        assert ask(client, "instant-refund").variant == "on"


def test_the_age_counts_across_a_restart(world: World) -> None:
    """What matters is when it was last known to be fresh, not when this process began."""
    with world.client() as client:
        client.refresh()
    world.clock.advance(minutes=14)
    with world.client() as client:
        assert ask(client, "instant-refund").variant == "on"
        world.clock.advance(minutes=2)
        assert ask(client, "instant-refund").reason == "STALE"


def test_a_refused_update_does_not_make_the_old_one_fresh(world: World) -> None:
    """Somebody who damages every update cannot keep a high-risk flag alive by it."""
    with world.client() as client:
        client.refresh()
        for _ in range(16):
            world.clock.advance(minutes=1)
            overwrite(world.directory, "metadata/timestamp.json", b"junk")
            assert client.refresh().reason == "malformed"
        assert ask(client, "instant-refund").reason == "STALE"


def test_a_change_that_was_due_and_was_not_published_makes_it_stale(world: World) -> None:
    """Approved on Friday evening for Monday: a publisher that signs timestamps and never builds is found out."""
    world.clock.advance(days=4, hours=8)
    wider = flag("instant-refund", tier="high-risk", on_for=["acme", "globex"])
    world.change(wider)
    with world.client() as client:
        client.refresh()
        assert answer(client, "instant-refund", org="globex") is False
        assert client.current is not None
        assert client.current.claim["pending"] != []
        world.clock.advance(days=2, hours=14, minutes=9)
        world.publisher.refresh()
        assert client.refresh().reason is None
        assert client.current is not None
        assert not client.current.stale
        world.clock.advance(minutes=2)
        world.publisher.refresh()
        assert client.refresh().reason is None
        assert client.current.stale
        world.publish()
        assert client.refresh().changed
        assert not client.current.stale
        assert answer(client, "instant-refund", org="globex") is True
