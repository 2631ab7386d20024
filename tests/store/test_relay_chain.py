"""Relays as processes of their own: behind a store, and behind each other; each verifies for itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from flagseal.snapshot.stores import open_store
from tests.snapshot.world import Clock, World, flag
from tests.store.server import READER, credentials

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.snapshot.store import Store
    from tests.store.server import S3Server

FLAGSEAL = str(Path(sys.executable).with_name("flagseal"))
_PATIENCE = 120.0


@contextmanager
def relay(folder: Path, name: str, *where: str, env: dict[str, str] | None = None, poll: str = "3600") -> Iterator[str]:
    """Run a relay, and give its address."""
    words = ["relay", *where, "--root", str(folder / "root.json"), "--cache", str(folder / name)]
    process = subprocess.Popen(
        [FLAGSEAL, *words, "--port", "0", "--no-sync", "--poll", poll],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(env or {})},
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(r"http://[0-9.:]+", line)
        assert found is not None, line
        yield found.group(0).rstrip(".:")
    finally:
        process.terminate()
        process.wait(timeout=120)
        process.stdout.close()


def ready(url: str) -> dict[str, Any]:
    """Ask a relay what it serves."""
    answer = urllib3.request("GET", f"{url}/readyz", retries=False, timeout=60)
    body: dict[str, Any] = json.loads(answer.data)
    return body


def until_serving(url: str, sequence: int) -> dict[str, Any]:
    """Wait until a relay serves a head."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        says = ready(url)
        if says.get("sequence") == sequence:
            return says
        assert time.monotonic() < deadline, says
        time.sleep(0.05)


def value(url: str, key: str) -> object:
    """Evaluate a flag over OFREP."""
    body = json.dumps({"context": {"targetingKey": "u1", "org": "acme"}})
    answer = urllib3.request("POST", f"{url}/ofrep/v1/evaluate/flags/{key}", body=body, retries=False, timeout=60)
    return json.loads(answer.data).get("value")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a company whose clock is the machine's."""
    world = World(tmp_path, clock=Clock(datetime.now(UTC)))
    (tmp_path / "root.json").write_bytes(world.root)
    return world


def moved(world: World, store: Store) -> None:
    """Let the company publish to another store."""
    for name in world.directory.list(""):
        stored = world.directory.get(name)
        assert stored is not None
        store.put_new(name, stored.data)
    world.store = store
    world.publisher = world.new_publisher()


def test_news_go_down_a_chain_of_three_relays_and_each_verifies(
    world: World, tmp_path: Path, s3: S3Server, prefix: str, as_writer: None
) -> None:
    """Bucket → relay → relay → relay. The first looks every second; the others, but for the news, once an hour."""
    del as_writer
    url = s3.url(prefix)
    moved(world, open_store(url))
    world.publish()
    with ExitStack() as stack:
        run = stack.enter_context
        first = run(relay(tmp_path, "first", "--store", url, env=credentials(READER), poll="1"))
        until_serving(first, 0)
        second = run(relay(tmp_path, "second", "--upstream-relay", first))
        until_serving(second, 0)
        third = run(relay(tmp_path, "third", "--upstream-relay", second))
        until_serving(third, 0)
        assert value(third, "pay-later") is False
        world.change(flag("pay-later", on_for=["acme"]))
        until_serving(third, 1)
        assert value(third, "pay-later") is True


class _Liar(BaseHTTPRequestHandler):
    """A relay in the middle that passes on what it likes."""

    upstream: str
    lying: threading.Event

    def do_GET(self) -> None:
        answer = urllib3.request("GET", self.upstream + self.path, retries=False, timeout=60)
        data = answer.data
        if self.lying.is_set():
            data = data.replace(b'"acme"', b'"evil"').replace(b"acme", b"evil")
        self.send_response(answer.status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_relay_behind_a_liar_keeps_the_last_good_snapshot(world: World, tmp_path: Path) -> None:
    """Whoever stands in the middle can hold news back, and nothing else; once it is honest again, they arrive."""
    world.publish()
    with relay(tmp_path, "first", "--store", str(world.directory.path), poll="0.2") as first:
        until_serving(first, 0)
        lying = threading.Event()
        handler = type("Liar", (_Liar,), {"upstream": first, "lying": lying})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        middle = f"http://127.0.0.1:{server.server_port}"
        with relay(tmp_path, "last", "--upstream-relay", middle, poll="0.2") as last:
            until_serving(last, 0)
            lying.set()
            world.change(flag("pay-later", on_for=["acme"]))
            until_serving(first, 1)
            deadline = time.monotonic() + _PATIENCE
            while "refused" not in (says := ready(last)):
                assert time.monotonic() < deadline, says
                time.sleep(0.05)
            assert says["sequence"] == 0
            assert value(last, "pay-later") is False
            lying.clear()
            until_serving(last, 1)
            assert value(last, "pay-later") is True
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("where", [[], ["--store", "x", "--upstream-relay", "http://127.0.0.1:1"]])
def test_a_relay_needs_exactly_one_source(world: World, tmp_path: Path, where: list[str]) -> None:
    """With none or two it does not start."""
    del world
    words = ["relay", *where, "--root", str(tmp_path / "root.json"), "--cache", str(tmp_path / "cache")]
    done = subprocess.run([FLAGSEAL, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--upstream-relay" in done.stderr
