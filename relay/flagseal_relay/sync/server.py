"""Listening for flagd's sync protocol: a gRPC server beside the relay's HTTP server, in threads of its own.

It takes cleartext HTTP/2 only, which no browser speaks, so a web page cannot reach it as it could reach HTTP
(guard.py); what is left to hold is that nobody asks from another machine.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self

import grpc

from flagseal_relay.serve import cannot_listen, listen
from flagseal_relay.sync.service import SyncService

if TYPE_CHECKING:
    from types import TracebackType

    from flagseal_relay.relay import Relay

PORT: Final = 8015
"""Where flagd's sync protocol is spoken by custom."""

OPTION: Final = "--sync-port"
_SPARE_THREADS: Final = 8
"""For calls that are no streams."""

_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # Otherwise a second relay could take the same port and half of the clients.
    ("grpc.max_receive_message_length", 64 * 1024),  # A request has two short strings.
    ("grpc.max_concurrent_streams", 100),  # By one connection.
    # Clients that vanished without a word are noticed within 40 seconds.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Clients may look after us as often: gRPC's default calls more than one ping in five minutes abuse.
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.max_connection_idle_ms", 300_000),  # Without a call.
)


class SyncServer:
    """flagd's sync protocol on an address, taken when it is made, answered from :meth:`start` to :meth:`stop`.

    Also a context manager, which stops it.

    Args:
        host: An address of the loopback interface, or ``localhost``.
        port: 0 takes any free one.
        limit: Streams at the same time; each has a thread.
        patience: Seconds for which a client may leave what was sent unread.

    Attributes:
        host: The address it listens on.
        port: The port it listens on.

    Raises:
        UsageError: The address is not the loopback's (``LoopbackOnly``), or cannot be listened on (``PortTaken``,
            ``CannotListen``).
    """

    def __init__(self, host: str = "127.0.0.1", port: int = PORT, *, limit: int = 256, patience: float = 10.0) -> None:
        with listen(host, port, option=OPTION) as probe:  # gRPC takes no socket, and its errors name no cause.
            self.host, self.port = probe.getsockname()[0], port
        self._limit = limit
        self._patience = patience
        self._service: SyncService | None = None
        self._threads = ThreadPoolExecutor(limit + _SPARE_THREADS, thread_name_prefix="flagseal-sync")
        self._grpc = grpc.server(self._threads, options=_OPTIONS, maximum_concurrent_rpcs=limit + _SPARE_THREADS)
        try:
            # It finds the free port itself: the one that the probe had may be somebody else's by now.
            self.port = self._grpc.add_insecure_port(self.address)
        except RuntimeError as error:
            raise cannot_listen(self.host, self.port, OSError(0, str(error)), OPTION) from None

    @property
    def address(self) -> str:
        """Host and port, as flagd and its providers take them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def start(self, relay: Relay) -> None:
        """Answer from what a relay serves; until that has a snapshot, calls are told so."""
        self._service = SyncService(relay, limit=self._limit, patience=self._patience)
        self._grpc.add_generic_rpc_handlers((self._service.handlers(),))
        self._service.start()
        self._grpc.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End streams in order, then stop; as often as one likes.

        Args:
            timeout: Seconds for clients to take note in.
        """
        if self._service is not None:
            self._service.close()
        self._grpc.stop(timeout).wait()
        self._threads.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
