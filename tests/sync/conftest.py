"""A relay whose sync protocol is asked over real gRPC, with the messages of a flagd provider's own generated code."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2, sync_pb2_grpc

from flagseal_relay.serve import serve
from flagseal_relay.sync.server import SyncServer
from tests.relay.harness import FLAGS, MemoryNamespace, MemorySource, MemoryView, make_relay

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flagseal_relay.relay import Relay

SEARCH: dict[str, Any] = {
    "ranker": {"state": "ENABLED", "variants": {"old": "bm25", "new": "vector"}, "defaultVariant": "old"},
}


@dataclass
class Asked:
    """A relay that is synced from, and what feeds it."""

    relay: Relay
    source: MemorySource
    server: SyncServer
    channel: grpc.Channel

    @property
    def stub(self) -> sync_pb2_grpc.FlagSyncServiceStub:
        """The service, as a provider calls it."""
        return sync_pb2_grpc.FlagSyncServiceStub(self.channel)

    def serve(self, **namespaces: Mapping[str, Any]) -> None:
        """Have the relay take up a newer snapshot with these namespaces."""
        version = 1 if self.source.coming is None else self.source.coming.version + 1
        self.source.coming = company(version, **namespaces)
        self.relay.notify()

    def stream(self, selector: str = "", header: str | None = None) -> Stream:
        """Open a stream."""
        request = sync_pb2.SyncFlagsRequest(provider_id="test", selector=selector)
        metadata = None if header is None else (("flagd-selector", header),)
        return Stream(self.stub.SyncFlags(request, metadata=metadata, timeout=300))

    def fetch(self, selector: str = "", header: str | None = None) -> str:
        """Ask once."""
        request = sync_pb2.FetchAllFlagsRequest(provider_id="test", selector=selector)
        metadata = None if header is None else (("flagd-selector", header),)
        answer = self.stub.FetchAllFlags(request, metadata=metadata, timeout=300)
        return str(answer.flag_configuration)

    def published(self, namespace: str) -> str:
        """The document of a namespace as it was published."""
        assert self.source.current is not None
        return self.source.current.namespaces[namespace].flags.decode()


class Stream:
    """Documents as they come."""

    def __init__(self, call: Any) -> None:  # noqa: ANN401 (gRPC's stubs say no more)
        self.call = call

    def text(self) -> str:
        """The next document."""
        return str(next(self.call).flag_configuration)

    def document(self) -> dict[str, Any]:
        """The next document, read."""
        read = json.loads(self.text())
        assert isinstance(read, dict)
        return read

    def flags(self) -> set[str]:
        """The keys of the next document."""
        return set(self.document()["flags"])


def company(version: int = 1, **namespaces: Mapping[str, Any]) -> MemoryView:
    """Give a snapshot with these namespaces; payments and search if none is named."""
    named = namespaces or {"payments": FLAGS, "search": SEARCH}
    made = {name: MemoryNamespace.of(flags, name) for name, flags in named.items()}
    return MemoryView(made, version=version, sequence=version)


@contextmanager
def asking(source: MemorySource, *, limit: int = 256, patience: float = 10.0) -> Iterator[Asked]:
    """Run a relay, and what is synced from it."""
    relay = make_relay(source)
    with serve(relay, port=0), syncing(relay, source, limit=limit, patience=patience) as asked:
        if source.coming is not None:
            assert relay.wait_until_ready(60)
        yield asked


@contextmanager
def syncing(
    relay: Relay, source: MemorySource | None = None, *, limit: int = 256, patience: float = 10.0
) -> Iterator[Asked]:
    """Let a relay that runs be synced from."""
    with (
        SyncServer(port=0, limit=limit, patience=patience) as sync,
        grpc.insecure_channel(sync.address) as channel,
    ):
        sync.start(relay)
        yield Asked(relay, source or MemorySource(), sync, channel)


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    """Serve two namespaces; shared, so tests leave it as it is."""
    with asking(MemorySource(company())) as running:
        yield running


@pytest.fixture
def own() -> Iterator[Asked]:
    """Serve two namespaces to one test that changes them."""
    with asking(MemorySource(company())) as running:
        yield running
