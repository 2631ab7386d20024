"""Following a relay's version stream: news come at once, and nothing that a server does breaks the follower."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal.snapshot.follow import EventParser, Follower, events_beside
from flagseal_relay.relay import Relay
from flagseal_relay.serve import serve
from tests.relay.harness import MemorySource, make_relay, view
from tests.relay.test_refreshing import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
EVENT = b'id: 1\ndata: {"version":1}\n\n'


class Server:
    """A server of TCP that does to each connection what a test wants."""

    def __init__(self, serve_one: Callable[[socket.socket, int], object]) -> None:
        self._serve_one = serve_one
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/events"
        self.requests: list[bytes] = []
        self.over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self.requests.append(connection.recv(65536))
                    self._serve_one(connection, len(self.requests))
                except OSError:
                    continue

    def close(self) -> None:
        """Stop serving."""
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(60)


@contextmanager
def following(
    serve_one: Callable[[socket.socket, int], object], **options: float
) -> Iterator[tuple[Server, Follower, list[float]]]:
    """Follow a server; give it, the follower, and when news came."""
    server, news = Server(serve_one), list[float]()
    settings: dict[str, float] = {"silence": 60.0, "longest_wait": 0.05, **options}
    follower = Follower(server.url, lambda: news.append(time.monotonic()), **settings)  # type: ignore[arg-type]
    follower.start()
    try:
        yield server, follower, news
        assert follower._thread.is_alive()
    finally:
        follower.stop(60)
        server.close()
    assert not follower._thread.is_alive()


def held(connection: socket.socket) -> None:
    """Keep a connection open until the other side closes it."""
    connection.settimeout(60)
    try:
        connection.recv(1)
    except TimeoutError:
        return


# Against a relay


def test_news_of_a_relay_come_at_once_and_once() -> None:
    """When a stream opens, and for each version after that; heartbeats are no news."""
    source = MemorySource(view())
    relay = make_relay(source, poll=3600)
    news: list[int] = []
    with serve(relay, port=0) as server:
        assert relay.wait_until_ready(60)
        follower = Follower(events_beside(f"{server.url}/tuf/"), lambda: news.append(1))
        follower.start()
        try:
            eventually(lambda: len(news) == 1)
            assert follower.connected
            source.coming = view(version=2)
            relay.notify()
            eventually(lambda: len(news) == 2)
            time.sleep(0.2)
            assert len(news) == 2
        finally:
            follower.stop(60)
        assert not follower._thread.is_alive(), "a read that waits for the next event is woken up"
        assert not follower.connected


def test_a_relay_that_follows_another_does_not_wait_for_its_poll() -> None:
    """News go down a chain of relays by their streams; and stopping it ends its follower."""
    inner_source, edge_source = MemorySource(view()), MemorySource(view())
    inner = make_relay(inner_source, poll=3600)
    with serve(inner, port=0) as inner_server:
        assert inner.wait_until_ready(60)
        edge = Relay(edge_source, poll=3600, upstream=f"{inner_server.url}/events")
        with serve(edge, port=0):
            assert edge.wait_until_ready(60)
            eventually(lambda: len(inner.hub) == 1)
            inner_source.coming = edge_source.coming = view(version=2)
            inner.notify()
            eventually(lambda: edge.book is not None and edge.book.view.version == 2)
        assert not [thread for thread in threading.enumerate() if thread.name == "flagseal-follow"]
        eventually(lambda: len(inner.hub) == 0)


@pytest.mark.parametrize(
    ("source", "events"),
    [
        ("http://127.0.0.1:8016/tuf/", "http://127.0.0.1:8016/events"),
        ("http://127.0.0.1:8016/tuf", "http://127.0.0.1:8016/events"),
        ("https://edge.example.org/flags/tuf/", "https://edge.example.org/flags/events"),
    ],
)
def test_the_stream_lies_beside_the_files(source: str, events: str) -> None:
    """So one address is enough."""
    assert events_beside(source) == events


# Servers that do not behave


def test_a_broken_stream_is_taken_up_where_it_ended() -> None:
    """The last event's id is named, so that a relay need not repeat it."""

    def twice(connection: socket.socket, number: int) -> None:
        connection.sendall(STREAM + EVENT.replace(b"1", b"%d" % number))

    with following(twice) as (server, _, news):
        eventually(lambda: len(server.requests) >= 3 and len(news) >= 2)
        assert b"last-event-id" not in server.requests[0].lower()
        assert b"last-event-id: 1\r\n" in server.requests[1].lower()
        assert b"last-event-id: 2\r\n" in server.requests[2].lower()


def test_silence_is_a_broken_stream() -> None:
    """A connection that nobody serves any more is given up."""

    def fall_silent(connection: socket.socket, _: int) -> None:
        connection.sendall(STREAM + EVENT)
        held(connection)

    with following(fall_silent, silence=0.1) as (server, _, news):
        eventually(lambda: len(server.requests) >= 3 and len(news) >= 2)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + EVENT,
        b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 Busy\r\nRetry-After: 99999\r\nContent-Length: 0\r\n\r\n",
        b"no HTTP at all\r\n\r\n",
        b"",
        STREAM.replace(b"Connection: close", b"Transfer-Encoding: chunked") + b"nonsense\r\n",
        STREAM.replace(b"Connection: close", b"Content-Encoding: gzip\r\nConnection: close") + EVENT[:5],
        STREAM + b"data: " + b"x" * 200_000,
        STREAM + b"\xff\xfe\x00" * 100,
        STREAM + b"retry: 999999999999999999\nretry: -1\nretry: x\n\n",
    ],
)
def test_what_is_no_stream_is_tried_again_and_is_no_news(answer: bytes) -> None:
    """Refusals, nonsense, endless lines: the follower outlives them all."""
    with following(lambda connection, _: connection.sendall(answer)) as (server, _, news):
        eventually(lambda: len(server.requests) >= 3)
        assert news == []


def test_a_stream_that_drips_is_heard() -> None:
    """A byte at a time, with every kind of line end, without length or chunks."""

    def drip(connection: socket.socket, _: int) -> None:
        for byte in STREAM + b": hello\r\n\r\nid: 1\rdata: x\r\rid: 2\ndata: y\n\n":
            connection.sendall(bytes([byte]))
            time.sleep(0.002)
        held(connection)

    with following(drip) as (_, follower, news):
        eventually(lambda: len(news) == 2)
        assert follower.connected
        assert follower._last_id == "2"


def test_one_who_fails_is_asked_more_and_more_seldom() -> None:
    """Ten attempts with a second to begin with would take minutes; and the wait is bounded, and never the same."""
    follower = Follower("http://127.0.0.1:9/events", lambda: None, longest_wait=60)
    waits = [[follower._delay(failures) for _ in range(50)] for failures in range(12)]
    for failures, drawn in enumerate(waits):
        most = min(60, 2 ** max(0, failures - 1))
        assert all(most / 2 <= wait <= most for wait in drawn)
        assert len(set(drawn)) > 10


def test_a_callback_that_fails_does_not_end_the_following() -> None:
    """A fault of ours is logged, and the stream taken up again."""
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise ZeroDivisionError

    server = Server(lambda connection, _: connection.sendall(STREAM + EVENT))
    follower = Follower(server.url, fail, longest_wait=0.05)
    follower.start()
    eventually(lambda: len(calls) >= 2)
    follower.stop()
    server.close()


def test_stopping_before_starting_and_twice_does_nothing() -> None:
    """Whoever cleans up need not know how far it came."""
    follower = Follower("http://127.0.0.1:9/events", lambda: None)
    follower.stop()
    follower.stop()


# Taking a stream apart

events = st.lists(st.integers(min_value=0, max_value=10**6), max_size=6)
ends = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(events, ends, st.lists(st.integers(min_value=1, max_value=30)), st.booleans())
def test_events_are_counted_however_they_are_cut(numbers: list[int], end: bytes, cuts: list[int], noise: bool) -> None:
    """Chunks end anywhere, between the two halves of a line end too."""
    lines: list[bytes] = []
    for number in numbers:
        lines += [b": still here", b""] if noise else []
        lines += [b"event: ping", b"data: x", b""] if noise else []
        lines += [b"id: %d" % number, b"data: {", b"data:}", b""]
    stream = b"".join(line + end for line in lines)
    parser, counted = EventParser(), 0
    for cut in cuts:
        counted += parser.feed(stream[:cut])
        stream = stream[cut:]
    counted += parser.feed(stream)
    assert counted == len(numbers)
    assert parser.last_id == (str(numbers[-1]) if numbers else "")


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_nothing_that_comes_breaks_the_parser(chunks: list[bytes]) -> None:
    """It counts, or says that an event is too long, and holds little."""
    parser = EventParser()
    for chunk in chunks:
        assert parser.feed(chunk) >= 0
    assert len(parser._line) <= 64 * 1024


def test_an_endless_event_is_refused_whatever_it_is_made_of() -> None:
    """One long line, or many short ones."""
    for piece in (b"x" * 1000, b"data: x\n"):
        parser = EventParser()
        with pytest.raises(ValueError, match="more than"):
            feed_for_ever(parser, piece)


def feed_for_ever(parser: EventParser, piece: bytes) -> None:
    """Feed the same again and again, up to what no event needs."""
    for _ in range(100_000):
        parser.feed(piece)
