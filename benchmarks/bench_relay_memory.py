"""What a relay with 10,000 flags takes of memory.

Budget of performance.md: at most 150 MB. The relay is a process of its own that verifies in full; what counts is its
resident memory (VmRSS) once it answers, and after a bulk answer has compiled and answered every flag.

The floor, in the same run: the same program with an empty repository, which is Python, TUF and the server.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

from bare_kopf import resident

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

BUDGET_MB = 150
PER_NAMESPACE = 50


def build(folder: Path, flags: int) -> None:
    """Publish a repository of so many flags."""
    from tests.snapshot.world import Clock, World, flag, policies

    documents = [
        flag(
            f"flag-{number // PER_NAMESPACE}-{number % PER_NAMESPACE}",
            f"team-{number // PER_NAMESPACE}",
            on_for=["acme", "globex"],
        )
        for number in range(flags)
    ]
    world = World(folder, documents=(*policies(), *documents), clock=Clock(datetime.now(UTC)))
    world.publish()
    (folder / "root.json").write_bytes(world.root)


def serve(folder: Path) -> None:
    """Be the relay: serve what is published, on a free port, until standard input closes."""
    from flagseal.snapshot.client import SnapshotClient
    from flagseal.snapshot.store import DirectoryStore
    from flagseal_relay.relay import Relay
    from flagseal_relay.serve import Server, listen

    store = DirectoryStore(folder / "store")
    with SnapshotClient(folder / "cache", store, (folder / "root.json").read_bytes()) as client:
        relay = Relay(client, files=store)
        with listen("127.0.0.1", 0) as listener, Server(relay, listener) as server:
            server.start()
            assert relay.wait_until_ready(120), relay.unready
            print(server.port, flush=True)
            sys.stdin.read()


def measure(folder: Path, flags: int) -> dict[str, float]:
    """Start a relay twice (cold, and with its cache) and measure each."""
    found: dict[str, float] = {}
    for start in ("cold", "warm"):
        relay = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert relay.stdin is not None
        assert relay.stdout is not None
        try:
            port = int(relay.stdout.readline())
            time.sleep(2)
            found[f"{start}: ready"] = resident(relay.pid)
            for _ in range(3):
                request = urllib.request.Request(
                    f"http://127.0.0.1:{port}/ofrep/v1/evaluate/flags",
                    json.dumps({"context": {"targetingKey": "u1", "org": "acme"}}).encode(),
                    {"content-type": "application/json"},
                )
                with urllib.request.urlopen(request) as answer:  # noqa: S310
                    assert len(json.load(answer)["flags"]) == flags
            time.sleep(1)
            found[f"{start}: after a bulk answer of all flags"] = resident(relay.pid)
        finally:
            relay.stdin.close()
            relay.wait(30)
    return found


def main() -> int:
    """Measure, print, and say whether the budget is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flags", type=int, default=10_000)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--build", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return 0
    if options.build:
        build(options.build, options.flags)
        return 0
    folder = Path(tempfile.mkdtemp(prefix="flagseal-bench-"))
    try:
        results = {}
        for flags in (0, options.flags):
            subprocess.run(
                [sys.executable, __file__, "--build", str(folder / str(flags)), "--flags", str(flags)], check=True
            )
            results[flags] = measure(folder / str(flags), flags)
    finally:
        shutil.rmtree(folder)
    floor, ours = results[0], results[options.flags]
    for name, megabytes in ours.items():
        print(f"  {name:<44} {megabytes:6.0f} MB   (without flags {floor[name]:4.0f} MB)")
    met = max(ours.values()) <= BUDGET_MB
    print(f"budget (≤ {BUDGET_MB} MB): {'met' if met else 'MISSED'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
