"""OFREP over HTTP: what the relay adds to the bare server framework, and what a bulk answer adds to its flags.

Two budgets of performance.md:

- one flag, one worker, 32 connections: at least 0.7 × of the same server answering a constant;
- bulk of 100 flags: at most 1.5 × of 100 library calls and one serialisation.

The load comes from ``wrk`` (a package of most distributions) where it is installed, otherwise from a loop of our own
that sends a fixed number of requests. Server and load are pinned to a core each where there are two.
Rounds of ours and theirs alternate, and the best of each counts: other programs only ever slow a round down.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import uvicorn

from flagseal.evaluation import FlagSet
from flagseal_relay.relay import Relay
from flagseal_relay.serve import serve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

CONNECTIONS = 32
FLAGS = 100
SINGLE_BUDGET = 0.7
BULK_BUDGET = 1.5

KEY = "flag-007"
CONTEXT = {
    "targetingKey": "user-17",
    "org": "initech",
    "plan": "enterprise",
    "country": "DE",
    "app": {"version": "2.4.1"},
}
BODY = json.dumps({"context": CONTEXT}).encode()
ONE = f"/ofrep/v1/evaluate/flags/{KEY}"
ALL = "/ofrep/v1/evaluate/flags"


def text_is(attribute: str, *values: str) -> dict[str, Any]:
    """Compile equality as we do."""
    var = {"var": attribute}
    return {"===": [var, values[0]]} if len(values) == 1 else {"in": [var, list(values)]}


def five_rules(number: int) -> dict[str, Any]:
    """Give a flag of five rules, the last a split; the context falls through to it."""
    salt = f"flag-{number:03}"
    org = {"var": "org"}
    split = {
        "if": [
            {"and": [{"starts_with": [org, ""]}, {"!==": [org, ""]}]},
            {"fractional": [{"cat": [salt, org]}, ["enabled", 10], ["disabled", 90]]},
            None,
        ]
    }
    return {
        "state": "ENABLED",
        "variants": {"enabled": True, "disabled": False},
        "defaultVariant": "disabled",
        "targeting": {
            "if": [
                text_is("targetingKey", "user-1", "user-2"), "enabled",
                text_is("org", "acme", "globex"), "enabled",
                {"and": [text_is("plan", "trial"), text_is("country", "US")]}, "enabled",
                {"starts_with": [{"var": "app.version"}, "9."]}, "enabled",
                split,
            ]
        },
        "metadata": {"owner": "team-payments", "riskTier": "sensitive", "expires": "2027-03-31", "approval": "ab" * 32},
    }  # fmt: skip


def flag_set() -> FlagSet:
    """Load a hundred such flags."""
    flags = {f"flag-{number:03}": five_rules(number) for number in range(FLAGS)}
    metadata = {
        "flagSetId": "payments",
        "environment": "production",
        "bucketing": "v2",
        "version": "sha256:" + "cd" * 32,
    }
    return FlagSet.load(json.dumps({"flags": flags, "metadata": metadata}))


@dataclass(frozen=True)
class Namespace:
    """The hundred flags as a snapshot holds them."""

    flag_set: FlagSet
    etag: str


@dataclass(frozen=True)
class View:
    """A snapshot that was verified before the measurement."""

    namespaces: Mapping[str, Namespace]
    version: int = 1
    sequence: int = 1
    environment: str = "production"
    as_of: datetime = datetime(2026, 11, 20, tzinfo=UTC)
    stale: bool = False
    past_limit: frozenset[str] = frozenset()
    expires: datetime = datetime.now(UTC) + timedelta(days=1)


@dataclass(frozen=True)
class Unchanged:
    """A refresh that found nothing new."""

    reason: str | None = None
    message: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Source:
    """Holds one snapshot."""

    current: View

    def refresh(self) -> Unchanged:
        """Find nothing new."""
        return Unchanged()


def run_relay(port: int) -> None:
    """Serve as `flagseal up` does."""
    server = serve(Relay(Source(View({"payments": Namespace(flag_set(), "1")}))), port=port)
    while server.running:
        time.sleep(1)


def run_bare(port: int) -> None:
    """Serve a constant as long as the relay's answer, with the same server and settings."""
    evaluation = flag_set().evaluate(KEY, CONTEXT)
    answer = msgspec.json.encode({"key": KEY, "value": evaluation.value, "metadata": dict(evaluation.metadata)})
    length = str(len(answer)).encode()
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"application/json"), (b"content-length", length)],
    }
    end = {"type": "http.response.body", "body": answer}

    async def constant(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start)
        await send(end)

    uvicorn.run(
        constant,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
    )


def run_starlette(port: int) -> None:
    """Serve a constant from a route of the framework behind our door, for comparison only."""
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    answer = msgspec.json.encode(
        {"key": KEY, "value": False, "metadata": dict(flag_set().evaluate(KEY, CONTEXT).metadata)}
    )

    async def constant(_: Request) -> Response:
        return Response(answer, media_type="application/json")

    app = Starlette(routes=[Route("/ofrep/v1/evaluate/flags/{key}", constant, methods=["POST"])])
    uvicorn.run(app, port=port, log_config=None, access_log=False, lifespan="off", ws="none", proxy_headers=False)


SERVERS = {"relay": run_relay, "bare": run_bare, "starlette": run_starlette}


@dataclass(frozen=True)
class Load:
    """What one round measured: requests a second by the clock, and by the server's processor time."""

    wall: float
    cpu: float


class Served:
    """One of the servers in a process of its own."""

    def __init__(self, name: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self._process = subprocess.Popen(
            [*pinned(0), sys.executable, __file__, "--serve", name, "--port", str(self.port)]
        )
        deadline = time.monotonic() + 20
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise SystemExit(f"the {name} server did not start")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as wire:
                wire.sendall(request(ONE, self.port))
                return wire.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def load(self, path: str, seconds: float) -> Load:
        """Load it for some seconds."""
        before = self._processor()
        requests, took = wrk(self.port, path, seconds) if shutil.which("wrk") else own_load(self.port, path, seconds)
        return Load(requests / took, requests / (self._processor() - before))

    def _processor(self) -> float:
        # proc(5), stat: utime and stime are fields 14 and 15, counted after the name in parentheses.
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End its process."""
        self._process.terminate()
        self._process.wait(10)


def pinned(core: int) -> list[str]:
    """Keep a process on one core, where that can be said."""
    return ["taskset", "-c", str(core)] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else []


def request(path: str, port: int) -> bytes:
    """Write one request as a client would."""
    head = (
        f"POST {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Content-Type: application/json",
        f"Content-Length: {len(BODY)}",
        "",
        "",
    )
    return "\r\n".join(head).encode() + BODY


def wrk(port: int, path: str, seconds: float) -> tuple[int, float]:
    """Load with wrk.

    Returns:
        Requests answered, and the seconds it took.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="utf-8") as script:
        script.write(
            f"wrk.method = 'POST'\nwrk.body = [[{BODY.decode()}]]\nwrk.headers['Content-Type'] = 'application/json'\n"
        )
        script.flush()
        words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", script.name]
        said = subprocess.run(
            [*pinned(1), *words, f"http://127.0.0.1:{port}{path}"], check=True, capture_output=True, text=True
        ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"the load did not get its answers:\n{said}")
    found = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", said)
    assert found is not None
    return int(found[1]), float(found[2]) * {"ms": 0.001, "s": 1.0, "m": 60.0}[found[3]]


class _Asking(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, question: bytes, count: int) -> None:
        self._question = question
        self._left = count
        self._heard = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._question)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, blank, body = self._heard.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        if not blank or length is None or len(body) < int(length[1]):
            return
        assert head.startswith(b"HTTP/1.1 200")
        self._heard = b""
        self._left -= 1
        if self._left:
            self._transport.write(self._question)
        else:
            self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        self.done.set_result(None)


def own_load(port: int, path: str, seconds: float) -> tuple[int, float]:
    """Load with a bounded number of requests, about as many as the seconds hold."""
    each = max(50, int(200 * seconds)) if path == ONE else max(20, int(60 * seconds))

    async def ask() -> float:
        loop = asyncio.get_running_loop()
        began = time.perf_counter()
        pairs = [
            await loop.create_connection(lambda: _Asking(request(path, port), each), "127.0.0.1", port)
            for _ in range(CONNECTIONS)
        ]
        await asyncio.gather(*(protocol.done for _, protocol in pairs))
        return time.perf_counter() - began

    return each * CONNECTIONS, asyncio.run(ask())


def library(rounds: int) -> float:
    """Measure a hundred library calls and one serialisation; the best of some rounds, in seconds."""
    flags = flag_set()
    keys = sorted(flags.keys())
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(100):
            answers = []
            for key in keys:
                value, variant, reason, _, _, metadata = flags.evaluate(key, CONTEXT)
                answers.append(
                    {"key": key, "value": value, "variant": variant, "reason": reason, "metadata": dict(metadata)}
                )
            msgspec.json.encode({"flags": answers})
        best = min(best, (time.perf_counter() - began) / 100)
    return best


def best(rounds: list[Load]) -> Load:
    """Take the best of each measure."""
    return Load(max(load.wall for load in rounds), max(load.cpu for load in rounds))


def verdict(ratio: float, budget: float, *, at_least: bool) -> str:
    """Say whether a budget is met."""
    return "met" if (ratio >= budget if at_least else ratio <= budget) else "MISSED"


def main() -> None:
    """Measure, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        SERVERS[arguments.serve](arguments.port)
        return

    servers = {name: Served(name) for name in SERVERS}
    try:
        for server in servers.values():
            server.load(ONE, 1)  # warm
        single: dict[str, list[Load]] = {name: [] for name in servers}
        bulk = []
        for _ in range(arguments.rounds):
            for name, server in servers.items():
                single[name].append(server.load(ONE, arguments.seconds))
            bulk.append(servers["relay"].load(ALL, arguments.seconds))
    finally:
        for server in servers.values():
            server.stop()
    ones = {name: best(rounds) for name, rounds in single.items()}
    tool = "wrk" if shutil.which("wrk") else "own load"
    print(f"OFREP, one five-rule flag, one worker, {CONNECTIONS} connections ({tool})")
    for name, load in ones.items():
        print(f"  {name:10} {load.wall:9,.0f} a second   {load.cpu:9,.0f} a second of processor time")
    ratio, cpu = ones["relay"].wall / ones["bare"].wall, ones["relay"].cpu / ones["bare"].cpu
    print(f"  relay / bare {ratio:.2f} × (processor time {cpu:.2f} ×)   budget ≥ {SINGLE_BUDGET} ×: ", end="")
    print(verdict(ratio, SINGLE_BUDGET, at_least=True))

    floor, all_flags = library(7), 1 / best(bulk).wall
    print(f"OFREP, bulk of {FLAGS} five-rule flags")
    print(f"  100 library calls and one serialisation  {floor * 1e6:7.1f} µs")
    print(f"  one bulk answer, over HTTP               {all_flags * 1e6:7.1f} µs")
    ratio = all_flags / floor
    print(f"  ratio {ratio:.2f} ×   budget ≤ {BULK_BUDGET} ×: {verdict(ratio, BULK_BUDGET, at_least=False)}")


if __name__ == "__main__":
    main()
