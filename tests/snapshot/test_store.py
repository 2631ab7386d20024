"""The directory store: what is written is whole, and nobody overwrites what they have not read."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.store import AlreadyExists, Conflict, DirectoryStore, TooLarge, check_name, etag_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """Give an empty store."""
    return DirectoryStore(tmp_path / "store")


def test_what_was_put_is_there(store: DirectoryStore) -> None:
    """Bytes and tag come back as written."""
    store.put_new("targets/payments/1.flags.json", b"on")
    stored = store.get("targets/payments/1.flags.json")
    assert stored is not None
    assert (stored.data, stored.etag) == (b"on", etag_of(b"on"))


def test_a_missing_name_is_none(store: DirectoryStore) -> None:
    """Neither a missing file nor a file in the place of a folder is an error."""
    assert store.get("metadata/timestamp.json") is None
    store.put_new("metadata", b"a file")
    assert store.get("metadata/timestamp.json") is None


def test_a_name_is_created_once(store: DirectoryStore) -> None:
    """The second creation fails and leaves the first."""
    store.put_new("metadata/1.snapshot.json", b"first")
    with pytest.raises(AlreadyExists):
        store.put_new("metadata/1.snapshot.json", b"second")
    stored = store.get("metadata/1.snapshot.json")
    assert stored is not None
    assert stored.data == b"first"


def test_of_many_who_create_one_name_one_wins(store: DirectoryStore) -> None:
    """Whoever creates N owns N, also when sixteen try at once."""
    won: list[int] = []
    start = threading.Barrier(16)

    def create(who: int) -> None:
        start.wait()
        try:
            store.put_new("metadata/7.snapshot.json", b"%d" % who)
        except AlreadyExists:
            return
        won.append(who)

    threads = [threading.Thread(target=create, args=(who,)) for who in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = store.get("metadata/7.snapshot.json")
    assert stored is not None
    assert [stored.data] == [b"%d" % who for who in won]


def test_replacing_needs_the_tag_that_was_read(store: DirectoryStore) -> None:
    """A tag from before somebody else's write is refused."""
    first = store.replace("metadata/timestamp.json", b"1", if_match=None)
    second = store.replace("metadata/timestamp.json", b"2", if_match=first)
    with pytest.raises(Conflict):
        store.replace("metadata/timestamp.json", b"3", if_match=first)
    with pytest.raises(Conflict):
        store.replace("metadata/timestamp.json", b"3", if_match=None)
    stored = store.get("metadata/timestamp.json")
    assert stored is not None
    assert (stored.data, stored.etag) == (b"2", second)


def test_of_many_who_replace_one_version_one_wins(store: DirectoryStore) -> None:
    """Conditional replacement is atomic between threads with stores of their own."""
    first = store.replace("metadata/timestamp.json", b"0", if_match=None)
    won: list[int] = []
    start = threading.Barrier(8)

    def replace(who: int) -> None:
        mine = DirectoryStore(store.path)
        start.wait()
        try:
            mine.replace("metadata/timestamp.json", b"%d" % who, if_match=first)
        except Conflict:
            return
        won.append(who)

    threads = [threading.Thread(target=replace, args=(who,)) for who in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_listing_names_what_begins_so(store: DirectoryStore) -> None:
    """The store's own files are not listed."""
    for name in ("metadata/1.root.json", "metadata/1.targets.json", "targets/a/x.json", "metadata2"):
        store.put_new(name, b"")
    store.replace("metadata/timestamp.json", b"", if_match=None)
    assert store.list("metadata/") == ("metadata/1.root.json", "metadata/1.targets.json", "metadata/timestamp.json")
    assert store.list("metadata/1.r") == ("metadata/1.root.json",)
    assert len(store.list("")) == 5


@pytest.mark.parametrize(
    "name",
    [
        *("", "/etc/passwd", "../x", "metadata/../../x", "metadata//x", "metadata/", ".lock", "a/.hidden"),
        *("a\x00b", "a b", "ns-ü.json", "x" * 201, "/".join(["x" * 100] * 6)),
    ],
)
def test_a_name_cannot_leave_the_store(store: DirectoryStore, name: str) -> None:
    """Reading and writing refuse it alike."""
    with pytest.raises(SnapshotError, match="not a name"):
        store.get(name)
    with pytest.raises(SnapshotError, match="not a name"):
        store.put_new(name, b"")
    with pytest.raises(SnapshotError, match="not a name"):
        store.replace(name, b"", if_match=None)


@given(st.text(max_size=40))
def test_whatever_passes_as_a_name_stays_inside(name: str) -> None:
    """No accepted name has a segment that a file system reads as another folder."""
    try:
        check_name(name)
    except SnapshotError:
        return
    assert os.path.normpath(f"/store/{name}") == f"/store/{name}"


def test_more_than_is_wanted_is_not_read(store: DirectoryStore) -> None:
    """The limit itself is still fine."""
    store.put_new("targets/x.json", b"12345")
    assert store.get("targets/x.json", limit=5) is not None
    with pytest.raises(TooLarge):
        store.get("targets/x.json", limit=4)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "StoreFull"),
        (errno.EDQUOT, "StoreFull"),
        (errno.EROFS, "StoreClosed"),
        (errno.EIO, "StoreUnusable"),
    ],
)
def test_a_disk_that_fails_leaves_the_old_content_and_a_remedy(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    """Full, read-only or broken: the error names the file and what to do, and nothing half-written stays."""
    etag = store.replace("metadata/timestamp.json", b"old", if_match=None)

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(SnapshotError) as replaced:
        store.replace("metadata/timestamp.json", b"new", if_match=etag)
    with pytest.raises(SnapshotError) as created:
        store.put_new("metadata/9.snapshot.json", b"new")
    monkeypatch.undo()
    assert {replaced.value.code, created.value.code} == {code}
    assert "timestamp.json" in replaced.value.message
    assert replaced.value.remedy
    stored = store.get("metadata/timestamp.json")
    assert stored is not None
    assert stored.data == b"old"
    assert store.get("metadata/9.snapshot.json") is None
    assert list((store.path / ".staging").iterdir()) == []


def test_leftovers_of_a_killed_writer_are_swept(store: DirectoryStore) -> None:
    """Old ones go; a young one may be another process at work."""
    store.put_new("a", b"")
    old, young = store.path / ".staging" / "old", store.path / ".staging" / "young"
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (0, 0))
    DirectoryStore(store.path).put_new("b", b"")
    assert not old.exists()
    assert young.exists()
