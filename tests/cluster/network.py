"""A way to the API server that one process has for itself, and that a test can cut."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Way:
    """Pass bytes on to a port of this machine, until it is cut.

    Attributes:
        port: Where it begins.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._cut = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cut it: what is open ends, and what comes is turned away."""
        self._cut.set()
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let everything through again."""
        self._cut.clear()

    def close(self) -> None:
        """End it for good."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            if self._cut.is_set():
                caller.close()
            else:
                threading.Thread(target=self._pass, args=(caller,), daemon=True).start()

    def _pass(self, caller: socket.socket) -> None:
        with caller, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as server:
            self._open |= {caller, server}
            try:
                _pump(caller, server)
            finally:
                self._open -= {caller, server}


def _pump(one: socket.socket, other: socket.socket) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in selector.select():
                source: Any = key.fileobj
                data = source.recv(65536)
                if not data:
                    return
                key.data.sendall(data)


@contextmanager
def way(kubeconfig: Path, folder: Path) -> Iterator[tuple[Way, Path]]:
    """Make a way of its own to the API server that a kubeconfig names, with a kubeconfig for it."""
    body = yaml.safe_load(kubeconfig.read_text())
    cluster = body["clusters"][0]["cluster"]
    it = Way(int(cluster["server"].rpartition(":")[2]))
    cluster["server"] = f"https://127.0.0.1:{it.port}"
    path = folder / f"kubeconfig-{it.port}"
    path.write_text(yaml.safe_dump(body))
    try:
        yield it, path
    finally:
        it.close()
