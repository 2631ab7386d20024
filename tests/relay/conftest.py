"""A running relay for every test that asks one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from flagseal_relay.serve import serve
from tests.relay.harness import MemorySource, make_relay, view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_relay.relay import Relay
    from flagseal_relay.serve import Server


@dataclass(frozen=True)
class Asked:
    """A relay, what feeds it, and a client that asks it."""

    relay: Relay
    source: MemorySource
    server: Server
    client: httpx.Client

    def one(self, key: str, body: bytes = b"{}", **headers: str) -> httpx.Response:
        """Ask for one flag."""
        return self.client.post(f"/ofrep/v1/evaluate/flags/{key}", content=body, headers=headers)

    def bulk(self, body: bytes = b"{}", **headers: str) -> httpx.Response:
        """Ask for all flags."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/ofrep/v1/evaluate/flags", content=body, headers=named)


def asking(source: MemorySource) -> Iterator[Asked]:
    """Run a relay until the test is over."""
    relay = make_relay(source)
    with serve(relay, port=0) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        if source.coming is not None:
            assert relay.wait_until_ready(60)
        yield Asked(relay, source, server, client)


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    """Serve the flags of the harness; shared, so tests leave it as it is."""
    yield from asking(MemorySource(view()))


@pytest.fixture
def own() -> Iterator[Asked]:
    """Serve the flags of the harness to one test that changes them."""
    yield from asking(MemorySource(view()))
