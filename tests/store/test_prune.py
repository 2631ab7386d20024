"""Pruning a real bucket, while a publisher publishes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.prune import plan, prune
from flagseal.snapshot.stores import open_store
from tests.snapshot.test_prune import MOST_WRITES, alternate, killed, named, verified
from tests.snapshot.world import World
from tests.store.server import READER, credentials

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.snapshot.store import PrunedStore
    from tests.store.server import S3Server


@pytest.fixture
def world(tmp_path: Path, objects: PrunedStore) -> World:
    """Publish a few changes to a bucket."""
    world = World(tmp_path)
    for name in world.directory.list(""):
        stored = world.directory.get(name)
        assert stored is not None
        objects.put_new(name, stored.data)
    world.store = world.directory = objects  # type: ignore[assignment]
    world.publisher = world.new_publisher()
    world.publish()
    alternate(world, 5)
    return world


def test_old_objects_go_and_clients_notice_nothing(world: World, objects: PrunedStore) -> None:
    """Also while something is published in the middle, and again afterwards."""
    before = plan(objects, world.root, world.marks.read(), now=world.clock(), keep=2)
    assert len(before.garbage) > 10
    done = prune(objects, world.root, world.marks.read(), now=world.clock(), keep=2)
    assert done.removed == len(before.garbage)
    assert set(objects.list("")).isdisjoint(before.garbage)
    verified(world)
    alternate(world, 2)
    verified(world)


def test_pruning_that_was_killed_at_any_write_leaves_a_bucket_that_verifies(world: World) -> None:
    """Each removal, and each change of the timestamp; a publisher goes on, and the next run does the rest."""
    for cut in range(MOST_WRITES):
        died = killed(world, cut)
        assert named(world) <= set(world.store.list(""))
        verified(world, f"killed-{cut}")
        if not died:
            assert cut > 3, "every write was cut at least once"
            return
        alternate(world, 1)
    pytest.fail("pruning never ends")


def test_whoever_may_only_read_prunes_nothing(
    world: World, s3: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is told which right it takes."""
    before = world.store.list("")
    for name, value in credentials(READER).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SnapshotError) as refused:
        prune(open_store(s3.url(prefix)), world.root, world.marks.read(), now=world.clock(), keep=2)
    assert refused.value.code == "StoreClosed"
    assert "s3:DeleteObject" in refused.value.remedy
    assert world.store.list("") == before


def test_what_is_gone_already_is_no_failure(objects: PrunedStore) -> None:
    """Two may prune at once."""
    objects.put_new("metadata/1.x.json", b"x")
    objects.remove("metadata/1.x.json")
    objects.remove("metadata/1.x.json")
    assert objects.get("metadata/1.x.json") is None
