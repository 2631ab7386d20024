"""Roll the store back while the publisher is down, so that it goes on from an old state by itself.

The attacker restores a copy of the whole store, genuine to the last signature, and waits for the restart. What they
cannot reach is the publisher's memory outside the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import SnapshotError
from tests.snapshot.stores import bring_back, copy_of, overwrite
from tests.snapshot.world import World, answer, flag

if TYPE_CHECKING:
    from pathlib import Path


class Scene:
    """A store whose state before the last change was kept."""

    def __init__(self, path: Path) -> None:
        self.world = World(path)
        self.world.publish()
        self.world.change(flag("new-checkout", on_for=["acme", "evil"]))
        self.old = copy_of(self.world.directory, path / "old")
        self.world.change(flag("new-checkout", on_for=["acme"]))
        self.new = copy_of(self.world.directory, path / "new")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Set the scene."""
    return Scene(tmp_path)


def held(world: World) -> None:
    """Check that a restarted publisher neither extends nor refreshes what it finds."""
    before = {name: world.directory.get(name) for name in world.directory.list("")}
    world.accept(flag("pay-later", on_for=[f"org-{world.head.sequence}"]))
    publisher = world.new_publisher()
    for call in (
        publisher.load,
        publisher.refresh,
        lambda: publisher.publish(world.build(), world.entries, world.genesis_documents),
    ):
        with pytest.raises(SnapshotError) as refused:
            call()
        assert refused.value.code == "StoreRolledBack"
        assert "snapshot 3" in refused.value.message
        assert refused.value.remedy
    assert {name: world.directory.get(name) for name in world.directory.list("")} == before


def test_an_older_copy_is_held_and_never_extended(scene: Scene) -> None:
    """Not even its timestamp is signed again: clients see it go stale, and do not go back."""
    with scene.world.client() as client:
        client.refresh()
        bring_back(scene.world.directory, scene.old)
        held(scene.world)
        assert client.refresh().reason == "rollback"
        assert answer(client, org="evil") is False
    bring_back(scene.world.directory, scene.new)
    assert scene.world.publish().sequence == 3


def test_while_it_runs_it_is_held_as_well(scene: Scene) -> None:
    """A publisher does not overwrite from memory what it no longer finds."""
    bring_back(scene.world.directory, scene.old)
    with pytest.raises(SnapshotError) as refused:
        scene.world.publisher.refresh()
    assert refused.value.code == "StoreRolledBack"


def test_an_old_timestamp_alone_is_no_way_around(scene: Scene) -> None:
    """The old timestamp over the new files."""
    overwrite(scene.world.directory, "metadata/timestamp.json", (scene.old / "metadata/timestamp.json").read_bytes())
    held(scene.world)


def test_an_emptied_store_is_held(scene: Scene) -> None:
    """Nothing but root and targets: it looks as if nothing had ever been published."""
    for name in scene.world.directory.list(""):
        if "root" not in name and "targets.json" not in name and "trust" not in name:
            (scene.world.directory.path / name).unlink()
    held(scene.world)


def test_a_lost_timestamp_is_no_rollback(scene: Scene) -> None:
    """What the mark names is there: it is signed again, under a version above what clients have seen."""
    with scene.world.client() as client:
        client.refresh()
        (scene.world.directory.path / "metadata/timestamp.json").unlink()
        assert scene.world.new_publisher().refresh() is not None
        assert client.refresh().reason is None


def test_a_damaged_mark_holds_everything(scene: Scene) -> None:
    """Otherwise damaging it would be the attack."""
    scene.world.marks.path.write_bytes(b"{")
    with pytest.raises(SnapshotError) as refused:
        scene.world.new_publisher().refresh()
    assert refused.value.code == "MarkUnreadable"


def test_who_knows_why_may_go_on(scene: Scene) -> None:
    """The newer files are lost for good: a person removes the mark, and what was lost is published again.

    Clients that saw more refuse versions that they know otherwise, and follow once there is a newer one; never back.
    """
    world = scene.world
    with world.client() as client:
        client.refresh()
        bring_back(world.directory, scene.old)
        world.marks.path.unlink()
        publisher = world.new_publisher()
        content = publisher.load()
        assert content is not None
        assert content.head.sequence == 1
        assert publisher.publish(world.build(), world.entries).sequence == 2
        assert client.refresh().reason in {"hash-mismatch", None}
        assert answer(client, org="evil") is False
        world.accept(flag("pay-later", on_for=["acme"]))
        assert publisher.publish(world.build(), world.entries).version == 4
        assert client.refresh().reason is None
        assert (answer(client, org="evil"), answer(client, "pay-later")) == (False, True)
