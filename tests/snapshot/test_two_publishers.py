"""Two publishers that both believe to be active: a mistake that must not show."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections import defaultdict
from typing import TYPE_CHECKING

from flagseal.history import build
from flagseal.model.errors import SnapshotError
from flagseal.snapshot.store import etag_of
from tests.snapshot.world import World, flag

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.history import Head
    from flagseal.snapshot.store import Store, Stored


class Watched:
    """A store that notes every timestamp that ever was visible, with the snapshot it named."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.published: dict[int, set[str]] = defaultdict(set)
        self.timestamps: list[int] = []

    def get(self, name: str, *, limit: int | None = None) -> Stored | None:
        """Read."""
        return self._store.get(name, limit=limit)

    def list(self, prefix: str) -> tuple[str, ...]:
        """List."""
        return self._store.list(prefix)

    def put_new(self, name: str, data: bytes) -> None:
        """Create."""
        self._store.put_new(name, data)

    def replace(self, name: str, data: bytes, *, if_match: str | None) -> str:
        """Replace, and note what is visible from now on."""
        etag = self._store.replace(name, data, if_match=if_match)
        if name == "metadata/timestamp.json":
            signed = json.loads(data)["signed"]
            version = signed["meta"]["snapshot.json"]["version"]
            snapshot = self._store.get(f"metadata/{version}.snapshot.json")
            assert snapshot is not None
            self.published[version].add(etag_of(snapshot.data))
            self.timestamps.append(signed["version"])
        return etag


def test_threads_that_race_publish_one_snapshot_a_version(tmp_path: Path) -> None:
    """Three publishers, fifteen heads each: every version has one content, every timestamp a number of its own."""
    world = World(tmp_path)
    heads: list[Head] = [world.head]
    for number in range(15):
        world.accept(flag("pay-later", on_for=[f"org-{number}"]))
        heads.append(world.head)
    store = Watched(world.directory)
    refusals: list[str] = []

    def run() -> None:
        publisher = world.new_publisher(store)
        for head in heads:
            try:
                publisher.publish(
                    build(head, "production", world.clock()), world.entries[: head.sequence], world.genesis_documents
                )
            except SnapshotError as error:
                refusals.append(error.code)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(refusals) <= {"Superseded"}
    assert all(len(contents) == 1 for contents in store.published.values())
    assert sorted(store.timestamps) == list(range(1, len(store.timestamps) + 1))
    content = world.new_publisher().load()
    assert content is not None
    assert content.head.sequence == 15
    with world.client() as client:
        assert client.refresh().reason is None


def _race(world: World, start: multiprocessing.synchronize.Event, results: multiprocessing.Queue[object]) -> None:
    publisher = world.new_publisher()
    start.wait()
    try:
        published = publisher.publish(world.build(), world.entries, world.genesis_documents)
        snapshot = world.directory.get(f"metadata/{published.version}.snapshot.json")
        results.put((published.version, etag_of(snapshot.data) if snapshot else ""))
    except SnapshotError as error:
        results.put(error.code)


def test_processes_that_race_publish_one_snapshot_a_version(tmp_path: Path) -> None:
    """Six at once: the same change is published once, and the others find it there."""
    world = World(tmp_path)
    world.publish()
    world.accept(flag("pay-later", on_for=["acme"]))
    context = multiprocessing.get_context("fork")
    start = context.Event()
    results: multiprocessing.Queue[object] = context.Queue()
    racers = [context.Process(target=_race, args=(world, start, results)) for _ in range(6)]
    for racer in racers:
        racer.start()
    start.set()
    seen = [results.get(timeout=60) for _ in racers]
    for racer in racers:
        racer.join()
    assert len(set(seen)) == 1, seen
    with world.client() as client:
        assert client.refresh().reason is None
        assert client.current is not None
        assert client.current.sequence == 1
