"""A bad network before a good server: a proxy that fails as it is told."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Fault:
    """What happens to a request.

    Attributes:
        how: ``answer`` with a status and never reach the server; ``cut`` the connection before the server hears of it;
            ``half`` of the body reaches the server; the server does it and the answer is ``lost``, or ``torn`` in the
            middle; ``late`` reaches the server once the proxy lets it.
        method: Of the requests it happens to.
        status: For ``answer``.
        code: For ``answer``: S3's word for it.
    """

    how: Literal["answer", "cut", "half", "lost", "torn", "late"]
    method: str = "PUT"
    status: int = 503
    code: str = "SlowDown"


class Proxy:
    """Pass requests on, but for the faults it was given; each happens once, in order.

    Attributes:
        seen: Methods of the requests that came, in order.
        let_go: Set when late requests may reach the server.
        late: Released for each late request that the server has answered by now.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream)
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._always: Fault | None = None
        self._alternating: Fault | None = None
        self._turn = False
        self.seen: list[str] = []
        self.let_go = threading.Event()
        self.late = threading.Semaphore(0)
        self.endpoint = ""

    def will(self, *faults: Fault) -> None:
        """Let these happen to the requests that come next."""
        with self._lock:
            self._faults.extend(faults)

    def always(self, fault: Fault | None) -> None:
        """Let one happen to every request of its method from now on."""
        with self._lock:
            self._always = fault

    def alternate(self, fault: Fault) -> None:
        """Let one happen to every other request of its method, beginning with the next."""
        with self._lock:
            self._alternating = fault
            self._turn = False

    def fault_for(self, method: str) -> Fault | None:
        """Take the fault that is due."""
        with self._lock:
            self.seen.append(method)
            if self._faults and self._faults[0].method == method:
                return self._faults.pop(0)
            if self._alternating is not None and self._alternating.method == method:
                self._turn = not self._turn
                return self._alternating if self._turn else None
            return self._always if self._always is not None and self._always.method == method else None

    def upstream(self) -> HTTPConnection:
        """Open a connection to the server."""
        assert self._upstream.hostname is not None
        return HTTPConnection(self._upstream.hostname, self._upstream.port, timeout=120)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def do_GET(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        fault = self.proxy.fault_for(self.command)
        how = None if fault is None else fault.how
        if fault is not None and how == "answer":
            self._answer(fault.status, f"<Error><Code>{fault.code}</Code></Error>".encode())
            return
        if how in {"cut", "half"}:
            if how == "half":
                self._pass_half(body)
            self._hang_up()
            return
        if how == "late":
            self.proxy.let_go.wait()
        status, headers, answer = self._pass(body)
        if how == "late":
            self.proxy.late.release()
        if how in {"lost", "late"}:
            self._hang_up()
            return
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
                self.send_header(name, value)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        if how == "torn":
            self.wfile.write(answer[: len(answer) // 2])
            self._hang_up()
            return
        self.wfile.write(answer)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True

    def _pass(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = self.proxy.upstream()
        try:
            self._send_head(connection)
            connection.send(body)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    def _pass_half(self, body: bytes) -> None:
        connection = self.proxy.upstream()
        self._send_head(connection)
        connection.send(body[: len(body) // 2])
        connection.close()

    def _send_head(self, connection: HTTPConnection) -> None:
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def bad_network(upstream: str) -> Iterator[Proxy]:
    """Run a proxy before a server."""
    proxy = Proxy(upstream)
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    proxy.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join()
