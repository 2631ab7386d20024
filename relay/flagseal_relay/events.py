"""The version stream: who listens learns that version n is out, and fetches and verifies it by other ways.

One Server-Sent Event serves both kinds of listener. OFREP clients know ``refetchEvaluation``; our own clients and
chained relays read ``version`` beside it. The event carries no content, so there is nothing in it to forge but haste.

Only the newest version matters. A listener therefore has no queue, but a bell: whoever was slow hears of the newest
when it gets round to it, and whoever does not read at all is dropped.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from flagseal_relay.reply import error_reply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Message, Receive, Scope, Send

    from flagseal_relay.book import Book
    from flagseal_relay.metrics import Metrics

_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    # nginx would otherwise keep events back until its buffer is full.
    (b"x-accel-buffering", b"no"),
]
_RETRY: Final = b"retry: 2000\n\n"
_HEARTBEAT: Final = b": still here\n\n"


class SlowReader(Exception):
    """End a stream whose reader does not read."""


@dataclass(frozen=True, slots=True)
class Event:
    """News of one snapshot.

    Attributes:
        id: Stands for exactly this configuration.
        text: The event as it goes over the wire.
    """

    id: str
    text: bytes

    @classmethod
    def of(cls, book: Book) -> Event:
        """Say that a book's snapshot is out."""
        data = {
            "type": "refetchEvaluation",
            "etag": book.tag,
            "lastModified": int(book.view.as_of.timestamp()),
            "version": book.view.version,
        }
        return cls(book.tag, b"id: %b\ndata: %b\n\n" % (book.tag.encode(), msgspec.json.encode(data)))


class Hub:
    """Everyone who listens.

    Args:
        metrics: Where drops are counted.
        limit: Listeners at the same time; more are turned away with 503.
        heartbeat: Seconds of silence after which a comment is sent, so that proxies and readers see life.
        patience: Seconds for which a listener may leave what was sent unread.
    """

    def __init__(self, metrics: Metrics, *, limit: int = 1000, heartbeat: float = 15.0, patience: float = 10.0) -> None:
        self._metrics = metrics
        self._limit = limit
        self._heartbeat = heartbeat
        self._patience = patience
        self._bells: set[asyncio.Event] = set()
        self._newest: Event | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._bells)

    def publish(self, event: Event) -> None:
        """Tell everyone; call it in the event loop's thread."""
        self._newest = event
        self._ring()

    def close(self) -> None:
        """End every stream in order; call it in the event loop's thread."""
        self._closed = True
        self._ring()

    def _ring(self) -> None:
        for bell in self._bells:
            bell.set()

    async def listen(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one listener until it leaves, is dropped, or the relay stops.

        Raises:
            SlowReader: It does not read. The server ends the connection.
        """
        if self._closed or len(self._bells) >= self._limit:
            self._metrics.turned_away_subscribers.count += 1
            refusal = error_reply(503, "No room for another event stream; poll instead.", [(b"retry-after", b"5")])
            await refusal.send(send)
            return
        bell = asyncio.Event()
        self._bells.add(bell)
        gone = asyncio.ensure_future(_disconnect(receive))
        gone.add_done_callback(lambda _: bell.set())
        try:
            await self._stream(bell, gone, _last_event_id(scope["headers"]), send)
        except TimeoutError:
            self._metrics.dropped_subscribers.count += 1
            raise SlowReader from None
        finally:
            self._bells.discard(bell)
            gone.cancel()

    async def _stream(self, bell: asyncio.Event, gone: asyncio.Future[None], seen: str, send: Send) -> None:
        await self._send(send, {"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await self._write(send, _RETRY)
        while not self._closed and not gone.done():
            bell.clear()
            if self._newest is not None and self._newest.id != seen:
                event = self._newest
                await self._write(send, event.text)
                seen = event.id
                continue
            try:
                await asyncio.wait_for(bell.wait(), self._heartbeat)
            except TimeoutError:
                await self._write(send, _HEARTBEAT)
        if not gone.done():
            await self._send(send, {"type": "http.response.body", "body": b""})

    async def _write(self, send: Send, text: bytes) -> None:
        await self._send(send, {"type": "http.response.body", "body": text, "more_body": True})

    async def _send(self, send: Send, message: Message) -> None:
        await asyncio.wait_for(send(message), self._patience)


async def _disconnect(receive: Receive) -> None:
    with suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            pass


def _last_event_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    return next((value.decode("latin-1") for name, value in headers if name == b"last-event-id"), "")
