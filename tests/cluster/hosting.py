"""Operators in processes of their own whose stores a test has its hand in: they can be killed at any write."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import urllib.request
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from threading import BrokenBarrierError
from typing import TYPE_CHECKING, Any
from unittest import mock

from kubernetes.client import CoordinationV1Api

from flagseal.snapshot.store import AlreadyExists, etag_of
from flagseal_operator.kube import configuration
from flagseal_operator.lease import Terms
from flagseal_operator.lease_marks import LeaseMarks
from flagseal_operator.process import Options, Process

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import ForkProcess
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from flagseal.snapshot.compose import Lifetimes
    from flagseal.snapshot.marks import Mark
    from flagseal.snapshot.store import DirectoryStore, Store, Stored
    from tests.cluster.cluster import Cluster
    from tests.snapshot.world import World

_FORK = multiprocessing.get_context("fork")
SAFE = -1
PATIENCE = 60.0  # seconds
PATIENT = Terms("patient", duration=600, deadline=300.0)
"""For tests in which nobody is to lose the Lease: as installed, a machine that stalls for five seconds deposes."""


class Fuse:
    """A charge that several processes see: how many more writes there are until the writer is killed."""

    def __init__(self) -> None:
        self._left = _FORK.Value("i", SAFE)

    def light(self, writes: int) -> None:
        """Let so many writes go through."""
        self._left.value = writes

    def put_out(self) -> bool:
        """Let all writes go through; say whether it was burning still."""
        burning = bool(self._left.value >= 0)
        self._left.value = SAFE
        return burning

    def write(self) -> None:
        """Count a write that begins; the last never does, and nothing in the process gets to see why."""
        if self._left.value == 0:
            self._left.value = SAFE
            os.kill(os.getpid(), signal.SIGKILL)
        if self._left.value > 0:
            self._left.value -= 1


class Minefield:
    """A store that kills its writer."""

    def __init__(self, store: DirectoryStore, fuse: Fuse) -> None:
        self._store = store
        self._fuse = fuse

    def get(self, name: str, *, limit: int | None = None) -> Stored | None:
        """Read."""
        return self._store.get(name, limit=limit)

    def list(self, prefix: str) -> tuple[str, ...]:
        """List."""
        return self._store.list(prefix)

    def put_new(self, name: str, data: bytes) -> None:
        """Create."""
        self._fuse.write()
        self._store.put_new(name, data)

    def replace(self, name: str, data: bytes, *, if_match: str | None) -> str:
        """Replace."""
        self._fuse.write()
        return self._store.replace(name, data, if_match=if_match)


@dataclass(frozen=True)
class Line:
    """One timestamp that became visible, or one write that came too late.

    Attributes:
        timestamp: Its version; 0 where somebody else was faster.
        snapshot: Version of the snapshot it named.
        digest: Of that snapshot.
        writer: Process that wrote.
    """

    timestamp: int
    snapshot: int
    digest: str
    writer: int


class Meeting:
    """A place where two publishers wait for each other once it is called, so that neither can be ahead by chance."""

    def __init__(self) -> None:
        self._called = _FORK.Value("b", 0)
        self._both = _FORK.Barrier(2)

    def call(self) -> None:
        """Let the next two who come wait for each other."""
        self._called.value = 1

    def attend(self) -> None:
        """Wait for the other, if there is a meeting; go on alone if nobody comes for long."""
        if self._called.value:
            with suppress(BrokenBarrierError):
                self._both.wait(timeout=PATIENCE)
            self._called.value = 0


class Logbook:
    """A store that notes what became visible, for all processes in one file; its meeting is where publishers meet."""

    def __init__(self, store: DirectoryStore, path: Path) -> None:
        self._store = store
        self._path = path
        self.meeting = Meeting()

    def get(self, name: str, *, limit: int | None = None) -> Stored | None:
        """Read."""
        return self._store.get(name, limit=limit)

    def list(self, prefix: str) -> tuple[str, ...]:
        """List."""
        return self._store.list(prefix)

    def put_new(self, name: str, data: bytes) -> None:
        """Create; a snapshot only after the meeting, if there is one."""
        found = re.fullmatch(r"metadata/(\d+)\.snapshot\.json", name)
        if found:
            self.meeting.attend()
        try:
            self._store.put_new(name, data)
        except AlreadyExists:
            if found:
                self._note(Line(0, int(found[1]), "", os.getpid()))
            raise

    def replace(self, name: str, data: bytes, *, if_match: str | None) -> str:
        """Replace, and note what is visible from now on."""
        etag = self._store.replace(name, data, if_match=if_match)
        signed = json.loads(data)["signed"]
        version = signed["meta"]["snapshot.json"]["version"]
        snapshot = self._store.get(f"metadata/{version}.snapshot.json")
        assert snapshot is not None
        self._note(Line(signed["version"], version, etag_of(snapshot.data), os.getpid()))
        return etag

    def lines(self) -> tuple[Line, ...]:
        """Give what was noted."""
        return tuple(Line(**json.loads(text)) for text in self._path.read_text().splitlines())

    def _note(self, line: Line) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(line)) + "\n")


@dataclass
class Hosted:
    """An operator in a process of its own; killed at the end of the block.

    Attributes:
        cluster: What it watches.
        world: Whose root and key it uses.
        store: Where it publishes.
        lease: The Lease it competes for.
        fuse: Burns down at marks too.
        terms: How it competes, but for its name; as installed if None.
        kubeconfig: How it reaches the API server; as everybody does if None.
        lifetimes: How long what it signs holds; as installed if None.
    """

    cluster: Cluster
    world: World
    store: Store
    lease: str
    fuse: Fuse | None = None
    terms: Terms | None = None
    kubeconfig: Path | None = None
    lifetimes: Lifetimes | None = None
    _fast: Any = field(default_factory=lambda: _FORK.Value("d", 0.0))
    _port: Any = field(default_factory=lambda: _FORK.Value("i", 0))
    _process: ForkProcess | None = None

    def __enter__(self) -> Self:
        self._process = _FORK.Process(target=self._run, daemon=True)
        self._process.start()
        self.cluster.until(lambda: self._port.value)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.is_alive()

    def kill(self) -> None:
        """Kill it without a word."""
        if self._process is not None and self._process.is_alive():
            self._process.kill()
        if self._process is not None:
            self._process.join()

    def set_clock(self, fast: float) -> None:
        """Set its clock, and nobody else's.

        Args:
            fast: Seconds before everybody else's; negative for behind.
        """
        self._fast.value = fast

    def why(self) -> str:
        """Give what it says of how it is."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port.value}/readyz", timeout=30) as answer:
                return str(json.loads(answer.read())["why"])
        except (OSError, HTTPException, ValueError):
            return ""

    def stands_at(self, sequence: int) -> bool:
        """Say whether it has published a head, and nothing is in its way."""
        return (
            self.gauge("snapshot_version") > 0
            and self.gauge("head_sequence") == sequence
            and self.gauge("failing") == 0
        )

    def gauge(self, name: str) -> float:
        """Read one of its gauges; -1 while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port.value}/metrics", timeout=30) as answer:
                text = answer.read().decode()
        except (OSError, HTTPException):  # it may be killed in the middle of its answer
            return -1.0
        found = re.search(rf"^flagseal_operator_{name} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else -1.0

    def _run(self) -> None:
        if self.fuse is not None:
            # In this process only: nobody else's marks explode.
            mock.patch.object(LeaseMarks, "reach", _reach_over(self.fuse)).start()
        hosted = Process(
            Options(
                store=self.store,
                root=self.world.root,
                online=lambda: self.world.online,
                configure=lambda: configuration(self.kubeconfig or self.cluster.kubeconfig),
                terms=replace(self.terms or Terms("hosted"), identity=f"hosted-{os.getpid()}"),
                lease=("default", self.lease),
                lifetimes=self.lifetimes,
                clock=lambda: datetime.now(UTC) + timedelta(seconds=self._fast.value),
            )
        )
        signal.signal(signal.SIGTERM, lambda *_: hosted.stop())
        hosted.run(lambda health: setattr(self._port, "value", health.port))


def _reach_over(fuse: Fuse) -> Callable[[LeaseMarks, Mark], None]:
    reach = LeaseMarks.reach

    def mined(marks: LeaseMarks, mark: Mark) -> None:
        fuse.write()
        reach(marks, mark)

    return mined


def let_go(cluster: Cluster, lease: str) -> None:
    """Say for a killed operator that the Lease is free: tests need not wait for what the election's tests show."""
    CoordinationV1Api(cluster.api).patch_namespaced_lease(lease, "default", {"spec": {"holderIdentity": ""}})
