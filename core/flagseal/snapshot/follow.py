"""Follow a relay's version stream: learn at once that a newer snapshot is out (distribution.md, Clients).

Server-Sent Events as the HTML standard has them (9.2), read on urllib3, which tuf brings. Nothing that comes over the
stream is believed: an event only makes somebody look, earlier than they would have anyway, and what they find is
verified as always. A stream that is silent, broken, refused or endless therefore costs nothing but that haste, and the
follower goes on trying for ever, more and more seldom, with a random share in each wait so that many do not ask as one.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

import urllib3

from flagseal.snapshot.source import open_pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_LOG: Final = logging.getLogger("flagseal.follow")
_CHUNK: Final = 8192
_LONGEST_EVENT: Final = 64 * 1024
"""Bytes. "Version n is out" takes a hundred."""
_LONGEST_ID: Final = 1024
_STEADY: Final = 5.0
"""Seconds after which a stream counts as one that held, so that the next break does not wait for long."""
_SHORTEST_RETRY: Final = 0.1


def events_beside(source: str) -> str:
    """Give the address of a relay's version stream from that of the files it serves (``…/tuf/`` → ``…/events``)."""
    return urljoin(source if source.endswith("/") else f"{source}/", "../events")


class EventParser:
    """Take a stream of bytes apart into events; holds no more than one event.

    Attributes:
        last_id: The last event's id, to be named on reconnecting.
        retry: Seconds that the server asks to wait before reconnecting; None if it did not say.
    """

    def __init__(self) -> None:
        self.last_id = ""
        self.retry: float | None = None
        self._line = b""
        self._half_end = False
        self._held = 0
        self._id = ""
        self._type = ""
        self._has_data = False

    def feed(self, data: bytes) -> int:
        """Take some bytes, and count the events that end in them.

        Raises:
            ValueError: An event is longer than any honest one.
        """
        if self._half_end:
            data = data.removeprefix(b"\n")
        self._half_end = data.endswith(b"\r")
        lines = (self._line + data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")).split(b"\n")
        self._line = lines.pop()
        events = sum(self._take(line) for line in lines)
        if self._held + len(self._line) > _LONGEST_EVENT:
            raise ValueError(f"an event of more than {_LONGEST_EVENT} bytes")
        return events

    def _take(self, line: bytes) -> bool:
        """Take one line; tell whether it ends an event."""
        if not line:
            whole = self._has_data and self._type in {"", "message"}
            if whole:
                self.last_id = self._id
            self._held, self._type, self._has_data = 0, "", False
            return whole
        if line.startswith(b":"):
            return False
        self._held += len(line)
        field, _, value = line.partition(b":")
        text = value.removeprefix(b" ").decode("utf-8", "replace")
        if field == b"data":
            self._has_data = True
        elif field == b"event":
            self._type = text
        elif field == b"id" and text.isprintable() and len(text) <= _LONGEST_ID:
            self._id = text
        elif field == b"retry" and text.isascii() and text.isdigit() and len(text) < 10:  # noqa: PLR2004 (11 days)
            self.retry = int(text) / 1000
        return False


class Follower:
    """Listen to a version stream in a thread of its own, and say when there is news.

    Args:
        url: The stream's address.
        notify: Called in the follower's thread for each piece of news, and never at the same time twice; must not block
            for long.
        headers: Sent along, an access token for instance.
        silence: Seconds without a byte after which a stream counts as dead. Relays send something every 15.
        longest_wait: Most seconds between two attempts.
    """

    def __init__(
        self,
        url: str,
        notify: Callable[[], object],
        *,
        headers: Mapping[str, str] | None = None,
        silence: float = 45.0,
        longest_wait: float = 60.0,
    ) -> None:
        self.url = url
        self._notify = notify
        self._headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity", "Cache-Control": "no-store"}
        self._pool = open_pool(url, headers=headers, timeout=urllib3.Timeout(connect=10.0, read=silence), retries=False)
        self._longest_wait = longest_wait
        self._random = random.Random()  # noqa: S311 (spreads load, hides nothing)
        self._stop = threading.Event()
        self._response: urllib3.BaseHTTPResponse | None = None
        self._connected = False
        self._last_id = ""
        self._retry = 1.0
        self._thread = threading.Thread(target=self._run, name="flagseal-follow", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether the stream is open just now."""
        return self._connected

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Stop listening; from any thread, as often as one likes.

        Args:
            timeout: Seconds to wait for the thread. One that is just connecting ends by itself soon after.
        """
        self._stop.set()
        response = self._response
        if response is not None:
            # Closing a socket does not wake up who reads from it; shutting it down does.
            with suppress(OSError, ValueError, RuntimeError, AttributeError):
                response.shutdown()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._listen()
                said = "the stream ended"
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                said = str(error)
            except Exception as error:  # noqa: BLE001 (the edge of a thread)
                _LOG.exception("%s: listening failed in a way nobody foresaw", self.url)
                said = str(error)
            finally:
                self._response, self._connected = None, False
            failures = 0 if time.monotonic() - began > _STEADY else failures + 1
            if self._stop.is_set():
                break
            delay = self._delay(failures)
            _LOG.debug("%s: %s; trying again in %.1f s", self.url, said, delay)
            self._stop.wait(delay)
        self._pool.clear()

    def _delay(self, failures: int) -> float:
        """Give the seconds to wait: half of it certain, half of it random."""
        most: float = min(self._longest_wait, self._retry * 2.0 ** min(max(0, failures - 1), 16))
        return most * self._random.uniform(0.5, 1.0)

    def _listen(self) -> None:
        """Listen to one connection until it ends.

        Raises:
            urllib3.exceptions.HTTPError: It cannot be had, or broke.
            ValueError: What came is no event stream.
        """
        headers = {**self._headers, "Last-Event-ID": self._last_id} if self._last_id else self._headers
        response = self._pool.request("GET", self.url, headers=headers, preload_content=False)
        self._response = response
        try:
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if response.status != 200 or kind != "text/event-stream":  # noqa: PLR2004 (the status every reader knows)
                raise ValueError(f"HTTP status {response.status}, {kind or 'no type'}: no event stream")
            self._connected = True
            parser = EventParser()
            for data in self._chunks(response):
                events = parser.feed(data)
                self._last_id = parser.last_id or self._last_id
                if parser.retry is not None:
                    self._retry = min(self._longest_wait, max(_SHORTEST_RETRY, parser.retry))
                if events:
                    self._notify()
        finally:
            response.close()

    def _chunks(self, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        while not self._stop.is_set():
            data = response.read1(_CHUNK)
            if not data:
                return
            yield data
