"""What one connection may cost the others: nothing."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn
from uvicorn.server import ServerState

from flagseal_relay.connection import MOST_BYTES, MOST_WAITING, BoundedProtocol
from flagseal_relay.serve import serve
from tests.relay.harness import MemorySource, make_relay, view
from tests.relay.test_refreshing import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_relay.serve import Server
    from tests.relay.conftest import Asked

EVALUATE = b"POST /ofrep/v1/evaluate/flags/static HTTP/1.1\r\nhost: localhost\r\n"
PIECE = b"a" * 65_536


@dataclass
class Looked:
    """A relay that looks at its connections every few milliseconds, from when a test says so.

    Attributes:
        server: Serves the flags of the harness.
        begun: Whether it looks.
        looks: Released after each look.
    """

    server: Server
    begun: threading.Event
    looks: threading.Semaphore


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Looked]:
    """Serve until the test is over."""
    begun, looks = threading.Event(), threading.Semaphore(0)
    look = BoundedProtocol.look

    def told(protocol: BoundedProtocol) -> None:
        if not begun.is_set():
            protocol.loop.call_later(protocol.look_every, protocol.look)
            return
        look(protocol)
        looks.release()

    monkeypatch.setattr(BoundedProtocol, "look_every", 0.02)
    monkeypatch.setattr(BoundedProtocol, "look", told)
    relay = make_relay(MemorySource(view()))
    with serve(relay, port=0) as server:
        assert relay.wait_until_ready(60)
        yield Looked(server, begun, looks)


def connected(server: Server) -> socket.socket:
    """Open a connection whose answers have to come some time."""
    return socket.create_connection((server.host, server.port), timeout=60)


def is_ended(wire: socket.socket) -> bool:
    """Wait for the other side to end a connection that was answered nothing."""
    try:
        return wire.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    "beginning",
    [
        b"POST /ofrep/v1/evaluate/flags/",  # a line without an end
        EVALUATE + b"x-long: ",
        EVALUATE + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx-long: ",
    ],
    ids=["line", "header", "trailer"],
)
def test_a_request_without_an_end_is_ended(asked: Asked, beginning: bytes) -> None:
    """Its pieces would fill the memory, and copying them would leave no time for anybody else."""
    with connected(asked.server) as wire:
        wire.sendall(beginning)
        sent = 0
        try:
            while sent <= 16 * MOST_BYTES:  # What the sockets hold is not read yet.
                sent += wire.send(PIECE)
        except OSError:
            sent = -1
        assert sent == -1
    assert asked.one("static").status_code == 200


@pytest.mark.parametrize(
    "beginning",
    [b"", b"POST /ofrep", EVALUATE, EVALUATE + b"content-length: 2\r\n\r\n", EVALUATE + b"content-length: 2\r\n\r\n{"],
    ids=["nothing", "line", "headers", "no body", "half a body"],
)
def test_who_does_not_finish_a_request_holds_no_connection(looked_at: Looked, beginning: bytes) -> None:
    """However many are opened, they end by themselves."""
    looked_at.begun.set()
    with connected(looked_at.server) as wire:
        with suppress(OSError):  # It may have been ended before.
            wire.sendall(beginning)
        assert is_ended(wire)


def test_who_has_been_answered_keeps_the_connection(looked_at: Looked) -> None:
    """Between two requests, and while an event stream is open."""
    request = EVALUATE + b"content-length: 2\r\n\r\n{}"
    with connected(looked_at.server) as wire, connected(looked_at.server) as stream:
        stream.sendall(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n")
        heard = b""
        while b"data:" not in heard:
            heard += stream.recv(65_536)
        wire.sendall(request)
        assert wire.recv(65_536).startswith(b"HTTP/1.1 200")
        looked_at.begun.set()
        for _ in range(8):
            assert looked_at.looks.acquire(timeout=60)
        wire.sendall(request)
        assert wire.recv(65_536).startswith(b"HTTP/1.1 200")
        looked_at.server.stop()
        assert b"".join(iter(lambda: stream.recv(65_536), b"")).endswith(b"0\r\n\r\n")


def connections(server: Server) -> list[BoundedProtocol]:
    """Give the connections that are open."""
    return [it for it in server._uvicorn.server_state.connections if isinstance(it, BoundedProtocol)]


def is_stuck(server: Server) -> bool:
    """Tell whether an answer waits for its reader."""
    return any(it.transport.get_write_buffer_size() for it in connections(server))


@pytest.mark.parametrize("kept_alive", [75, 0.01], ids=["an answer waits", "closed"])
def test_who_does_not_read_holds_no_connection(looked_at: Looked, kept_alive: float) -> None:
    """Neither while answers wait for room, nor when all was written and the connection is to be closed."""
    server = looked_at.server
    server._uvicorn.config.timeout_keep_alive = kept_alive  # type: ignore[assignment]  # a fraction is as good
    # Accepted connections inherit both. Some kernels would end them themselves, later.
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        server._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0)
    server._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with socket.socket() as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.settimeout(60)
        wire.connect((server.host, server.port))
        asked = 2 if kept_alive < 1 else MOST_WAITING
        wire.sendall(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n" * asked)
        eventually(lambda: is_stuck(server))
        looked_at.begun.set()
        eventually(lambda: not connections(server))


class Wire(asyncio.Transport):
    """A connection of which a test says how much is unread."""

    def __init__(self) -> None:
        super().__init__()
        self.unread = 0
        self.closing = self.aborted = False

    def get_write_buffer_size(self) -> int:
        """Give what the test says."""
        return self.unread

    def is_closing(self) -> bool:
        """Give what the test says."""
        return self.closing

    def abort(self) -> None:
        """Note it."""
        self.aborted = True


@pytest.mark.parametrize("closing", [False, True], ids=["open", "closing"])
def test_who_reads_slowly_is_left_in_peace(closing: bool) -> None:
    """As long as something is read between two looks."""

    async def looked() -> None:
        protocol = BoundedProtocol(uvicorn.Config(_nothing, log_config=None), ServerState(), {})
        wire = Wire()
        protocol.connection_made(wire)
        protocol.timeout_keep_alive_task = None if closing else protocol.loop.call_later(75, wire.abort)
        wire.closing = closing
        for unread in (9000, 8000, 7000, 6999):
            wire.unread = unread
            protocol.look()
            assert not wire.aborted
        protocol.look()
        assert wire.aborted

    asyncio.run(looked())


async def _nothing(scope: object, receive: object, send: object) -> None:
    """Serve nobody."""
    del scope, receive, send


def test_a_body_as_large_as_is_taken_is_taken(asked: Asked) -> None:
    """In whatever pieces it comes."""
    text = b'{"context": {"org": "' + b"a" * 250_000 + b'"}}'
    pieces = (text[at : at + 1000] for at in range(0, len(text), 1000))
    answer = httpx.post(f"{asked.server.url}/ofrep/v1/evaluate/flags/static", content=pieces, timeout=60)
    assert answer.status_code == 200


def heard(wire: socket.socket) -> bytes:
    """Hear all until the other side ends the connection."""
    return b"".join(iter(lambda: wire.recv(65_536), b""))


def pipelined(requests: int) -> bytes:
    """Ask so often at once, and for no more."""
    ask = EVALUATE + b"content-length: 2\r\n"
    return (ask + b"\r\n{}") * (requests - 1) + ask + b"connection: close\r\n\r\n{}"


def test_a_few_requests_may_come_before_their_answers(asked: Asked) -> None:
    """One is answered, and sixteen wait."""
    with connected(asked.server) as wire:
        wire.sendall(pipelined(1 + MOST_WAITING))
        assert heard(wire).count(b"HTTP/1.1 200") == 1 + MOST_WAITING


def test_who_asks_on_without_pause_is_refused(asked: Asked) -> None:
    """What waits for an answer is kept in memory, and whatever came in one piece is read before anybody is answered."""
    with connected(asked.server) as wire:
        wire.sendall(pipelined(100))
        answers = heard(wire)
    assert answers.endswith(b"Invalid HTTP request received.")
    assert answers.count(b"HTTP/1.1 200") <= 1 + MOST_WAITING
    assert asked.one("static").status_code == 200


OFFER = (
    b"POST /ofrep/v1/evaluate/flags/static HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: 2\r\n"
    b"Host: localhost\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\n\r\n"
)


@pytest.mark.parametrize(
    "pieces",
    [[OFFER + b"{}"], [OFFER, b"{}"], [OFFER[:-9], OFFER[-9:] + b"{", b"}"], [(OFFER + b"{}") * 3]],
    ids=["whole", "head and body", "within the name", "three at once"],
)
def test_who_offers_another_protocol_is_answered_in_this_one(
    asked: Asked, pieces: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """As Java's client does, with every request as long as nobody takes it up; nothing is lost, and nothing logged."""
    with connected(asked.server) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            wire.sendall(piece)
            time.sleep(0.01)  # So that it is read by itself; otherwise less is tested.
        wire.sendall(pipelined(1))
        answers = heard(wire)
    assert answers.count(b"HTTP/1.1 200") == b"".join(pieces).count(b"POST") + 1
    assert answers.count(b"HTTP/1.1") == answers.count(b"HTTP/1.1 200")
    assert not caplog.records


def test_a_tunnel_is_refused(asked: Asked) -> None:
    """Nothing lies behind a relay."""
    with connected(asked.server) as wire:
        wire.sendall(b"CONNECT localhost:80 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert heard(wire).startswith(b"HTTP/1.1 400")


def test_who_was_answered_early_keeps_the_connection(looked_at: Looked) -> None:
    """Though the body came only then."""
    with connected(looked_at.server) as wire:
        wire.sendall(EVALUATE.replace(b"POST", b"PUT") + b"content-length: 2\r\n\r\n")
        assert wire.recv(65_536).startswith(b"HTTP/1.1 405")
        wire.sendall(b"{}")
        looked_at.begun.set()
        for _ in range(8):
            assert looked_at.looks.acquire(timeout=60)
        wire.sendall(EVALUATE + b"content-length: 2\r\n\r\n{}")
        assert wire.recv(65_536).startswith(b"HTTP/1.1 200")


def test_who_leaves_with_requests_waiting_is_listened_for_no_more(own: Asked, caplog: pytest.LogCaptureFixture) -> None:
    """The event stream before them ends at once, and nothing is written to nobody."""
    with connected(own.server) as wire:
        wire.sendall(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n" + pipelined(1))
        eventually(lambda: len(own.relay.hub) == 1)
    eventually(lambda: len(own.relay.hub) == 0)
    assert not caplog.records
