"""Power cuts: at every single write, before it and after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.snapshot.stores import DyingMarks, DyingStore, Fuse, PowerCut
from tests.snapshot.world import World, answer, flag

if TYPE_CHECKING:
    from pathlib import Path

MOST_WRITES = 40


@pytest.mark.parametrize("torn", [False, True], ids=["not-done", "done-and-unheard"])
@pytest.mark.parametrize("first", [True, False], ids=["first-snapshot", "a-change"])
def test_a_power_cut_at_any_write_loses_nothing_and_publishes_no_half(tmp_path: Path, first: bool, torn: bool) -> None:
    """Clients see the old snapshot or the new one, whole; whoever starts next goes on, and so do the clients."""
    for cut in range(MOST_WRITES):
        world = World(tmp_path / f"{cut}")
        if not first:
            world.publish()
        world.accept(flag("pay-later", on_for=["acme"]))
        fuse = Fuse(cut, torn=torn)
        publisher = world.new_publisher(DyingStore(world.directory, fuse))
        publisher._marks = DyingMarks(world.marks.path, fuse)
        try:
            publisher.publish(world.build(), world.entries, world.genesis_documents)
        except PowerCut:
            died = True
        else:
            died = False
        with world.client() as client:
            seen = client.refresh()
            assert seen.reason == ("unreachable" if first and seen.reason else None)
            before = answer(client, "pay-later") if client.current is not None else None
            assert before in ((None, True) if first else (False, True))
            restarted = world.new_publisher()
            content = restarted.load()
            assert content is None or content.head.sequence in (0, 1)
            published = restarted.publish(world.build(), world.entries, world.genesis_documents)
            assert published.sequence == 1
            assert world.marks.read().sequence == 1, "what the dead one could not remember is made up for"
            assert client.refresh().reason is None
            assert answer(client, "pay-later") is True
        if not died:
            assert cut >= 6, "every write was cut at least once"
            return
    pytest.fail("publishing never ends")


def test_a_power_cut_while_signing_again_is_mended_by_the_next_refresh(tmp_path: Path) -> None:
    """After a month everything is due at once: roles, snapshot, timestamp."""
    for cut in range(MOST_WRITES):
        world = World(tmp_path / f"{cut}")
        world.publish()
        world.clock.advance(days=29)
        fuse = Fuse(cut, torn=False)
        try:
            world.new_publisher(DyingStore(world.directory, fuse)).refresh()
        except PowerCut:
            died = True
        else:
            died = False
        assert world.new_publisher().refresh() is not None
        with world.client() as client:
            assert client.refresh().reason is None
            assert client.current is not None
            assert not client.current.stale
        if not died:
            return
    pytest.fail("refreshing never ends")
