"""A store over HTTP, well-behaved or not."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.snapshot.store import Reader


class Served:
    """What a test may look at, and turn bad.

    Attributes:
        url: Of the store.
        asked: Paths asked for.
        sent: Bytes sent, headers included.
        drip_seconds: Send bodies byte by byte, with this pause; 0 sends them at once.
        status: Answer everything with this status; 0 answers properly.
        endless: Never stop sending.
    """

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.sent = 0
        self.drip_seconds = 0.0
        self.status = 0
        self.endless = False
        self.headers: list[dict[str, str]] = []


@contextmanager
def serve(store: Reader) -> Iterator[Served]:
    """Serve a store on a free port."""
    served = Served()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            served.asked.append(self.path.lstrip("/"))
            served.headers.append(dict(self.headers))
            stored = store.get(self.path.lstrip("/"))
            status = served.status or (200 if stored is not None else 404)
            body = stored.data if stored is not None and status == 200 else b""
            length = 1 << 40 if served.endless else len(body)
            head = f"HTTP/1.1 {status} Status\r\nContent-Length: {length}\r\n\r\n".encode()
            try:
                if served.endless or served.drip_seconds:
                    self.wfile.write(head)
                    self._send(body)
                else:
                    self.wfile.write(head + body)
            except OSError:
                self.close_connection = True
            served.sent += len(head) + len(body)

        def _send(self, body: bytes) -> None:
            if served.endless:
                while True:
                    self.wfile.write(b"x" * 65536)
            for byte in body:
                self.wfile.write(bytes([byte]))
                time.sleep(served.drip_seconds)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
