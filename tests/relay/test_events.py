"""The version stream."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from flagseal_relay.events import Event, Hub, SlowReader
from flagseal_relay.metrics import Metrics
from flagseal_relay.relay import Relay
from flagseal_relay.serve import serve
from tests.relay.harness import MemorySource, view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Message

    from tests.relay.conftest import Asked

SCOPE: dict[str, Any] = {"type": "http", "headers": []}


class Listener:
    """Read a stream's lines as they come."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def line(self, start: str) -> str:
        """Give what follows ``start`` on the next line that begins with it."""
        return next(line.removeprefix(start) for line in self._lines if line.startswith(start))

    def data(self) -> dict[str, Any]:
        """Give the next event's data."""
        data = json.loads(self.line("data: "))
        assert isinstance(data, dict)
        return data


@contextmanager
def listening(url: str, **headers: str) -> Iterator[Listener]:
    """Open a stream."""
    with httpx.stream("GET", f"{url}/events", headers=headers, timeout=60) as response:
        yield Listener(response)


def test_a_listener_hears_the_version_at_once_and_each_new_one(own: Asked) -> None:
    """In the form OFREP clients know, with the version for those who verify."""
    with listening(own.server.url) as listener:
        assert listener.response.headers["content-type"].startswith("text/event-stream")
        first = listener.data()
        assert (first["type"], first["version"]) == ("refetchEvaluation", 1)
        assert isinstance(first["lastModified"], int)
        own.source.coming = view(version=2)
        own.relay.notify()
        second = listener.data()
        assert second["version"] == 2
        assert second["etag"] != first["etag"]


def test_a_listener_that_comes_back_is_not_told_what_it_knows(own: Asked) -> None:
    """Last-Event-ID says what it heard last."""
    with listening(own.server.url) as listener:
        known = listener.line("id: ")
    with listening(own.server.url, **{"last-event-id": known}) as listener:
        own.source.coming = view(version=2)
        own.relay.notify()
        assert listener.data()["version"] == 2


@pytest.mark.parametrize("method", ["POST", "HEAD", "DELETE"])
def test_the_stream_is_asked_for_with_get(own: Asked, method: str) -> None:
    """Any other way is told which one is meant, and not that there is no stream."""
    answer = own.client.request(method, "/events")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


def test_silence_is_broken_by_heartbeats() -> None:
    """So that proxies and readers see life."""
    relay = Relay(MemorySource(), hub=lambda metrics: Hub(metrics, heartbeat=0.05))
    with serve(relay, port=0) as server, listening(server.url) as listener:
        assert listener.line(": ")
        assert listener.line(": ")


def test_the_number_of_listeners_is_bounded() -> None:
    """One more is turned away and told to poll; a place that becomes free is given again."""
    relay = Relay(MemorySource(view()), hub=lambda metrics: Hub(metrics, limit=2))
    with serve(relay, port=0) as server:
        with listening(server.url) as one, listening(server.url) as two:
            one.data()
            two.data()
            answer = httpx.get(f"{server.url}/events", timeout=60)
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
        deadline = time.monotonic() + 60
        while len(relay.hub) and time.monotonic() < deadline:
            time.sleep(0.01)
        with listening(server.url) as again:
            assert again.data()["version"] == 1


def test_stopping_ends_streams_in_order(own: Asked) -> None:
    """A listener sees the end of the stream, not a broken connection, and stopping does not wait for it."""
    ended = threading.Event()

    def listen() -> None:
        with listening(own.server.url) as listener:
            for _ in listener.response.iter_lines():
                heard.set()
            ended.set()

    heard = threading.Event()
    thread = threading.Thread(target=listen)
    thread.start()
    assert heard.wait(60)
    own.server.stop()
    thread.join(60)
    assert ended.is_set()


def test_a_listener_that_does_not_read_is_dropped() -> None:
    """It must not hold a place for those who do."""

    async def never(_: Message) -> None:
        await asyncio.sleep(3600)

    async def connected() -> Message:
        await asyncio.sleep(3600)
        raise AssertionError

    async def scenario() -> None:
        metrics = Metrics()
        hub = Hub(metrics, patience=0.05)
        with pytest.raises(SlowReader):
            await asyncio.wait_for(hub.listen(SCOPE, connected, never), 60)
        assert len(hub) == 0
        assert metrics.dropped_subscribers.count == 1

    asyncio.run(scenario())


def test_a_slow_listener_hears_of_the_newest_version_only() -> None:
    """There is no queue to grow: what was overtaken is not news."""

    async def scenario() -> None:
        hub = Hub(Metrics())
        sent: list[bytes] = []
        reads, told = asyncio.Event(), asyncio.Event()

        async def slowly(message: Message) -> None:
            await reads.wait()
            sent.append(message.get("body", b""))
            if sent[-1].startswith(b"data"):
                told.set()

        async def connected() -> Message:
            await asyncio.sleep(3600)
            raise AssertionError

        listening = asyncio.create_task(hub.listen(SCOPE, connected, slowly))
        for number in range(1000):
            hub.publish(Event(str(number), b"data: %d\n\n" % number))
            await asyncio.sleep(0)
        reads.set()
        await asyncio.wait_for(told.wait(), 60)
        hub.close()
        await listening
        assert [text for text in sent if text.startswith(b"data")] == [b"data: 999\n\n"]

    asyncio.run(scenario())
