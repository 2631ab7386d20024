"""The operator's process, as it is installed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from tests.snapshot.world import World

COMMAND = Path(sys.executable).parent / "flagseal"
START_SECONDS = 300.0
"""Longest wait for its first word: a busy machine is no fault of its own."""


@dataclass
class Operator:
    """One process of ``flagseal operator run``; ends with the block.

    Attributes:
        world: Whose store, root and key it uses.
        kubeconfig: How it reaches the API server.
        words: More options.
        name: Of the process.
        store: Where it publishes; the world's directory if None.
        temporary: Where it has its temporary files: what a killed one leaves goes with the test's folder.
    """

    world: World
    kubeconfig: Path
    words: tuple[str, ...] = ()
    name: str = "operator"
    store: str | None = None
    _process: subprocess.Popen[str] | None = None
    temporary: Path = field(init=False)
    _log: Path = field(init=False)
    _port: int = 0

    def __post_init__(self) -> None:
        self._log = self.world.path / f"{self.name}.log"
        self.temporary = self.world.path / f"{self.name}.tmp"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    @property
    def said(self) -> str:
        """What it has logged."""
        return self._log.read_text()

    def start(self) -> None:
        """Start it, and wait until it tells how it is."""
        root, key = self.world.path / "root.json", self.world.path / "online.pem"
        if not root.exists():
            root.write_bytes(self.world.root)
        key.touch(mode=0o600)
        key.write_bytes(self.world.online._private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        store = self.store or str(self.world.directory.path)
        command = [
            str(COMMAND), "operator", "run", "--store", store, "--root", str(root),
            "--online-key", str(key), "--kubeconfig", str(self.kubeconfig), "--port", "0", "--identity", self.name,
            "--lease-namespace", "default", "--lease-name", lease_of(self.world), *self.words,
        ]  # fmt: skip
        self._log.write_text("")
        self.temporary.mkdir(exist_ok=True)
        environment = {**os.environ, "TMPDIR": str(self.temporary)}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, text=True, env=environment)
        end = time.monotonic() + START_SECONDS
        while not (found := re.search(r"Health on http://127\.0\.0\.1:(\d+)", self.log)):
            assert self._process.poll() is None, self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.05)
        self._port = int(found[1])

    def stop(self, number: int = signal.SIGTERM, patience: float = 90.0) -> int:
        """Send it a signal, and wait for its end."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
            raise

    def kill(self) -> None:
        """Kill it without a word."""
        self.stop(signal.SIGKILL)

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def was_started(self) -> bool:
        """Whether it ever ran."""
        return self._process is not None

    @property
    def log(self) -> str:
        """What it said."""
        return self._log.read_text()

    def ask(self, path: str) -> tuple[int, str]:
        """Ask its health server."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (OSError, HTTPException) as error:  # it may be ended in the middle of its answer
            return 0, str(error)

    def gauge(self, name: str) -> float:
        """Read one of its gauges; -1 while it does not answer."""
        found = re.search(rf"^flagseal_operator_{name} (\S+)$", self.ask("/metrics")[1], re.MULTILINE)
        return float(found[1]) if found else -1.0

    def why(self) -> Any:  # noqa: ANN401 (JSON)
        """Give what it says of being ready."""
        return json.loads(self.ask("/readyz")[1])["why"]


def lease_of(world: World) -> str:
    """Name the Lease of a world's operators: it outlives them, and remembers."""
    return f"flagseal-{hashlib.sha256(str(world.path).encode()).hexdigest()[:12]}"
