"""The operator with 10,000 flags on a real API server.

Budgets of performance.md:

- start to Ready: at most 2 × of a bare `kopf.on.event` counter of the same resources;
- one flag changed, from the creation of its FlagApproval to the published snapshot: median at most 150 ms, p99 at most
  500 ms;
- memory: at most 2 × of the bare counter.

Needs KUBEBUILDER_ASSETS (kube-apiserver and etcd). The start that counts is a restart: the store holds the snapshot,
and every resource its status. API server, etcd and operator share the machine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bare_kopf import program, resident

from tests.cluster.cluster import Cluster, resource_of
from tests.cluster.control_plane import ControlPlane, assets
from tests.cluster.process import Operator
from tests.cluster.world import CarriedWorld
from tests.snapshot.world import flag, policies

if TYPE_CHECKING:
    from collections.abc import Callable

PER_NAMESPACE = 50
START_BUDGET, MEMORY_BUDGET = 2.0, 2.0
MEDIAN_BUDGET, P99_BUDGET = 0.150, 0.500

COUNTER = program(
    """
wanted, seen = int(sys.argv[2]), 0
async def count(**_):
    global seen
    seen += 1
    if seen == wanted:
        print("all", flush=True)
for plural in PLURALS.values():
    kopf.on.event(GROUP, VERSION, plural, id=plural, registry=registry)(count)
settings.watching.chunk_size = 500
"""
)


def until(holds: Callable[[], object], patience: float) -> None:
    """Wait until something holds."""
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def count(kubeconfig: Path, resources: int) -> tuple[float, float]:
    """Run the bare counter; give the seconds until it has seen everything, and its memory."""
    start = time.perf_counter()
    counter = subprocess.Popen(
        [sys.executable, "-c", COUNTER, str(kubeconfig), str(resources)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert counter.stdout is not None
        assert counter.stdout.readline().strip() == "all"
        took = time.perf_counter() - start
        time.sleep(3)
        return took, resident(counter.pid)
    finally:
        counter.kill()
        counter.wait(10)


def fill(cluster: Cluster, bodies: list[dict[str, Any]]) -> None:
    """Create resources, a few at once."""
    for namespace in {body["metadata"].get("namespace") for body in bodies} - {None}:
        cluster.namespace(str(namespace))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(cluster.create, bodies))


def change(cluster: Cluster, world: CarriedWorld, operator: Operator, number: int) -> float:
    """Have one flag changed; give the seconds from its FlagApproval to the snapshot in the store."""
    namespace = f"team-{number % 7}"
    bodies = world.approve(flag(f"flag-{number % 7}-3", namespace, on_for=["acme", f"org-{number}"]), by=("alice",))
    timestamp = world.directory.path / "metadata" / "timestamp.json"
    before = timestamp.read_bytes()
    start = time.perf_counter()
    for body in bodies:
        cluster.create(body)
    while timestamp.read_bytes() == before:
        assert time.perf_counter() - start < 30
        time.sleep(0.001)
    took = time.perf_counter() - start
    until(lambda: operator.gauge("head_sequence") == number + 1, 30)
    return took


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flags", type=int, default=10_000)
    parser.add_argument("--changes", type=int, default=100)
    options = parser.parse_args()
    found = assets()
    if found is None:
        print("KUBEBUILDER_ASSETS is not set: no API server to measure on")
        return 0
    os.environ["KUBECONFIG"] = "/nonexistent"
    folder = Path(tempfile.mkdtemp(prefix="flagseal-bench-"))
    plane = ControlPlane(found, folder / "plane")
    plane.start()
    try:
        cluster = Cluster(plane.api(), plane.kubeconfig())
        cluster.install()
        documents = [
            flag(f"flag-{number // PER_NAMESPACE}-{number % PER_NAMESPACE}", f"team-{number // PER_NAMESPACE}",
                 on_for=["acme", "globex"])
            for number in range(options.flags)
        ]  # fmt: skip
        world = CarriedWorld(folder / "world", documents=(*policies(), *documents))
        fill(cluster, [*world.genesis_bodies(), *map(resource_of, world.genesis_documents)])
        resources = len(world.genesis_bodies()) + len(world.genesis_documents)
        with Operator(world, plane.kubeconfig(), name="first") as first:
            start = time.perf_counter()
            until(lambda: first.gauge("snapshot_version") >= 1, 300)
            first_start = time.perf_counter() - start
            until(lambda: first.gauge("statuses_waiting") == 0, 600)
            first_report = time.perf_counter() - start
        bare, bare_memory = count(plane.kubeconfig(), resources)
        start = time.perf_counter()
        with Operator(world, plane.kubeconfig(), name="second") as second:
            until(lambda: second.gauge("snapshot_version") >= 1, 300)
            took = time.perf_counter() - start
            time.sleep(5)
            memory = resident(second.pid)
            times = sorted(change(cluster, world, second, number) for number in range(options.changes))
            later = resident(second.pid)
    finally:
        plane.stop()
        shutil.rmtree(folder)
    median, p99 = statistics.median(times), times[min(len(times) - 1, int(len(times) * 0.99))]
    print(f"{options.flags} flags, {resources} resources, {os.cpu_count()} cores")
    print(f"  first start: published after {first_start:.1f} s, every status written after {first_report:.1f} s")
    print(f"  a bare counter has seen all after                {bare:6.1f} s   {bare_memory:5.0f} MB")
    print(f"  restarted operator is ready after                {took:6.1f} s   {memory:5.0f} MB", end="")
    print(f"   {took / bare:.2f} × ({'met' if took <= START_BUDGET * bare else 'MISSED'})", end="")
    print(f"   {memory / bare_memory:.2f} × ({'met' if memory <= MEMORY_BUDGET * bare_memory else 'MISSED'})")
    print(f"  and after {options.changes} changes                             {later:5.0f} MB")
    print(f"  FlagApproval to snapshot: median {median * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms", end="")
    print(f"   ({'met' if median <= MEDIAN_BUDGET and p99 <= P99_BUDGET else 'MISSED'})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
