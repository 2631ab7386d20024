"""A relay that anybody may ask answers what approved policy opens to anybody, and is silent about the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from flagseal.model.errors import UsageError
from flagseal_relay.anonymous import AnonymousSource, is_open
from flagseal_relay.guard import OpenGuard
from flagseal_relay.relay import Relay
from flagseal_relay.serve import Server, listen, listen_to_anybody
from tests.relay.test_refreshing import eventually
from tests.snapshot.world import FLAGS, Clock, World, document, policies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.document import Document
    from flagseal_relay.source import FlagSource

ACCESS: dict[str, Any] = {"issuers": [], "bindings": [], "lifetimes": {"workload": "10m"}}


def access(*namespaces: str, **more: Any) -> Document:  # noqa: ANN401 (a spec's fields)
    """Write an AccessPolicy that opens some namespaces."""
    return document("AccessPolicy", "access", {**ACCESS, "anonymous": {"namespaces": list(namespaces), **more}})


@contextmanager
def answering(world: World, source: FlagSource) -> Iterator[str]:
    """Run a relay that anybody may ask; here it listens on the loopback interface."""
    relay = Relay(AnonymousSource(source), files=None, poll=0.05, clock=lambda: world.clock().timestamp())
    with Server(relay, listen(port=0), to_anybody=True) as server:
        server.start()
        assert relay.wait_until_ready(60)
        yield server.url


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Publish the small company, with the search namespace open to anybody."""
    world = World(tmp_path, documents=(*policies(), access("search"), *FLAGS))
    world.publish()
    return world


def status(url: str, key: str, **headers: str) -> int:
    """Ask for one flag."""
    return httpx.post(f"{url}/ofrep/v1/evaluate/flags/{key}", content=b"{}", headers=headers, timeout=60).status_code


def test_only_what_policy_opens_is_there(world: World) -> None:
    """One flag, all flags, metrics, files: nothing of another namespace shows, by any name."""
    with world.client() as client, answering(world, client) as url:
        assert status(url, "ranker") == 200
        assert (status(url, "pay-later"), status(url, "no-such")) == (404, 404)
        assert [
            it["key"] for it in httpx.post(f"{url}/ofrep/v1/evaluate/flags", content=b"{}", timeout=60).json()["flags"]
        ] == ["ranker"]
        told = httpx.get(f"{url}/metrics", timeout=60).text
        assert "ranker" in told
        assert "pay-later" not in told
        assert httpx.get(f"{url}/tuf/metadata/timestamp.json", timeout=60).status_code == 404
        assert httpx.get(f"{url}/readyz", timeout=60).json()["ready"] is True


def test_a_namespace_closes_and_opens_as_policy_does(world: World) -> None:
    """By an approved change, and at once."""
    with world.client() as client, answering(world, client) as url:
        world.change(access("payments"), by=("frank", "dora"))
        eventually(lambda: (status(url, "ranker"), status(url, "pay-later")) == (404, 200))


@pytest.mark.parametrize("environments", [{}, {"environments": ["staging"]}])
def test_without_a_policy_for_this_environment_nothing_is_answered(
    tmp_path: Path, environments: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Deny by default; the log says why it is so quiet."""
    opened = (access("search", **environments),) if environments else ()
    world = World(tmp_path, documents=(*policies(), *opened, *FLAGS))
    world.publish()
    with world.client() as client, answering(world, client) as url:
        assert {status(url, key) for key in ("ranker", "pay-later")} == {404}
    assert "opens none of 2 namespaces in production" in caplog.text


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b'{"namespace":"search","environment":"production","policy":null}',
        b'{"namespace":"search","environment":"production","policy":{"anonymous":{"namespaces":"search"}}}',
        b'{"namespace":"search","environment":"production","policy":{"anonymous":{"namespaces":["*"]}}}',
        b'{"namespace":"other","environment":"production","policy":{"anonymous":{"namespaces":["search"]}}}',
        b'{"namespace":"search","environment":"staging","policy":{"anonymous":{"namespaces":["search"]}}}',
    ],
)
def test_what_cannot_be_understood_opens_nothing(spoilt: bytes) -> None:
    """Nor does what speaks of another namespace or environment."""
    assert not is_open("search", "production", spoilt)


def test_no_web_page_is_answered(world: World) -> None:
    """Not even one that made the relay's address its own: with an evaluation it says where it comes from."""
    with world.client() as client, answering(world, client) as url:
        assert status(url, "ranker", origin="https://attacker.example") == 403
        assert status(url, "ranker", host="flagseal-relay.flagseal-relay.svc:8016") == 200
    guard = OpenGuard()
    assert guard.refusal([(b"host", b"a"), (b"host", b"b")]) is not None
    assert guard.refusal([(b"host", b"10.0.0.7:8016")]) is None


@pytest.mark.parametrize(
    "address",
    ["8016", "10.0.0.1", "localhost:8016", "::1:8016", "[::1:8016", "10.0.0.1:x", "[10.0.0.1]:x", "999.0.0.1:1", ""],
)
def test_an_address_that_may_mean_anything_is_refused(address: str) -> None:
    """Whoever opens a relay says where in figures."""
    with pytest.raises(UsageError) as refused:
        listen_to_anybody(address)
    assert refused.value.code == "BadAddress"


def test_the_command_answers_where_it_is_told_and_says_so(tmp_path: Path) -> None:
    """As the manifests run it, but for the address."""
    clock = Clock(datetime.now(UTC).replace(microsecond=0))
    world = World(tmp_path, documents=(*policies(), access("search"), *FLAGS), clock=clock)
    world.publish()
    (tmp_path / "root.json").write_bytes(world.root)
    command = Path(sys.executable).with_name("flagseal")
    words = [command, "relay", "--store", tmp_path / "store", "--root", tmp_path / "root.json", "--log-format", "json"]
    log = tmp_path / "log"
    with log.open("w") as out, subprocess.Popen(
        [*map(str, words), "--cache", str(tmp_path / "cache"), "--listen", "127.0.0.1:0"], stdout=out, stderr=out
    ) as process:  # fmt: skip
        try:
            eventually(lambda: "Relay on " in log.read_text())
            said = next(line for line in log.read_text().splitlines() if line.startswith("Relay on "))
            url = said.removeprefix("Relay on ").rstrip(".")
            eventually(lambda: status(url, "ranker") == 200)
            assert status(url, "pay-later") == 404
            assert "flagd" not in said
        finally:
            process.terminate()
            process.wait(timeout=30)
    logged = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert [line["namespaces"] for line in logged if line.get("event") == "anonymous-namespaces"] == [["search"]]
    assert "snapshot" in {line.get("event") for line in logged}
    assert process.returncode == 0
