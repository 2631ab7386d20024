"""Pruning removes what nobody needs, whatever a publisher does meanwhile; clients never notice."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.layout import target_name
from flagseal.snapshot.marks import Mark
from flagseal.snapshot.prune import _closed, plan, prune
from flagseal.snapshot.publish import Publisher
from flagseal.snapshot.published import read_live
from flagseal.snapshot.store import DirectoryStore
from tests.snapshot.stores import DyingPrunedStore, Fuse, PowerCut, overwrite
from tests.snapshot.world import World, answer, flag, metadata

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flagseal.snapshot.store import Store, Stored

ORGS = (["acme"], ["acme", "globex"])


def alternate(world: World, times: int) -> None:
    """Change one flag to and fro, so that old content comes again and again."""
    for _ in range(times):
        world.clock.advance(seconds=1)
        world.change(flag("new-checkout", on_for=ORGS[(world.head.sequence + 1) % 2]))


def verified(world: World, name: str = "fresh") -> object:
    """Have a client with an empty cache verify everything, and answer."""
    world.clock.advance(seconds=1)
    with world.client(f"{name}-{world.clock.now.timestamp()}") as client:
        outcome = client.refresh()
        assert outcome.reason is None, outcome.message
        return answer(client, org="globex")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Publish a dozen changes."""
    world = World(tmp_path)
    world.publish()
    alternate(world, 12)
    return world


def run(world: World, store: DirectoryStore | None = None, keep: int = 3) -> int:
    """Prune as the command does."""
    done = prune(store or world.directory, world.root, world.marks.read(), now=world.clock(), keep=keep)
    return done.removed


def test_old_versions_go_and_clients_old_and_new_notice_nothing(world: World) -> None:
    """A client that was away for all of it follows; one that begins verifies the whole history."""
    with world.client("away") as away:
        shutil.copytree(world.directory.path, world.path / "before")
        away.refresh()
        alternate(world, 3)
        before = set(world.directory.list(""))
        assert run(world) > 20
        left = set(world.directory.list(""))
        assert len(left) < len(before) / 2
        outcome = away.refresh()
        assert outcome.reason is None, outcome.message
    verified(world)
    snapshots = [name for name in left if name.endswith(".snapshot.json")]
    assert len(snapshots) == 3
    assert run(world) == 0, "what is left is needed"
    alternate(world, 1)
    verified(world)


def test_a_plan_writes_nothing_and_names_what_would_go(world: World) -> None:
    """Neither roots, nor top-level targets, nor what the newest snapshots lead to, nor anything that is not ours."""
    overwrite(world.directory, "metadata/README.txt", b"mine")
    overwrite(world.directory, "targets/notes/mine.json", b"mine")
    overwrite(world.directory, "flagseal-probe", b"x")
    before = {name: world.directory.get(name) for name in world.directory.list("")}
    found = plan(world.directory, world.root, Mark(), now=world.clock(), keep=3)
    assert {name: world.directory.get(name) for name in world.directory.list("")} == before
    assert found.kept + len(found.garbage) == len(before)
    assert not [name for name in found.garbage if "root" in name or ".targets.json" in name or "mine" in name]
    assert {"metadata/timestamp.json", "flagseal-probe", "metadata/README.txt"}.isdisjoint(found.garbage)
    current = metadata(world.directory, f"{found.version}.snapshot")["meta"]
    needed = {f"metadata/{meta['version']}.{name}" for name, meta in current.items()}
    assert needed.isdisjoint(found.garbage)


def test_another_publishers_files_that_nothing_names_yet_stay(world: World) -> None:
    """It may be about to name them: versions above those that are published."""
    version = world.publisher.publish(world.build(), world.entries).version
    ahead = [f"metadata/{version + 1}.snapshot.json", "metadata/999.ns-payments.json"]
    for name in ahead:
        overwrite(world.directory, name, b"{}")
    run(world)
    assert set(ahead) <= set(world.directory.list("metadata/"))


def test_what_does_not_verify_is_not_pruned(world: World, tmp_path: Path) -> None:
    """Behind the mark, damaged, or with nothing in it: whatever lies there may be all that is left."""
    before = world.directory.list("")
    with pytest.raises(SnapshotError) as refused:
        prune(world.directory, world.root, Mark(99, 99, 99), now=world.clock(), keep=3)
    assert refused.value.code == "StoreRolledBack"
    timestamp = world.directory.get("metadata/timestamp.json")
    assert timestamp is not None
    overwrite(world.directory, "metadata/timestamp.json", b"{}")
    with pytest.raises(SnapshotError) as refused:
        run(world)
    assert refused.value.code == "TimestampDamaged"
    overwrite(world.directory, "metadata/timestamp.json", timestamp.data)
    assert world.directory.list("") == before
    other = World(tmp_path / "other")
    with pytest.raises(SnapshotError) as refused:
        run(other)
    assert refused.value.code == "NothingPublished"


class Interrupted(DirectoryStore):
    """A store in which something happens before the n-th thing that pruning does, or the n-th that it removes."""

    def __init__(self, path: Path, at: int, happens: Callable[[], object], *, removals: bool = False) -> None:
        super().__init__(path)
        self.steps = 0
        self._at, self._happens, self._removals = at, happens, removals

    def _step(self, *, removal: bool = False) -> None:
        if self._removals and not removal:
            return
        self.steps += 1
        if self.steps == self._at:
            self._happens()

    def get(self, name: str, *, limit: int | None = None) -> Stored | None:
        """Read."""
        self._step()
        return super().get(name, limit=limit)

    def remove(self, name: str) -> None:
        """Remove."""
        self._step(removal=True)
        super().remove(name)

    def replace(self, name: str, data: bytes, *, if_match: str | None) -> str:
        """Replace."""
        self._step()
        # Inside, it reads under its lock, where nobody else can do anything.
        self._at, at = 0, self._at
        try:
            return super().replace(name, data, if_match=if_match)
        finally:
            self._at = at

    def put_new(self, name: str, data: bytes) -> None:
        """Create."""
        self._step()
        super().put_new(name, data)


def test_a_publication_at_any_moment_of_pruning_loses_nothing(tmp_path: Path) -> None:
    """It names old content again: what pruning has just removed, is removing, or is about to."""
    world = World(tmp_path / "world")
    world.publish()
    happened: list[int] = []
    restored: list[str] = []
    for at, removals in [
        *((step, False) for step in range(1, 100, 33)),
        *((number, True) for number in range(1, 24, 6)),
    ]:
        alternate(world, 2)

        def publish() -> None:
            alternate(world, 1)
            happened.append(world.head.sequence)

        store = Interrupted(world.directory.path, at, publish, removals=removals)
        restored += prune(store, world.root, world.marks.read(), now=world.clock(), keep=1).restored
        verified(world, f"{at}-{removals}")
    assert len(happened) > 4
    assert any("provenance.json" in name for name in restored), "some of it had to be put back"


def test_a_publisher_that_had_begun_before_begins_again(world: World) -> None:
    """It found its content there, and pruning took it away before it said so: its last write is refused."""
    pruned: list[int] = []

    class Slow(DirectoryStore):
        def replace(self, name: str, data: bytes, *, if_match: str | None) -> str:
            if not pruned:
                pruned.append(run(world, keep=1))
            return super().replace(name, data, if_match=if_match)

    slow: Store = Slow(world.directory.path)
    world.publisher = Publisher(slow, world.root, world.online, marks=world.marks, clock=world.clock)
    alternate(world, 1)
    assert pruned[0] > 20
    verified(world)


MOST_WRITES = 60


class Meeting(DirectoryStore):
    """A store in which something happens once, just before a publisher writes what names its files."""

    def __init__(self, path: Path, happens: Callable[[], None]) -> None:
        super().__init__(path)
        self._happens: Callable[[], None] | None = happens

    def put_new(self, name: str, data: bytes) -> None:
        """Create."""
        happens = self._happens if name.startswith("metadata/") else None
        if happens is not None:
            self._happens = None
            happens()
        super().put_new(name, data)


def killed(world: World, cut: int, *, torn: bool = False) -> bool:
    """Prune, and be killed at a write; say whether it came to that."""
    store = DyingPrunedStore(world.directory, Fuse(cut, torn=torn))
    try:
        prune(store, world.root, world.marks.read(), now=world.clock(), keep=1)
    except PowerCut:
        return True
    return False


def named(world: World) -> set[str]:
    """Name every target that the published snapshot leads to."""
    chain = read_live(world.directory, world.root, world.marks.read(), now=world.clock()).chain
    assert chain is not None
    files = [chain.target(path) for namespace in chain.namespaces for path in chain.paths(namespace)]
    return {target_name(file.path, file.hashes["sha256"]) for file in files if file is not None}


@pytest.mark.parametrize("torn", [False, True], ids=["not-done", "done-and-unheard"])
def test_pruning_that_was_killed_at_any_write_leaves_a_store_that_verifies(tmp_path: Path, torn: bool) -> None:
    """Each removal, and each change of the timestamp; a publisher goes on, and the next run does the rest."""
    world = World(tmp_path / "world")
    world.publish()
    alternate(world, 1)
    for cut in range(MOST_WRITES):
        died = killed(world, cut, torn=torn)
        verified(world, f"killed-{cut}")
        assert named(world) <= set(world.directory.list(""))
        if not died:
            assert cut > 3, "every write was cut at least once"
            return
        alternate(world, 1)
    pytest.fail("pruning never ends")


def test_pruning_that_was_killed_under_a_publisher_leaves_no_snapshot_without_its_files(tmp_path: Path) -> None:
    """It has written its files and nothing that names them: to pruning, they look like old ones."""
    for cut in range(MOST_WRITES):
        world = World(tmp_path / f"{cut}")
        world.publish()
        alternate(world, 1)
        died: list[bool] = []

        def die(world: World = world, cut: int = cut, died: list[bool] = died) -> None:
            died.append(killed(world, cut))

        slow = Meeting(world.directory.path, die)
        world.publisher = Publisher(slow, world.root, world.online, marks=world.marks, clock=world.clock)
        alternate(world, 1)
        verified(world)
        assert named(world) <= set(world.directory.list(""))
        if not died[0]:
            assert cut > 3, "every write was cut at least once"
            return
    pytest.fail("pruning never ends")


def test_what_a_killed_run_has_left_missing_the_next_one_puts_back(world: World) -> None:
    """Clients build it themselves; others fetch it."""
    wanted = next(name for name in sorted(named(world)) if name.endswith("flags.json"))
    stored = world.directory.get(wanted)
    assert stored is not None
    world.directory.remove(wanted)
    done = prune(world.directory, world.root, world.marks.read(), now=world.clock(), keep=3)
    assert wanted in done.restored
    assert world.directory.get(wanted) == stored


def test_no_number_of_batches_makes_the_timestamp_again_what_a_publisher_has_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that stalled for all of them would otherwise go on, and name what is gone; clients notice nothing."""
    seen: list[bytes] = []

    class Watched(DirectoryStore):
        def replace(self, name: str, data: bytes, *, if_match: str | None) -> str:
            seen.append(data)
            return super().replace(name, data, if_match=if_match)

    before = world.directory.get("metadata/timestamp.json")
    assert before is not None
    monkeypatch.setattr("flagseal.snapshot.prune._BATCH", 1)
    for number in range(70):
        overwrite(world.directory, f"targets/notes/{number:064x}.json", b"old")
    assert run(world, Watched(world.directory.path), keep=1) > 70
    assert len({before.data, *seen}) == len(seen) + 1 > 71
    assert max(map(len, seen)) < len(before.data) + 16, "readers fetch it every second"
    verified(world)


@pytest.mark.parametrize("breaks", [0, 1, 2, 5, 63], ids=str)
def test_closing_goes_on_from_the_line_breaks_of_earlier_versions(world: World, breaks: int) -> None:
    """A store may have been pruned by one of them just before."""
    stored = world.directory.get("metadata/timestamp.json")
    assert stored is not None
    overwrite(world.directory, "metadata/timestamp.json", stored.data + b"\n" * breaks)
    seen = {stored.data + b"\n" * breaks}
    for _ in range(100):
        etag = closed(world.directory)
        after = world.directory.get("metadata/timestamp.json")
        assert after is not None
        assert after.etag == etag
        assert after.data not in seen
        assert after.data.startswith(stored.data)
        assert not after.data.removeprefix(stored.data).strip()
        seen.add(after.data)
    verified(world)


def closed(store: DirectoryStore) -> str | None:
    """Close as after a batch."""
    stored = store.get("metadata/timestamp.json")
    return _closed(store, stored.etag if stored is not None else None)
