"""A threading HTTP server of the operator's: opened, started and stopped in one way."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from flagseal.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.server import ThreadingHTTPServer


class Listener:
    """A server that listens from the beginning, and answers between :meth:`start` and :meth:`stop`.

    Args:
        opened: Opens it.
        name: Of its thread.
        trouble: What to say if the port cannot be had: what is not to be, and where.
        remedy: And what to do then.

    Attributes:
        port: Where it listens.

    Raises:
        UsageError: ``CannotListen``.
    """

    def __init__(self, opened: Callable[[], ThreadingHTTPServer], *, name: str, trouble: str, remedy: str) -> None:
        try:
            self._server = opened()
        except (OSError, OverflowError) as error:
            raise UsageError(f"{trouble}: {error}", code="CannotListen", remedy=remedy) from None
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name=name, daemon=True)

    def start(self) -> None:
        """Start answering."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering, and free the port; also if it never started."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()
