"""One connection, and what it may cost: neither requests without an end nor one that never comes.

uvicorn keeps a request's line and headers in memory however long they grow, and httptools copies them with every piece
that comes: one connection that goes on sending a header stops everybody else's answers. And nothing there bounds how
long a request may take to arrive, so whoever opens connections and keeps silent holds them for ever; so does whoever
does not read the answers. Nor is there an end to the requests that may be sent before the first is answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

MOST_BYTES: Final = 1024 * 1024
"""Of a request's head, and of its body as it goes over the wire; a body that is taken has a quarter of it."""

MOST_WAITING: Final = 16
"""Requests that came on a connection before the one at hand was answered; each is kept in memory."""

_LOOK_EVERY: Final = 15.0


class BoundedProtocol(HttpToolsProtocol):
    """End a connection whose request is too large, or takes too long to come.

    A request has to be complete by the second look at it, and a new connection has to have made one. While requests are
    answered, only that something is read of the answers is asked for.

    Attributes:
        look_every: Seconds between two looks at a connection.
    """

    look_every: float = _LOOK_EVERY

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (uvicorn's)
        super().__init__(*args, **kwargs)
        self._received = 0
        self._received_for: object = None
        self._is_coming = False
        self._at_hand: RequestResponseCycle | None = None
        self._awaited: tuple[object, ...] = ()
        self._unread: tuple[object, ...] = ()
        self._next_look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to look at it."""
        super().connection_made(transport)
        self._next_look = self.loop.call_later(self.look_every, self.look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more, and tell whoever answers; uvicorn tells only who is to answer the last request that came."""
        if self._next_look is not None:
            self._next_look.cancel()
        at_hand = self._at_hand
        if at_hand is not None and not at_hand.response_complete:
            at_hand.disconnected = True
            at_hand.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take more of a request, unless there was too much of it already."""
        if self.cycle is not self._received_for:
            self._received_for, self._received = self.cycle, 0
        self._received += len(data)
        if self._received > MOST_BYTES:
            self.transport.abort()
            return
        rest = data
        while rest:
            rest = self._taken(rest)
        self._wait_for_the_next()

    def _wait_for_the_next(self) -> None:
        """Let uvicorn's timer run again where it stopped for the rest of a request that was answered already."""
        is_between = self.cycle is not None and self.cycle.response_complete and not self._is_coming
        if is_between and self.timeout_keep_alive_task is None and not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _taken(self, data: bytes) -> bytes:
        """Take pieces of requests, and give what is to be taken still.

        A server may leave an offer to speak another protocol unheeded (RFC 9110, section 7.8), and has to take the
        body then. httptools stops before it, as if the other protocol began there; so the request begins once more,
        without the offer. Java's client offers HTTP/2 with every request.
        """
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            head = self._head_without_offer()
            self.parser = _parser(self)
            return head + data[offer.args[0] :]
        except httptools.HttpParserError:
            self.logger.warning("A request is malformed, or one too many.")
            self.send_400_response("Invalid HTTP request received.")
        return b""

    def _head_without_offer(self) -> bytes:
        first = b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        named = [b"%b: %b" % (name, value) for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([first, *named, b"", b""])

    def on_headers_complete(self) -> None:
        """Have the request answered, unless it has to begin once more.

        Raises:
            ValueError: It asks for a tunnel. The answer is 400, and the connection closed.
        """
        if self.parser.get_method() == b"CONNECT":
            raise ValueError("nothing lies behind a relay")
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the request is whole, unless it has to begin once more."""
        self._is_coming = False
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_message_begin(self) -> None:
        """Begin to take a request, unless too many wait already.

        Raises:
            ValueError: They do. The answer is 400, and the connection closed.
        """
        if len(self.pipeline) >= MOST_WAITING:
            raise ValueError("too many requests before their answers")
        self._is_coming = True
        super().on_message_begin()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._at_hand = cycle
        super()._start_asgi_task(cycle, app)

    def look(self) -> None:
        """End the connection if since the last look the request that it owed has not come, or nothing was read."""
        owed, unread = self._owed(), self._left_unread()
        if (owed and owed == self._awaited) or (unread and unread == self._unread):
            self.transport.abort()
            return
        self._awaited, self._unread = owed, unread
        self._next_look = self.loop.call_later(self.look_every, self.look)

    def _owed(self) -> tuple[object, ...]:
        """Tell what has not come whole: the body of the request at hand, or the head of the next one."""
        cycle = self.cycle
        if self.transport.is_closing():
            return ()
        if cycle is not None and not cycle.response_complete:
            return (cycle, "body") if cycle.more_body else ()
        # Between two requests uvicorn's own timer runs, from the end of an answer to the next byte.
        return (cycle, "head") if self.timeout_keep_alive_task is None else ()

    def _left_unread(self) -> tuple[object, ...]:
        """Tell how much that was answered is still here, and what answer it is of; the same again: nothing was read."""
        size = self.transport.get_write_buffer_size()
        return (self.cycle, len(self.pipeline), size) if size else ()


def _parser(protocol: BoundedProtocol) -> httptools.HttpRequestParser:
    """Make one like uvicorn's."""
    parser = httptools.HttpRequestParser(protocol)
    # What comes after a request that is the last is no fault of that request.
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser
