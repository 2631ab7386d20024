"""Sources: the same files from a disk and over HTTP, and servers that do not behave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tuf.api.exceptions import DownloadError, DownloadHTTPError, DownloadLengthMismatchError, SlowRetrievalError

from flagseal.model.errors import SnapshotError, UsageError
from flagseal.snapshot.source import HttpSource, StoreSource, open_source
from flagseal.snapshot.store import DirectoryStore, TooLarge
from tests.snapshot.webserver import serve

if TYPE_CHECKING:
    from pathlib import Path

NAME = "metadata/timestamp.json"


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """Give a store with one file."""
    store = DirectoryStore(tmp_path)
    store.put_new(NAME, b"0123456789")
    return store


def test_disk_and_http_give_the_same(store: DirectoryStore) -> None:
    """Bytes, count, and the name asked for last."""
    with serve(store) as served:
        for source in (StoreSource(store), HttpSource(served.url)):
            assert source.download_bytes(f"{source.base}{NAME}", 10) == b"0123456789"
            assert (source.received, source.last) == (10, NAME)
            with pytest.raises(DownloadHTTPError) as missing:
                source.download_bytes(f"{source.base}metadata/2.root.json", 10)
            assert missing.value.status_code == 404
            with pytest.raises(DownloadLengthMismatchError):
                source.download_bytes(f"{source.base}{NAME}", 9)


def test_one_connection_serves_many_files(store: DirectoryStore) -> None:
    """Polling does not pay for a handshake each time."""
    with serve(store) as served:
        source = HttpSource(served.url, headers={"Authorization": "Bearer t"})
        for _ in range(5):
            source.download_bytes(f"{source.base}{NAME}", 10)
        assert source._pool.connection_from_url(served.url).num_connections == 1
        assert {headers["Authorization"] for headers in served.headers} == {"Bearer t"}


def test_a_server_that_never_ends_is_cut_off(store: DirectoryStore) -> None:
    """Not one chunk more than the client can want is read."""
    with serve(store) as served:
        served.endless = True
        source = HttpSource(served.url)
        with pytest.raises(DownloadLengthMismatchError):
            source.download_bytes(f"{source.base}{NAME}", 100_000)
        assert source.received < 300_000


def test_a_server_that_drips_is_given_up(store: DirectoryStore) -> None:
    """Each byte comes in time, and the file does not."""
    with serve(store) as served:
        served.drip_seconds = 0.05
        source = HttpSource(served.url, gap_seconds=5, whole_seconds=0.15)
        with pytest.raises(SlowRetrievalError):
            source.download_bytes(f"{source.base}{NAME}", 10)


def test_a_server_that_is_silent_is_given_up(store: DirectoryStore) -> None:
    """The gap counts, not the whole."""
    with serve(store) as served:
        served.drip_seconds = 2
        source = HttpSource(served.url, gap_seconds=0.1)
        with pytest.raises(SlowRetrievalError):
            source.download_bytes(f"{source.base}{NAME}", 10)


@pytest.mark.parametrize("status", [500, 503, 429, 401])
def test_an_error_of_the_server_is_no_missing_file(store: DirectoryStore, status: int) -> None:
    """Only "not there" may end the search for newer roots."""
    with serve(store) as served:
        served.status = status
        source = HttpSource(served.url)
        with pytest.raises(DownloadHTTPError) as failed:
            source.download_bytes(f"{source.base}{NAME}", 10)
        assert failed.value.status_code == status
        with pytest.raises(SnapshotError) as refused:
            source.get(NAME)
        assert refused.value.code == "Unreachable"


def test_nobody_there_is_unreachable() -> None:
    """A closed port is a download error, and a snapshot error for readers."""
    source = HttpSource("http://127.0.0.1:9", gap_seconds=0.5)
    with pytest.raises(DownloadError):
        source.download_bytes(f"{source.base}{NAME}", 10)
    with pytest.raises(SnapshotError) as refused:
        source.get(NAME)
    assert refused.value.code == "Unreachable"


def test_a_url_reads_like_a_store(store: DirectoryStore) -> None:
    """Present, missing and too large."""
    with serve(store) as served:
        source = HttpSource(served.url)
        assert source.get(NAME) == store.get(NAME)
        assert source.get("metadata/9.root.json") is None
        with pytest.raises(TooLarge):
            source.get(NAME, limit=3)
        with pytest.raises(SnapshotError):
            source.get("../secret")


def test_what_is_no_url_is_refused() -> None:
    """Before anything is asked."""
    for text in ("", "store", "ftp://x/y", "file:///etc", "http://"):
        with pytest.raises(UsageError):
            open_source(text)
