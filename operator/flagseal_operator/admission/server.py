"""The edge of admission: TLS, sizes, times and counts. What is answered is decided elsewhere, by pure functions.

Python's own threading server, as for health: few reviews come, and none may be delayed by the builder's event loop. API
servers keep connections; whoever holds many is cut off for the sake of the next.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from flagseal_operator.listening import Listener

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flagseal_operator.admission.certificates import Certificates

_LOG: Final = logging.getLogger("flagseal.admission")
PORT: Final = 9443
MUTATE: Final = "/mutate"
VALIDATE: Final = "/validate"

LARGEST: Final[Mapping[str, int]] = {MUTATE: 1024 * 1024, VALIDATE: 4 * 1024 * 1024}
"""Bytes of a review: two objects, the old and the new; etcd takes 1.5 MiB of one, and these two kinds are small."""

MOST_CONNECTIONS: Final = 128
MOST_WAITING: Final = 32 * 1024 * 1024
"""Bytes of bodies at once."""

_AT_ONCE: Final = 4
_TURN_SECONDS: Final = 2.0
_READ_SECONDS: Final = 5.0
_IDLE_SECONDS: Final = 120.0
"""Longer than API servers keep an idle connection (90 s): who closes first must be they."""
_CHUNK: Final = 64 * 1024
_DRAIN_SECONDS: Final = 0.2
_MOST_DRAINED: Final = 32


class WebhookServer(Listener):
    """Answer reviews.

    Args:
        host: Where to listen.
        port: 0 takes a free one.
        certificates: For TLS.
        answer: Takes a path and a body, and gives a status and what to write as JSON; called from many threads.

    Raises:
        UsageError: ``CannotListen``.
    """

    def __init__(
        self,
        host: str,
        port: int,
        certificates: Certificates,
        answer: Callable[[str, bytes], tuple[int, Mapping[str, Any]]],
    ) -> None:
        super().__init__(
            lambda: _Server((host, port), certificates, answer),
            name="flagseal-webhooks",
            trouble=f"Webhooks cannot be served on {host}:{port}",
            remedy="Choose another port: --webhook-port.",
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        certificates: Certificates,
        answer: Callable[[str, bytes], tuple[int, Mapping[str, Any]]],
    ) -> None:
        self.certificates = certificates
        self.answer = answer
        self.turns = threading.BoundedSemaphore(_AT_ONCE)
        self.budget = _Budget(MOST_WAITING)
        self.connections = _Connections(MOST_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (socketserver's)
        self.connections.add(request)
        super().process_request(request, client_address)

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (socketserver's)
        """Shake hands in the connection's own thread: one who does not answer holds up nobody else."""
        request.settimeout(_READ_SECONDS)
        context = self.certificates.context()
        if context is None:
            return
        secured = context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        self.connections.replace(request, secured)
        try:
            secured.do_handshake()
            super().finish_request(secured, client_address)
        except (OSError, ValueError) as error:  # a scanner, a client without the certificate, one that was cut off
            _LOG.debug("nothing came of a connection with %s: %s", client_address[0], error)
        finally:
            self.connections.drop(secured)
            secured.close()

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 (socketserver's)
        self.connections.drop(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (socketserver's)
        """Log what nobody foresaw, at the edge of a connection's thread; the others go on."""
        del request
        _LOG.exception("a connection with %s broke", client_address[0])


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "flagseal"
    sys_version = ""
    timeout = _READ_SECONDS
    # Head and body leave together, and at once: an API server that waits for the second half waits 40 ms.
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle_one_request(self) -> None:
        # Idle between two requests it may be for long, within one it may not.
        self.connection.settimeout(_IDLE_SECONDS if getattr(self, "answered", False) else _READ_SECONDS)
        super().handle_one_request()

    def parse_request(self) -> bool:
        self.connection.settimeout(_READ_SECONDS)
        self.server.connections.busy(self.connection)
        return super().parse_request()

    def do_POST(self) -> None:
        path = self.path.partition("?")[0]
        largest = LARGEST.get(path)
        if largest is None:
            self.send_error(404)
            return
        length = self._length()
        if length is None:
            self.send_error(411)
        elif length > largest:
            self.send_error(413)
        elif self.headers.get_content_type() != "application/json":
            self.send_error(415)
        elif not self.server.budget.take(length):
            self.send_error(503)
        else:
            try:
                self._review(path, length)
            finally:
                self.server.budget.give(length)

    def _review(self, path: str, length: int) -> None:
        body = self._read(length)
        if body is None:
            self.close_connection = True
            return
        if not self.server.turns.acquire(timeout=_TURN_SECONDS):
            self.send_error(503)
            return
        try:
            status, answer = self.server.answer(path, body)
        finally:
            self.server.turns.release()
        self._send(status, "application/json", json.dumps(answer).encode())
        self.answered = status == 200  # noqa: PLR2004 (OK)
        self.close_connection = self.close_connection or not self.answered
        self.server.connections.idle(self.connection)

    def _length(self) -> int | None:
        words = self.headers.get_all("Content-Length") or []
        if len(words) != 1 or self.headers.get("Transfer-Encoding") is not None:
            return None
        return int(words[0]) if words[0].isascii() and words[0].isdigit() and len(words[0]) < 12 else None  # noqa: PLR2004

    def _read(self, length: int) -> bytes | None:
        """Read a body whole; None if it does not come in time."""
        parts, missing, end = [], length, time.monotonic() + _READ_SECONDS
        while missing:
            part = self.rfile.read1(min(missing, _CHUNK)) if time.monotonic() < end else b""
            if not part:
                return None
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer without a page, and part: what else came may not be what it seems."""
        del explain
        self.close_connection = True
        self._send(code, "text/plain", f"{message or self.responses.get(code, ('refused',))[0]}\n".encode())
        # What is on its way would otherwise reset the connection, and take the answer with it.
        self.connection.settimeout(_DRAIN_SECONDS)
        with contextlib.suppress(OSError):
            for _ in range(_MOST_DRAINED):
                if not self.rfile.read1(_CHUNK):
                    break

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection or status != 200:  # noqa: PLR2004 (OK)
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """What was decided is logged where it is; a line for each request would be two."""


class _Budget:
    """So many bytes, shared."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give(self, size: int) -> None:
        with self._lock:
            self._left += size


class _Connections:
    """So many connections; the one that has been idle for longest makes room for a new one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._open: OrderedDict[socket.socket, bool] = OrderedDict()

    def add(self, connection: socket.socket) -> None:
        with self._lock:
            if len(self._open) >= self._most:
                oldest = next((it for it, busy in self._open.items() if not busy), next(iter(self._open)))
                del self._open[oldest]
                _cut_off(oldest)
            self._open[connection] = False

    def replace(self, plain: socket.socket, secured: socket.socket) -> None:
        with self._lock:
            self._open.pop(plain, None)
            self._open[secured] = False

    def busy(self, connection: socket.socket) -> None:
        self._mark(connection, busy=True)

    def idle(self, connection: socket.socket) -> None:
        self._mark(connection, busy=False)

    def drop(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.pop(connection, None)

    def _mark(self, connection: socket.socket, *, busy: bool) -> None:
        with self._lock:
            if connection in self._open:
                self._open[connection] = busy
                self._open.move_to_end(connection)


def _cut_off(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # Not through TLS, which would wait for the other side.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
