"""Streams: what they send and when, how many there may be, and how they end."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2

from flagseal_relay.serve import serve
from flagseal_relay.sync.server import SyncServer
from tests.ports import free_ports
from tests.relay.harness import FLAGS, MemorySource, make_relay
from tests.relay.test_refreshing import eventually
from tests.sync.conftest import SEARCH, Asked, Stream, asking, company

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def subscribers(asked: Asked) -> int:
    """Count the open streams."""
    return asked.relay.metrics.sync_subscribers.count


def test_each_new_snapshot_reaches_every_stream(own: Asked) -> None:
    """Whoever listens to all, and whoever listens to the namespace that changed."""
    everything, payments = own.stream(), own.stream("payments")
    assert {"static", "ranker"} <= everything.flags()
    assert "static" in payments.flags()
    own.serve(payments={"only": FLAGS["static"]}, search=SEARCH)
    assert everything.flags() == {"only", "ranker"}
    assert payments.flags() == {"only"}
    assert payments.call.is_active()


def test_a_stream_is_silent_while_its_namespace_stays_as_it_is(own: Asked) -> None:
    """It says the next thing that differs, and nothing between."""
    search = own.stream("search")
    search.text()
    for number in range(3):
        own.serve(payments={f"flag-{number}": FLAGS["static"]}, search=SEARCH)
        eventually(lambda wanted=number: f"flag-{wanted}" in own.fetch())  # type: ignore[misc]
    own.serve(payments=FLAGS, search={"last": FLAGS["static"]})
    assert search.flags() == {"last"}


def test_a_namespace_that_goes_away_takes_its_flags_along(own: Asked) -> None:
    """A client that kept the last document would serve what is no longer approved; and it may come back."""
    payments = own.stream("flagSetId=payments")
    payments.text()
    own.serve(search=SEARCH)
    assert payments.document() == {"flags": {}, "metadata": {"environment": "production", "flagSetId": "payments"}}
    with pytest.raises(grpc.RpcError) as refused:
        own.fetch("payments")
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    own.serve(payments={"again": FLAGS["static"]})
    assert payments.flags() == {"again"}


def test_until_a_snapshot_is_verified_calls_are_asked_to_come_back() -> None:
    """With the status that providers retry, and the reason."""
    source = MemorySource()
    source.failure = "no-root"
    with asking(source) as asked:
        eventually(lambda: asked.relay.refusal == "no-root")
        calls: tuple[Callable[[], str], ...] = (asked.fetch, lambda: asked.stream().text())
        for call in calls:
            with pytest.raises(grpc.RpcError) as refused:
                call()
            assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
            assert "no-root" in str(refused.value.details())
        source.failure = None
        asked.serve(search=SEARCH)
        assert asked.relay.wait_until_ready(60)
        assert asked.stream().flags() == {"ranker"}


def test_a_slow_client_finds_the_newest_and_not_a_queue(own: Asked) -> None:
    """What it missed is nothing it needs."""
    stream = own.stream("payments")
    stream.text()
    big = {"state": "ENABLED", "variants": {"on": "x" * 1_000_000}, "defaultVariant": "on"}
    for number in range(30):
        own.serve(payments={f"flag-{number}": big})
        eventually(lambda wanted=number: f"flag-{wanted}" in own.fetch("payments"))  # type: ignore[misc]
    seen = []
    while "flag-29" not in seen:
        seen += sorted(stream.flags())
    assert len(seen) < 30


def test_a_client_that_does_not_read_is_dropped() -> None:
    """It would hold a thread and a document for ever; the others are served meanwhile."""
    big = {"state": "ENABLED", "variants": {"on": "x" * 3_000_000}, "defaultVariant": "on"}
    with asking(MemorySource(company(payments={"flag-0": big})), patience=1.5) as asked:
        idle = asked.stream()
        idle.text()
        for number in range(1, 40):
            asked.serve(payments={f"flag-{number}": big})
            eventually(lambda wanted=number: f"flag-{wanted}" in asked.fetch())  # type: ignore[misc]
            if asked.relay.metrics.dropped_sync_subscribers.count:
                break
            time.sleep(0.05)
        eventually(lambda: asked.relay.metrics.dropped_sync_subscribers.count == 1)
        eventually(lambda: subscribers(asked) == 0)
        with pytest.raises(grpc.RpcError) as dropped:
            for _ in idle.call:
                pass
        assert dropped.value.code() == grpc.StatusCode.CANCELLED
        assert asked.stream().flags() == {f"flag-{number}"}


def test_there_is_room_for_so_many_streams_and_others_are_told() -> None:
    """Each takes a thread. Calls that are no streams still find one, and a stream that ends makes room."""
    with asking(MemorySource(company()), limit=3) as asked:
        held = [asked.stream() for _ in range(3)]
        for stream in held:
            stream.text()
        assert subscribers(asked) == 3
        with pytest.raises(grpc.RpcError) as refused:
            asked.stream().text()
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert asked.relay.metrics.turned_away_sync_subscribers.count == 1
        assert asked.fetch("search") == asked.published("search")
        held[0].call.cancel()
        eventually(lambda: subscribers(asked) == 2)
        assert asked.stream("search").flags() == {"ranker"}


def test_many_streams_hear_of_a_change() -> None:
    """A hundred of them, over connections of their own."""

    def heard(asked: Asked) -> set[str]:
        with grpc.insecure_channel(asked.server.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            stream = Stream(Asked(asked.relay, asked.source, asked.server, channel).stub.SyncFlags(
                sync_pb2.SyncFlagsRequest(selector="search"), timeout=120
            ))  # fmt: skip
            return stream.flags() | stream.flags()

    with asking(MemorySource(company())) as asked, ThreadPoolExecutor(100) as pool:
        listening = [pool.submit(heard, asked) for _ in range(100)]
        eventually(lambda: subscribers(asked) == 100)
        asked.serve(search={"news": FLAGS["static"]})
        assert {frozenset(one.result(120)) for one in listening} == {frozenset({"ranker", "news"})}
        eventually(lambda: subscribers(asked) == 0)


def test_stopping_ends_streams_in_order_and_frees_the_port() -> None:
    """Clients are told at once to come back, to whoever listens next; stopping twice is stopping once."""
    relay = make_relay(MemorySource(company()))
    with serve(relay, port=0):
        assert relay.wait_until_ready(60)
        first = SyncServer(port=free_ports(1)[0])
        first.start(relay)
        with grpc.insecure_channel(first.address) as channel:
            stream = Asked(relay, MemorySource(), first, channel).stream()
            stream.text()
            first.stop(timeout=60)
            first.stop()
            with pytest.raises(grpc.RpcError) as ended:
                stream.text()
            assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
        with SyncServer(port=first.port) as second, grpc.insecure_channel(second.address) as channel:
            second.start(relay)
            assert Asked(relay, MemorySource(), second, channel).stream("search").flags() == {"ranker"}
        assert relay.metrics.sync_subscribers.count == 0


@pytest.fixture
def metrics_text() -> Iterator[Any]:
    """Give what a relay's metrics say, with a stream open."""
    import httpx  # noqa: PLC0415 (one test's)

    relay = make_relay(MemorySource(company()))
    with SyncServer(port=0) as sync, serve(relay, port=0) as server, grpc.insecure_channel(sync.address) as channel:
        sync.start(relay)
        assert relay.wait_until_ready(60)
        stream = Asked(relay, MemorySource(), sync, channel).stream()
        stream.text()
        yield httpx.get(f"{server.url}/metrics", timeout=60).text


def test_open_streams_are_counted(metrics_text: str) -> None:
    """With those dropped and turned away, where Prometheus reads the rest."""
    assert "flagseal_sync_subscribers 1.0" in metrics_text
    assert "flagseal_sync_subscribers_dropped_total 0.0" in metrics_text
    assert "flagseal_sync_subscribers_refused_total 0.0" in metrics_text
