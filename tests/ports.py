"""Ports for servers that tests start."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import BinaryIO

_RANGE = range(20_000, 32_000)
"""Outside the ports that Linux (from 32768 on) and macOS (from 49152 on) give to whoever names none, for a connection
or for a server: nobody gets one of these between its being found and its server's opening it."""

_ours: set[int] = set()
_held: list[BinaryIO] = []


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on, and that no other process that tests gets as long as this one runs."""
    if not _held:
        # POSIX locks go with the process, and as soon as it closes the file anywhere: so it is opened once, for good.
        _held.append((Path(tempfile.gettempdir()) / f"flagseal-test-ports-{os.getuid()}").open("ab"))
    found: list[int] = []
    for port in random.sample(_RANGE, len(_RANGE)):
        if len(found) == count:
            break
        if port not in _ours and _is_locked(port) and _is_free(port):
            _ours.add(port)
            found.append(port)
    assert len(found) == count, "no port is free"
    return found


def _is_locked(port: int) -> bool:
    try:
        fcntl.lockf(_held[0], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
