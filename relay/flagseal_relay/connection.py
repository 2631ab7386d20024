"""One connection, and what it may cost: neither requests without an end nor one that never comes.

uvicorn keeps a request's line and headers in memory however long they grow, and httptools copies them with every piece
that comes: one connection that goes on sending a header stops everybody else's answers. And nothing there bounds how
long a request may take to arrive, so whoever opens connections and keeps silent holds them for ever; so does whoever
does not read the answers. Nor is there an end to the requests that may be sent before the first is answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

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
        self._awaited: tuple[object, ...] = ()
        self._unread: tuple[object, ...] = ()
        self._next_look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to look at it."""
        super().connection_made(transport)
        self._next_look = self.loop.call_later(self.look_every, self.look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        if self._next_look is not None:
            self._next_look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take more of a request, unless there was too much of it already."""
        if self.cycle is not self._received_for:
            self._received_for, self._received = self.cycle, 0
        self._received += len(data)
        if self._received > MOST_BYTES:
            self.transport.abort()
            return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Begin to take a request, unless too many wait already.

        Raises:
            ValueError: They do. uvicorn answers 400, and closes.
        """
        if len(self.pipeline) >= MOST_WAITING:
            raise ValueError("too many requests before their answers")
        super().on_message_begin()

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
