"""The S3 server, once a session, and a place of its own in its bucket for each test."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from flagseal.snapshot.objects import ObjectStore
from flagseal.snapshot.stores import Bucket, open_store
from tests.store.faults import bad_network
from tests.store.server import credentials, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flagseal.snapshot.store import Store
    from tests.store.faults import Proxy
    from tests.store.server import S3Server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Run a real S3 server."""
    with running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def prefix() -> str:
    """Give a place in the bucket that nobody used before."""
    return f"{secrets.token_hex(6)}/production"


@pytest.fixture
def as_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the credentials of one who may write into the environment."""
    for name, value in credentials().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def objects(s3: S3Server, prefix: str, as_writer: None) -> Store:
    """Give an empty object store."""
    del as_writer
    return open_store(s3.url(prefix))


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[Proxy]:
    """Put a bad network before the server."""
    with bad_network(s3.endpoint) as it:
        yield it


@pytest.fixture
def through(s3: S3Server, prefix: str, proxy: Proxy, as_writer: None) -> Callable[[float], ObjectStore]:
    """Open the same store by way of the bad network, with so many seconds for each request."""
    del as_writer

    def opened(seconds: float = 60.0) -> ObjectStore:
        bucket = Bucket.parse(s3.url(prefix, proxy.endpoint)).settled()
        return ObjectStore.of(bucket, attempt=timedelta(seconds=seconds))

    return opened
