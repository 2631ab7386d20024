"""Publishing to a bucket: two at once, power cuts, a bad network, and a bucket brought back from a copy."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from flagseal.history import build
from flagseal.model.errors import SnapshotError
from flagseal.snapshot.stores import open_store
from tests.snapshot.stores import DyingMarks, DyingStore, Fuse, PowerCut
from tests.snapshot.test_two_publishers import Watched
from tests.snapshot.world import World, answer, flag
from tests.store.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flagseal.history import Head
    from flagseal.snapshot.objects import ObjectStore
    from flagseal.snapshot.store import Store
    from tests.store.faults import Proxy
    from tests.store.server import S3Server

MOST_WRITES = 40


def moved(world: World, store: Store) -> World:
    """Let a company that was just founded publish to a bucket."""
    for name in world.directory.list(""):
        stored = world.directory.get(name)
        assert stored is not None
        store.put_new(name, stored.data)
    world.store = store
    world.publisher = world.new_publisher()
    return world


def test_two_publishers_that_race_publish_one_snapshot_a_version(
    tmp_path: Path, s3: S3Server, prefix: str, objects: Store
) -> None:
    """Both believe to be active: each version has one content, each timestamp a number of its own."""
    world = moved(World(tmp_path), objects)
    heads: list[Head] = [world.head]
    for number in range(3):
        world.accept(flag("pay-later", on_for=[f"org-{number}"]))
        heads.append(world.head)
    watched = Watched(open_store(s3.url(prefix)))
    refusals: list[str] = []
    start = threading.Barrier(2)

    def run() -> None:
        publisher = world.new_publisher(watched)
        start.wait()
        for head in heads:
            try:
                publisher.publish(
                    build(head, "production", world.clock()), world.entries[: head.sequence], world.genesis_documents
                )
            except SnapshotError as error:
                refusals.append(error.code)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(refusals) <= {"Superseded"}
    assert watched.published
    assert all(len(contents) == 1 for contents in watched.published.values())
    assert sorted(watched.timestamps) == list(range(1, len(watched.timestamps) + 1))
    with world.client(source=objects) as client:
        assert client.refresh().reason is None
        assert client.current is not None
        assert client.current.sequence == 3


@pytest.mark.parametrize("torn", [False, True], ids=["not-done", "done-and-unheard"])
def test_a_power_cut_at_any_write_loses_nothing_and_publishes_no_half(
    tmp_path: Path, s3: S3Server, prefix: str, as_writer: None, torn: bool
) -> None:
    """Clients see the old snapshot or the new one, whole; whoever starts next goes on."""
    del as_writer
    for cut in range(MOST_WRITES):
        bucket = open_store(s3.url(f"{prefix}/{cut}"))
        world = moved(World(tmp_path / f"{cut}"), bucket)
        world.publish()
        world.accept(flag("pay-later", on_for=["acme"]))
        fuse = Fuse(cut, torn=torn)
        publisher = world.new_publisher(DyingStore(bucket, fuse))
        publisher._marks = DyingMarks(world.marks.path, fuse)
        try:
            publisher.publish(world.build(), world.entries, world.genesis_documents)
        except PowerCut:
            died = True
        else:
            died = False
        with world.client(source=bucket) as client:
            assert client.refresh().reason is None
            assert answer(client, "pay-later") in (False, True)
            world.new_publisher().publish(world.build(), world.entries, world.genesis_documents)
            assert client.refresh().reason is None
            assert answer(client, "pay-later") is True
        if not died:
            assert cut >= 6, "every write was cut at least once"
            return
    pytest.fail("publishing never ends")


@pytest.mark.parametrize("how", ["answer", "cut", "half", "lost", "torn"])
def test_a_change_gets_out_over_a_bad_network(
    tmp_path: Path,
    objects: Store,
    through: Callable[..., ObjectStore],
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    """Every write fails once on its way, and what is published is one whole snapshot, with no version skipped."""
    monkeypatch.setattr("flagseal.snapshot.objects._WAITS", (0.01, 0.02, 0.02))
    world = moved(World(tmp_path), objects)
    before = world.publish()
    store = through()
    store.prove()
    publisher = world.new_publisher(store)
    world.accept(flag("pay-later", on_for=["acme"]))
    proxy.alternate(Fault(how))  # type: ignore[arg-type]
    after = publisher.publish(world.build(), world.entries, world.genesis_documents)
    assert after.version == before.version + 1
    with world.client(source=objects) as client:
        assert client.refresh().reason is None
        assert answer(client, "pay-later") is True


def test_a_bucket_brought_back_from_an_older_copy_is_held(
    tmp_path: Path, s3: S3Server, prefix: str, as_writer: None
) -> None:
    """The mark tells: nothing is published on top of it, and clients keep what they have."""
    del as_writer
    copy = open_store(s3.url(f"{prefix}-copy"))
    bucket = open_store(s3.url(prefix))
    world = moved(World(tmp_path), bucket)
    world.publish()
    for name in bucket.list("metadata/") + bucket.list("targets/"):
        stored = bucket.get(name)
        assert stored is not None
        copy.put_new(name, stored.data)
    world.change(flag("pay-later", on_for=["acme"]))
    with world.client(source=bucket) as client:
        client.refresh()
    world.store = copy
    with pytest.raises(SnapshotError) as held:
        world.new_publisher().load()
    assert held.value.code == "StoreRolledBack"
    with world.client(source=copy) as client:
        assert client.refresh().reason == "rollback"
        assert answer(client, "pay-later") is True


def test_a_read_only_bucket_keeps_what_was_published(
    tmp_path: Path, objects: Store, through: Callable[..., ObjectStore], proxy: Proxy
) -> None:
    """The publisher says so; once it may write again, it goes on."""
    world = moved(World(tmp_path), objects)
    world.publish()
    store = through()
    publisher = world.new_publisher(store)
    world.accept(flag("pay-later", on_for=["acme"]))
    proxy.always(Fault("answer", status=403, code="AccessDenied"))
    with pytest.raises(SnapshotError) as closed:
        publisher.publish(world.build(), world.entries, world.genesis_documents)
    assert closed.value.code == "StoreClosed"
    with world.client(source=objects) as client:
        assert client.refresh().reason is None
        assert answer(client, "pay-later") is False
        proxy.always(None)
        publisher.publish(world.build(), world.entries, world.genesis_documents)
        assert client.refresh().reason is None
        assert answer(client, "pay-later") is True
