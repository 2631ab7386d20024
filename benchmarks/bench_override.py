"""From break-glass to a changed answer: an EmergencyOverride on a real API server, and a relay that follows the store.

Budget of performance.md: override to changed answer at a relay, p99 at most 2 s.

The clock starts before the request that creates the resource, and stops when the relay, a process of its own at its
defaults, answers otherwise over OFREP. The early end of each override is measured the same way. The floor, in the same
run: a bare `kopf.on.event` handler that is told of such a resource. Needs KUBEBUILDER_ASSETS (kube-apiserver and
etcd); everything shares the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bare_kopf import program

from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane, assets
from tests.cluster.process import COMMAND, Operator
from tests.cluster.test_emergency import founded, resource
from tests.emergency.scene import ending, override, signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flagseal.emergency import Claim
    from tests.cluster.world import CarriedWorld

BUDGET = 2.0
PATIENCE = 60.0

HANDLER = program(
    """
@kopf.on.event(GROUP, VERSION, "emergencyoverrides", registry=registry)
async def told(name, **_):
    print(name, time.time(), flush=True)
"""
)


def now() -> datetime:
    """Read the clock, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.005)


def claim(number: int) -> Claim:
    """Ask for one rollback."""
    return override(name=f"round-{number}", incident=f"INC-{number}", until=now() + timedelta(minutes=3))


def floor(cluster: Cluster, rounds: int) -> list[float]:
    """Give the seconds until a bare handler is told of each of some new resources, in order."""
    words = [sys.executable, "-c", HANDLER, str(cluster.kubeconfig)]
    told = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert told.stdout is not None
    times = []
    try:
        for number in range(rounds + 1):
            body = resource(signed(claim(number), at=now()))
            body["metadata"]["name"] = f"bare-{number}"
            start = time.time()
            cluster.create(body)
            name, at = told.stdout.readline().split()
            assert name == body["metadata"]["name"]
            if number:  # the first waits for the handler's start
                times.append(float(at) - start)
    finally:
        told.kill()
        told.wait(10)
    cluster.empty()
    return sorted(times)


@contextmanager
def relay(world: CarriedWorld) -> Iterator[Callable[[], Any]]:
    """Run a relay at its defaults; give a function that asks it for the flag."""
    words = ["relay", "--store", str(world.directory.path), "--root", str(world.path / "root.json")]
    words += ["--cache", str(world.path / "relay"), "--port", "0", "--no-sync"]
    process = subprocess.Popen([str(COMMAND), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        found = re.search(r"http://[0-9.:]+[0-9]", line := process.stdout.readline())
        assert found is not None, line
        url = f"{found[0]}/ofrep/v1/evaluate/flags/new-checkout"
        pool = urllib3.PoolManager()
        body = json.dumps({"context": {"targetingKey": "u1", "org": "acme"}})

        def ask() -> Any:  # noqa: ANN401 (JSON)
            return json.loads(pool.request("POST", url, body=body, timeout=5).data).get("value")

        yield ask
    finally:
        process.terminate()
        process.wait(30)


def rounds_of(cluster: Cluster, ask: Callable[[], Any], rounds: int) -> tuple[list[float], list[float]]:
    """Give the seconds until the answer changed, for each override, and for each early end."""
    chance = random.Random(7)
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        early_end = ending(f"round-{number}", by_name=f"end-{number}", incident=f"INC-{number}")
        for index, (asked, wanted) in enumerate(((claim(number), False), (early_end, True))):
            # Not in step with the relay's looks, nor with a second of the clock.
            time.sleep(chance.uniform(0.5, 2.0))
            body = resource(signed(asked, at=now()))
            start = time.perf_counter()
            cluster.create(body)
            until(lambda wanted=wanted: ask() is wanted)  # type: ignore[misc]
            times[index].append(time.perf_counter() - start)
    return sorted(times[0]), sorted(times[1])


def said(times: list[float]) -> str:
    """Write what was measured."""
    p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
    return f"median {statistics.median(times) * 1e3:6.0f} ms   p99 {p99 * 1e3:6.0f} ms"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    found = assets()
    if found is None:
        print("KUBEBUILDER_ASSETS is not set: no API server to measure on")
        return 0
    os.environ["KUBECONFIG"] = "/nonexistent"
    folder = Path(tempfile.mkdtemp(prefix="flagseal-bench-"))
    plane = ControlPlane(found, folder / "plane")
    try:
        plane.start()
        cluster = Cluster(plane.api(), plane.kubeconfig())
        cluster.install()
        bare = floor(cluster, rounds)
        world = founded(cluster, folder / "world")
        with Operator(world, plane.kubeconfig()) as operator:
            until(lambda: operator.gauge("snapshot_version") >= 1)
            with relay(world) as ask:
                until(lambda: ask() is True)
                overrides, ends = rounds_of(cluster, ask, rounds)
    finally:
        plane.stop()
        shutil.rmtree(folder)
    print(f"{rounds} overrides, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    print(f"  a bare handler is told           {said(bare)}")
    print(f"  override to changed answer       {said(overrides)}", end="")
    print(f"   budget {BUDGET * 1e3:.0f} ms: {'met' if overrides[-1] <= BUDGET else 'MISSED'}")
    print(f"  early end to changed answer      {said(ends)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
