"""The object store keeps the promises that the directory keeps; asked of a real S3 server."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.objects import PROBE
from flagseal.snapshot.store import AlreadyExists, Conflict, TooLarge
from flagseal.snapshot.stores import open_store
from tests.store.server import READER, credentials

if TYPE_CHECKING:
    from flagseal.snapshot.store import Store
    from tests.store.server import S3Server


def test_what_was_put_is_there_under_a_tag_that_changes_with_it(objects: Store) -> None:
    """Empty objects, large ones and names with a percent sign included."""
    large = bytes(range(256)) * 30_000
    for name, data in (("metadata/1.ns-a%2Fb.json", b"{}"), ("targets/empty", b""), ("targets/large", large)):
        objects.put_new(name, data)
        stored = objects.get(name)
        assert stored is not None
        assert stored.data == data
    tag = objects.replace("metadata/timestamp.json", b"1", if_match=None)
    stored = objects.get("metadata/timestamp.json")
    assert stored is not None
    assert stored.etag == tag
    assert objects.replace("metadata/timestamp.json", b"2", if_match=tag) != tag


def test_a_missing_name_is_none(objects: Store) -> None:
    """Also where a longer name begins like it."""
    objects.put_new("metadata/timestamp.json", b"x")
    assert objects.get("metadata") is None
    assert objects.get("metadata/timestamp.jso") is None


def test_a_name_is_created_once(objects: Store) -> None:
    """The second creation fails and leaves the first, even with the same content."""
    objects.put_new("metadata/1.snapshot.json", b"first")
    for data in (b"second", b"first"):
        with pytest.raises(AlreadyExists):
            objects.put_new("metadata/1.snapshot.json", data)
    stored = objects.get("metadata/1.snapshot.json")
    assert stored is not None
    assert stored.data == b"first"


def test_replacing_needs_the_tag_that_was_read(objects: Store) -> None:
    """Neither an old tag, nor none, nor one of what was never there will do."""
    first = objects.replace("metadata/timestamp.json", b"1", if_match=None)
    second = objects.replace("metadata/timestamp.json", b"2", if_match=first)
    for tag in (first, None, '"something else"'):
        with pytest.raises(Conflict):
            objects.replace("metadata/timestamp.json", b"3", if_match=tag)
    with pytest.raises(Conflict):
        objects.replace("metadata/other.json", b"3", if_match=second)
    stored = objects.get("metadata/timestamp.json")
    assert stored is not None
    assert (stored.data, stored.etag) == (b"2", second)


def test_of_many_who_create_or_replace_one_wins(s3: S3Server, prefix: str, objects: Store) -> None:
    """Each with a store of its own, all at once."""
    tag = objects.replace("metadata/timestamp.json", b"0", if_match=None)
    created: list[int] = []
    replaced: list[int] = []
    start = threading.Barrier(4)

    def race(who: int) -> None:
        mine = open_store(s3.url(prefix))
        start.wait()
        try:
            mine.put_new("metadata/7.snapshot.json", b"%d" % who)
            created.append(who)
        except AlreadyExists:
            pass
        try:
            mine.replace("metadata/timestamp.json", b"%d" % who, if_match=tag)
            replaced.append(who)
        except Conflict:
            pass

    threads = [threading.Thread(target=race, args=(who,)) for who in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    snapshot, timestamp = objects.get("metadata/7.snapshot.json"), objects.get("metadata/timestamp.json")
    assert snapshot is not None
    assert timestamp is not None
    assert [b"%d" % who for who in created] == [snapshot.data]
    assert [b"%d" % who for who in replaced] == [timestamp.data]


def test_listing_names_what_begins_so(objects: Store) -> None:
    """By the beginning of the name, not by folders."""
    names = ("metadata/1.root.json", "metadata/1.targets.json", "metadata2", "targets/a/x.json")
    for name in names:
        objects.put_new(name, b"")
    assert objects.list("metadata/") == names[:2]
    assert objects.list("metadata/1.r") == names[:1]
    assert objects.list("meta") == names[:3]
    assert objects.list("nothing/") == ()
    assert set(objects.list("")) == {*names, PROBE}


def test_more_than_is_wanted_is_not_read(objects: Store) -> None:
    """The limit itself is still fine."""
    objects.put_new("targets/x.json", b"12345")
    assert objects.get("targets/x.json", limit=5) is not None
    with pytest.raises(TooLarge):
        objects.get("targets/x.json", limit=4)


@pytest.mark.parametrize("name", ["", "/x", "../x", "a//b", ".hidden", "a b", "x" * 201])
def test_a_name_cannot_leave_the_prefix(objects: Store, name: str) -> None:
    """Reading and writing refuse it alike."""
    for use in (
        lambda: objects.get(name),
        lambda: objects.put_new(name, b""),
        lambda: objects.replace(name, b"", if_match=None),
    ):
        with pytest.raises(SnapshotError, match="not a name"):
            use()


def test_two_prefixes_of_one_bucket_do_not_see_each_other(s3: S3Server, prefix: str, objects: Store) -> None:
    """Environments may share a bucket."""
    other = open_store(s3.url(f"{prefix}-2"))
    objects.put_new("metadata/1.root.json", b"one")
    other.put_new("metadata/1.root.json", b"two")
    assert objects.list("metadata/") == other.list("metadata/") == ("metadata/1.root.json",)


def test_who_may_only_read_reads_and_is_told_why_writing_fails(
    s3: S3Server, prefix: str, objects: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay needs no more; a publisher hears which permissions are missing."""
    objects.put_new("metadata/1.root.json", b"root")
    for name, value in credentials(READER).items():
        monkeypatch.setenv(name, value)
    reading = open_store(s3.url(prefix))
    assert reading.get("metadata/1.root.json") is not None
    assert reading.list("metadata/") == ("metadata/1.root.json",)
    with pytest.raises(SnapshotError) as refused:
        reading.put_new("metadata/2.root.json", b"")
    assert refused.value.code == "StoreClosed"
    assert "s3:PutObject" in refused.value.remedy


@pytest.mark.parametrize(
    ("pair", "code"),
    [(("nobody", "secret-of-nobody"), "InvalidAccessKeyId"), ((READER[0], "wrong-secret"), "SignatureDoesNotMatch")],
)
def test_wrong_credentials_are_said_to_be_so_and_never_printed(
    s3: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch, pair: tuple[str, str], code: str
) -> None:
    """The server's own word for it, and nothing of the secret."""
    for name, value in credentials(pair).items():
        monkeypatch.setenv(name, value)
    store = open_store(s3.url(prefix))
    for use in (lambda: store.get("x"), lambda: store.list("metadata/"), lambda: store.put_new("x", b"")):
        with pytest.raises(SnapshotError) as refused:
            use()
        assert refused.value.code == "StoreClosed"
        assert code in refused.value.message
        assert pair[1] not in f"{refused.value!r} {refused.value.message} {refused.value.remedy} {store!r}"


def test_a_server_that_is_not_there_is_said_to_be_so(
    prefix: str, monkeypatch: pytest.MonkeyPatch, as_writer: None
) -> None:
    """Not taken for a store that is empty."""
    del as_writer
    monkeypatch.setattr("flagseal.snapshot.objects._WAITS", (0.0,))
    store = open_store(f"s3://flags/{prefix}?endpoint=http://127.0.0.1:9")
    with pytest.raises(SnapshotError) as refused:
        store.get("metadata/timestamp.json")
    assert (refused.value.code, "connection failed" in refused.value.message) == ("StoreUnusable", True)


def test_a_bucket_that_is_not_there_is_not_an_empty_one(s3: S3Server, as_writer: None) -> None:
    """A mistyped bucket must not look like a store that lost everything."""
    del as_writer
    with pytest.raises(SnapshotError) as refused:
        open_store(s3.url("x").replace("//flags/", "//no-such-bucket/")).get("metadata/timestamp.json")
    assert refused.value.code == "StoreUnusable"
    assert "NoSuchBucket" in refused.value.message
