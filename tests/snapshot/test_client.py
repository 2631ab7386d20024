"""The client: what it fetches, what it serves meanwhile, and whose directory it is."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.client import SnapshotClient
from flagseal.snapshot.refusal import Refused
from tests.relay.test_refreshing import eventually
from tests.snapshot.webserver import serve
from tests.snapshot.world import FLAGS, MONDAY, Clock, World, answer, flag, policies

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a company whose genesis is published."""
    world = World(tmp_path)
    world.publish()
    return world


@pytest.mark.parametrize("verify", ["full", "tuf"])
def test_over_http_and_from_disk_the_answers_are_the_same(world: World, verify: Literal["full", "tuf"]) -> None:
    """And both follow a change."""
    with (
        serve(world.directory) as served,
        world.client("http", served.url, verify=verify) as remote,
        world.client("disk", verify=verify) as local,
    ):
        for expected in (False, True):
            if expected:
                world.change(flag("pay-later", on_for=["acme"]))
            for client in (remote, local):
                assert client.refresh().reason is None
                assert answer(client, "pay-later") is expected
                assert answer(client, "new-checkout") is True
                assert client.current is not None
                assert (client.current.head is None) == (verify == "tuf")
                assert client.current.environment == "production"


def test_an_unchanged_refresh_costs_one_timestamp_on_the_wire(world: World) -> None:
    """Below a kilobyte with headers, and two requests: is there a newer root, and what does the timestamp say."""
    with serve(world.directory) as served, world.client("c", served.url) as client:
        client.refresh()
        served.sent, served.asked = 0, []
        assert not client.refresh().changed
        assert served.asked == ["metadata/2.root.json", "metadata/timestamp.json"]
        assert served.sent < 1024
        world.clock.advance(minutes=6)
        world.publisher.refresh()
        served.sent, served.asked = 0, []
        assert not client.refresh().changed
        assert served.sent < 1024
        assert len(served.asked) == 2


def test_a_change_costs_what_changed(world: World) -> None:
    """One namespace's role, the repository's, the head and the last history; nothing that can be built here."""
    with serve(world.directory) as served, world.client("c", served.url) as client:
        client.refresh()
        world.change(flag("pay-later", on_for=["acme"]))
        served.asked = []
        assert client.refresh().changed
        kinds = {name.rpartition("/")[2].split(".", 1)[1] for name in served.asked}
        assert kinds == {
            *("root.json", "json", "snapshot.json", "ns-_repository.json", "ns-payments.json"),
            *("head.json", "0.jsonl"),
        }


def test_more_namespaces_are_followed_than_one_look_up_visits(tmp_path: Path) -> None:
    """By default ngclient gives up after 32 roles; here are eighty, and every one of them answers."""
    many = [flag(f"flag-{number}", f"team-{number}", on_for=["acme"]) for number in range(80)]
    world = World(tmp_path, documents=(*policies(), *many))
    world.publish()
    with serve(world.directory) as served, world.client("c", served.url) as client:
        assert client.refresh().reason is None
        assert client.current is not None
        assert len(client.current.namespaces) == 80
        assert all(answer(client, f"flag-{number}") is True for number in range(80))
        served.asked = []
        world.change(flag("flag-77", "team-77"))
        assert client.refresh().reason is None
        assert answer(client, "flag-77") is False
        assert len(served.asked) < 10


def test_an_evaluation_sees_one_snapshot(world: World) -> None:
    """Two flags of two namespaces that always change together are never seen apart by who holds one snapshot."""
    seen: set[tuple[object, object]] = set()
    done = threading.Event()

    def look(client: SnapshotClient) -> None:
        while not done.is_set():
            current = client.current
            assert current is not None
            context = {"targetingKey": "u", "org": "globex"}
            seen.add((current.evaluate("pay-later", context).value, current.evaluate("twin", context).value))
            time.sleep(0.0005)

    world.change(flag("twin", "search"))
    with world.client() as client:
        client.refresh()
        watchers = [threading.Thread(target=look, args=(client,)) for _ in range(3)]
        for watcher in watchers:
            watcher.start()
        try:
            for number in range(12):
                orgs = ["globex"] if number % 2 else ["acme"]
                world.change(flag("pay-later", on_for=orgs), flag("twin", "search", on_for=orgs))
                assert client.refresh().reason is None
                eventually(lambda: (orgs == ["globex"],) * 2 in seen)  # noqa: B023 (asked within this turn)
        finally:
            done.set()
        for watcher in watchers:
            watcher.join()
    assert seen == {(False, False), (True, True)}, seen


def test_what_was_taken_up_does_not_change(world: World) -> None:
    """A snapshot is a value; an unchanged refresh gives the very same one."""
    with world.client() as client:
        client.refresh()
        held = client.current
        client.refresh()
        assert client.current is held
        world.change(flag("pay-later", on_for=["acme"]))
        client.refresh()
        assert held is not None
        assert held.evaluate("pay-later", {"org": "acme"}).value is False
        assert answer(client, "pay-later") is True


def test_one_client_a_directory(world: World) -> None:
    """In this process or another, the second is told; once the first is closed, it may have it."""
    first = world.client()
    with pytest.raises(SnapshotError) as refused:
        world.client()
    assert refused.value.code == "CacheInUse"
    script = (
        "import sys; from flagseal.snapshot.cache import Cache\n"
        "from flagseal.model.errors import SnapshotError\n"
        "try: Cache(sys.argv[1])\n"
        "except SnapshotError as error: print(error.code)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(world.path / "client")], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "CacheInUse"
    first.close()
    world.client().close()


def test_a_root_that_is_none_is_refused_and_lets_go_of_the_directory(world: World) -> None:
    """Before anything is asked of the store."""
    for root in (b"", b"{}", world.root.replace(b'"threshold":2', b'"threshold":1')):
        with pytest.raises(Refused):
            SnapshotClient(world.path / "client", world.directory, root)
    world.client().close()


def test_a_cache_that_cannot_be_is_refused(world: World, tmp_path: Path) -> None:
    """A file in its place, for instance."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SnapshotError) as refused:
        SnapshotClient(tmp_path / "file", world.directory, world.root)
    assert refused.value.code == "CacheUnusable"


def test_a_store_that_comes_late_is_taken_up(tmp_path: Path) -> None:
    """Nothing there, then a server that fails, then the snapshot."""
    world = World(tmp_path)
    with serve(world.directory) as served, world.client("c", served.url) as client:
        assert client.refresh().reason == "unreachable"
        assert client.current is None
        world.publish()
        served.status = 503
        assert client.refresh().reason == "unreachable"
        served.status = 0
        assert client.refresh().reason is None
    with world.client("c", served.url) as client:
        assert client.refresh().reason == "unreachable"
        assert answer(client) is True


def test_all_clocks_are_the_clients_own(tmp_path: Path) -> None:
    """Forty years from now nothing has expired, if that is what the clock says."""
    world = World(tmp_path, clock=Clock(MONDAY.replace(year=2066)))
    world.publish()
    with world.client() as client:
        assert client.refresh().reason is None
        world.clock.advance(hours=1)
        assert client.refresh().reason == "stale-metadata"


def test_a_full_disk_of_the_client_keeps_the_last_good(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is its own disk's, and once there is room the update is taken."""
    with world.client() as client:
        client.refresh()
        world.change(flag("pay-later", on_for=["acme"]))
        write = Path.write_bytes

        def full(path: Path, data: bytes) -> int:
            if path.name == "good.json.new":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            return write(path, data)

        monkeypatch.setattr(Path, "write_bytes", full)
        refused = client.refresh()
        assert (refused.reason, refused.changed) == ("cache-unusable", False)
        assert "No space" in refused.message
        assert answer(client, "pay-later") is False
        monkeypatch.undo()
        assert client.refresh().reason is None
        assert answer(client, "pay-later") is True


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _junk(path: Path) -> None:
    path.write_bytes(b'{"files": [1], "signed": null}')


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [_flip, _empty, _junk, Path.unlink, _folder])
def test_a_damaged_cache_is_never_served_and_never_stops_a_client(world: World, damage: Callable[[Path], None]) -> None:
    """Whichever file it is: the client starts, serves what verifies or nothing, and fetches what is missing."""
    world.change(flag("pay-later", on_for=["acme"]))
    with world.client("template") as client:
        client.refresh()
    files = sorted(path.relative_to(world.path / "template") for path in (world.path / "template").rglob("*"))
    names = [path for path in files if (world.path / "template" / path).is_file() and path.name != "lock"]
    assert len(names) > 15
    for number, name in enumerate(names):
        with world.client(f"damaged-{number}") as client:
            client.refresh()
        damage(world.path / f"damaged-{number}" / name)
        with world.client(f"damaged-{number}") as client:
            if client.current is not None:
                assert answer(client, "pay-later") is True
            result = client.refresh()
            assert result.reason is None, (name, result)
            assert answer(client, "pay-later") is True


def test_what_nobody_needs_any_more_is_removed(world: World) -> None:
    """The cache does not grow with the number of snapshots."""
    with world.client() as client:
        sizes = []
        for number in range(10):
            world.change(flag("pay-later", on_for=[f"org-{number}"]))
            client.refresh()
            sizes.append(len(list((world.path / "client" / "blobs").iterdir())))
    assert len(set(sizes)) == 1


def test_keys_are_found_across_namespaces(world: World) -> None:
    """One look-up for an application that knows keys only."""
    with world.client() as client:
        client.refresh()
        assert client.current is not None
        found = client.current.namespace_of("ranker")
        assert found is not None
        assert found.name == "search"
        assert client.current.namespace_of("nonsense") is None
        assert client.current.evaluate("nonsense").error_code == "FLAG_NOT_FOUND"
        assert set(client.current.namespaces) == {entry.namespace for entry in FLAGS}
