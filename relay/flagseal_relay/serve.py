"""Listening: the relay in a thread of its own, inside whatever process wants one."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import re
import socket
import threading
from typing import TYPE_CHECKING, Final, Self

import uvicorn

from flagseal.model.errors import FlagsealError, UsageError
from flagseal_relay.app import create_app
from flagseal_relay.connection import BoundedProtocol

if TYPE_CHECKING:
    from types import TracebackType

    from starlette.types import ASGIApp

    from flagseal_relay.relay import Relay

PORT: Final = 8016
"""Where OFREP servers listen by custom."""

_ADDRESS: Final = re.compile(r"(?:(?P<four>[0-9.]+)|\[(?P<six>[0-9A-Fa-f:.]+)\]):(?P<port>[0-9]{1,5})", re.ASCII)
_UNREAD_MS: Final = 30_000
_START_SECONDS: Final = 30.0


def serve(relay: Relay, host: str = "127.0.0.1", port: int = PORT) -> Server:
    """Start answering, and come back when requests are taken.

    Being started is not being ready: :meth:`flagseal_relay.relay.Relay.wait_until_ready` waits for flags.

    Args:
        relay: What answers.
        host: An address of the loopback interface, or ``localhost``.
        port: 0 takes any free one; :attr:`Server.port` says which.

    Raises:
        UsageError: The address is not the loopback's (``LoopbackOnly``), or cannot be listened on (``PortTaken``,
            ``CannotListen``).
    """
    server = Server(relay, listen(host, port))
    server.start()
    return server


def listen(host: str = "127.0.0.1", port: int = PORT, *, option: str = "--port") -> socket.socket:
    """Take the address, for a host that must know that it can be had before it does anything else.

    Args:
        host: As :func:`serve`.
        port: As :func:`serve`.
        option: How a person chooses another port.

    Raises:
        UsageError: As :func:`serve`.
    """
    return _bind(_loopback(host), port, option)


def listen_to_anybody(address: str) -> socket.socket:
    """Take an address that other machines may reach, for ``Server(…, to_anybody=True)``.

    Args:
        address: ``0.0.0.0:8016`` or ``[::]:8016``: an address of this machine in figures, and a port.

    Raises:
        UsageError: ``BadAddress``, ``PortTaken``, ``CannotListen``.
    """
    parts = _ADDRESS.fullmatch(address)
    try:
        host = str(ipaddress.ip_address(parts["six"] or parts["four"])) if parts else ""
    except ValueError:
        host = ""
    if parts is None or not host:
        raise UsageError(
            f"--listen {address}: not ADDRESS:PORT",
            code="BadAddress",
            remedy="Write it like 0.0.0.0:8016 or [::]:8016; a name may mean anything tomorrow.",
        )
    return _bind(host, int(parts["port"]), "--listen")


class Server:
    """A relay that listens, until stopped; also a context manager.

    Args:
        relay: What answers.
        listener: Where.
        to_anybody: Answer other machines, too; then the relay's source must be an
            :class:`~flagseal_relay.anonymous.AnonymousSource`.

    Attributes:
        host: The address it listens on.
        port: The port it listens on.
    """

    def __init__(self, relay: Relay, listener: socket.socket, *, to_anybody: bool = False) -> None:
        self.host, self.port = listener.getsockname()[:2]
        self._relay = relay
        self._listener = listener
        self._uvicorn = _Uvicorn(_configuration(create_app(relay, to_anybody=to_anybody)))
        self._thread = threading.Thread(target=self._run, name="flagseal-relay", daemon=True)
        self._failure: BaseException | None = None

    @property
    def url(self) -> str:
        """Its address, without a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def running(self) -> bool:
        """Whether it still answers."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start its thread; :func:`serve` does.

        Raises:
            FlagsealError: It did not come up.
        """
        self._thread.start()
        self._uvicorn.settled.wait(_START_SECONDS)
        if not self._uvicorn.started:
            raise FlagsealError(
                f"The relay at {self.url} did not start: {self._failure or 'no reason is known'}",
                code="RelayFailed",
                remedy="Look into the log; this is a fault of the relay.",
            )

    def stop(self, timeout: float = 5.0) -> None:
        """Let running requests end, then stop; from any other thread, and as often as one likes.

        Args:
            timeout: Seconds for requests to end in.
        """
        loop = self._uvicorn.loop
        if loop is not None and self._thread.is_alive():
            self._uvicorn.config.timeout_graceful_shutdown = max(1, round(timeout))
            loop.call_soon_threadsafe(self._relay.close)  # Event streams never end by themselves.
        self._uvicorn.should_exit = True
        self._thread.join(timeout + 7.0)  # Requests, and then a refresh that is under way.

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            self._uvicorn.run(sockets=[self._listener])
        except BaseException as error:  # noqa: BLE001 (the edge of a thread: uvicorn leaves by SystemExit)
            self._failure = error
        finally:
            self._listener.close()
            self._uvicorn.settled.set()


class _Uvicorn(uvicorn.Server):
    """uvicorn, saying when it has started."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.settled.set()


def _configuration(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        # The process that starts a relay decides on logging; a line for each request would cost as much as the answer.
        log_config=None,
        access_log=False,
        lifespan="on",
        http=BoundedProtocol,
        ws="none",
        server_header=False,
        # Nobody stands between a program and its loopback interface; believing X-Forwarded-* would be wrong.
        proxy_headers=False,
        timeout_keep_alive=75,
    )


def _loopback(host: str) -> str:
    """Give the address to listen on.

    Raises:
        UsageError: It is reachable from other machines.
    """
    if host == "localhost":
        return "127.0.0.1"
    try:
        if ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        pass  # A name may mean anything tomorrow.
    raise UsageError(
        f"The relay answers without a token, so it does not listen on {host!r}, where other machines could ask it.",
        code="LoopbackOnly",
        remedy="Listen on 127.0.0.1 or ::1, or open what policy opens to anybody with --listen.",
    )


def _bind(host: str, port: int, option: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Accepted connections inherit it: the kernel ends those whose reader does not read.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MS)
        listener.bind((host, port))
        listener.listen(2048)
        listener.settimeout(0)
    except (OSError, OverflowError) as error:
        listener.close()
        raise cannot_listen(host, port, error, option) from None
    return listener


def cannot_listen(host: str, port: int, error: OSError | OverflowError, option: str) -> UsageError:
    """Say why an address cannot be had."""
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return UsageError(
            f"{host}:{port} is taken: another program listens there.",
            code="PortTaken",
            remedy=f"Stop it, or choose another port with {option} (0 takes any free one).",
        )
    reason = error.strerror if isinstance(error, OSError) else "a port is a number from 0 to 65535"
    return UsageError(
        f"The relay cannot listen on {host}:{port}: {reason}.",
        code="CannotListen",
        remedy=f"Choose another port with {option} (0 takes any free one).",
    )
