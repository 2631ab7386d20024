"""The TUF repository's files, given out as they are, and nothing else of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.store import DirectoryStore
from flagseal_relay.serve import serve
from tests.relay.harness import MemorySource, make_relay, view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_relay.source import StoredFile

DIGEST = "ab" * 32


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Serve a directory with a secret beside it; shared, as nothing can be written."""
    tmp_path = tmp_path_factory.mktemp("served")
    (tmp_path / "secret.json").write_text("secret")
    store = DirectoryStore(tmp_path / "store")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "secret.json").write_text("secret")
    store.put_new("metadata/timestamp.json", b"{}")
    store.put_new("metadata/3.ns-payments.json", b'{"a": 1}')
    store.put_new(f"targets/payments/{DIGEST}.flags.json", b"flags")
    store.put_new(f"targets/_repository/history/{DIGEST}.0.jsonl", b"{}\n")
    relay = make_relay(MemorySource(view()), files=store)
    with serve(relay, port=0) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "data", "fixed"),
    [
        ("metadata/timestamp.json", b"{}", False),
        ("metadata/3.ns-payments.json", b'{"a": 1}', True),
        (f"targets/payments/{DIGEST}.flags.json", b"flags", True),
        (f"targets/_repository/history/{DIGEST}.0.jsonl", b"{}\n", True),
    ],
)
def test_files_are_given_out_byte_for_byte(client: httpx.Client, path: str, data: bytes, fixed: bool) -> None:
    """A name with a version or digest in it may be kept for ever; the timestamp is always asked for anew."""
    answer = client.get(f"/tuf/{path}")
    assert (answer.status_code, answer.content) == (200, data)
    assert ("immutable" in answer.headers["cache-control"]) == fixed


@pytest.mark.parametrize(
    "path",
    [
        "metadata/snapshot.json",
        "metadata/..%2f..%2fsecret.json",
        "metadata/..%2fsecret.json",
        "metadata/%2e%2e/secret.json",
        "metadata/.lock",
        "metadata/timestamp.json%00",
        "metadata/timestamp.json%0a",
        "metadata//timestamp.json",
        "metadata/",
        "targets/../secret.json",
        "targets/..%2fsecret.json",
        "targets/%2e%2e/%2e%2e/secret.json",
        "targets//etc/passwd",
        "targets/%2fetc%2fpasswd",
        "targets/a/b/c/d/e",
        "targets/",
        "secret.json",
        "",
    ],
)
def test_nothing_else_is_given_out(client: httpx.Client, path: str) -> None:
    """Names are matched against what the layout knows before any store sees them."""
    url = httpx.URL(str(client.base_url)).copy_with(raw_path=f"/tuf/{path}".encode())
    answer = client.get(url)
    assert answer.status_code == 404
    assert b"secret" not in answer.content


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_written(client: httpx.Client, method: str) -> None:
    """Read-only."""
    assert client.request(method, "/tuf/metadata/timestamp.json").status_code == 405


def test_a_store_that_cannot_be_read_is_not_our_fault() -> None:
    """503, and why."""

    class Broken:
        def get(self, name: str) -> StoredFile | None:
            raise SnapshotError(f"{name}: the disk is gone")

    with serve(make_relay(MemorySource(view()), files=Broken()), port=0) as server:
        answer = httpx.get(f"{server.url}/tuf/metadata/timestamp.json", timeout=60)
        assert answer.status_code == 503
        assert answer.json()["errorDetails"]


def test_a_relay_without_files_gives_none(own_relay_url: str) -> None:
    """They are optional."""
    assert httpx.get(f"{own_relay_url}/tuf/metadata/timestamp.json", timeout=60).status_code == 404


@pytest.fixture
def own_relay_url() -> Iterator[str]:
    """Serve without a store."""
    with serve(make_relay(MemorySource(view())), port=0) as server:
        yield server.url
