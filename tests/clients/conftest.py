"""A published company, a relay that serves it both ways, and clients of other people's making."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from openfeature import api

from flagseal_relay.relay import Relay
from flagseal_relay.serve import serve
from flagseal_relay.sync.server import SyncServer
from tests.clients.asking import Addresses, Answer, node, python, python_flagd, python_ofrep
from tests.clients.company import company

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from flagseal.snapshot.client import SnapshotClient
    from tests.clients.asking import Client
    from tests.clients.company import Question
    from tests.snapshot.world import World

MANIFEST = Path(__file__).parent / "node"
CACHE = Path(__file__).parents[2] / ".cache" / "node-clients"
NODE_CLIENTS = "NODE_CLIENTS"
"""Where JavaScript clients lie installed; if it is not set, npm installs them into the cache."""


@dataclass(frozen=True)
class Served:
    """A company's flags, served."""

    world: World
    client: SnapshotClient
    relay: Relay
    at: Addresses

    def expected(self, question: Question) -> Answer:
        """What our own evaluation answers, as an application gets it."""
        assert self.client.current is not None
        found = self.client.current.evaluate(question.key, question.context)
        value = question.fallback if found.error_code is not None else found.value
        return Answer(value, found.variant, found.reason, found.error_code, dict(found.metadata))


@contextmanager
def serving(path: Path, bucketing: str) -> Iterator[Served]:
    """Serve a company in an environment that hashes as said."""
    world = company(path, bucketing)
    client = world.client()
    relay = Relay(client, poll=3600, clock=lambda: world.clock().timestamp())
    with client, SyncServer(port=0) as sync, serve(relay, port=0) as server:
        sync.start(relay)
        assert relay.wait_until_ready(60)
        yield Served(world, client, relay, Addresses(server.url, sync.address))


@pytest.fixture(scope="module")
def v2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve an environment that hashes as released flagd servers do; shared, so tests leave it as it is."""
    with serving(tmp_path_factory.mktemp("v2"), "v2") as served:
        yield served


@pytest.fixture(scope="module")
def v3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve an environment that hashes as flagd's newest decision says; shared as well."""
    with serving(tmp_path_factory.mktemp("v3"), "v3") as served:
        yield served


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Served]:
    """Serve an environment to one test that changes it."""
    with serving(tmp_path, "v2") as served:
        yield served


@pytest.fixture(autouse=True)
def forget_providers() -> Iterator[None]:
    """Leave OpenFeature's registry as it was."""
    yield
    api.clear_providers()


@pytest.fixture(scope="session")
def node_packages() -> Path:
    """Give the folder in whose node_modules the JavaScript clients lie; skip where they cannot be had."""
    version = re.match(r"v(\d+)", _said("node", "--version"))
    if version is None or int(version[1]) < 20:
        pytest.skip(f"{NODE_CLIENTS}: JavaScript clients need Node 20 or newer, which is not on PATH")
    named = os.environ.get(NODE_CLIENTS)
    if named:
        return Path(named).resolve()
    lock = MANIFEST / "package-lock.json"
    place = CACHE / hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    place.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # Tests run in several processes.
        done = place / "installed"
        if not done.exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(MANIFEST / name, place)
            said = _said("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=place)
            if not (place / "node_modules").is_dir() or "npm error" in said:
                pytest.skip(f"{NODE_CLIENTS}: npm cannot install the JavaScript clients: {said.strip()[-300:]}")
            done.touch()
    return place


def _said(*words: str, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=180, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"npm error {error}"
    return done.stdout + done.stderr if done.returncode == 0 else f"{done.stdout}{done.stderr}\nnpm error"


def connected(
    kind: str, at: Addresses, request: pytest.FixtureRequest, selector: str | None = None
) -> AbstractContextManager[Client]:
    """Run a client of some kind against a relay.

    Args:
        kind: One of :data:`KINDS`.
        at: The relay.
        request: Finds Node's packages, if the kind needs them.
        selector: For those that sync.
    """
    match kind:
        case "python-flagd":
            return python(lambda: python_flagd(at, selector))
        case "python-ofrep":
            return python(lambda: python_ofrep(at))
        case "node-flagd":
            options = {"host": at.host, "port": at.port, "selector": selector or ""}
            return node(request.getfixturevalue("node_packages"), "flagd", **options)
        case _:
            return node(request.getfixturevalue("node_packages"), kind.removeprefix("node-"), url=at.url)
