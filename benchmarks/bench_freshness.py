"""From an approved commit to a changed answer, and what a client fetches when nothing changed.

Budgets of performance.md:

- commit to changed answer at a relay, git source on the same machine: p99 at most 2 s. The clock starts when the last
  approver's command has ended, and stops when the relay of `flagseal up` answers otherwise over OFREP.
- client refresh, nothing changed: one timestamp, under 1 KB on the wire.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flagseal.snapshot.client import SnapshotClient
from tests.journeys.harness import FLAGSEAL, Up, run

FLAG = "flags/payments/new-checkout.yaml"
FRESH_BUDGET, BYTES_BUDGET = 2.0, 1024


def change(up: Up, number: int) -> None:
    """Have a change of one flag committed and approved by everybody it takes."""
    path = up.repository / FLAG
    lines = path.read_text().splitlines(keepends=True)
    place = next(index for index, line in enumerate(lines) if "org: {in: [" in line)
    indent = lines[place].partition("when:")[0]
    lines[place] = f"{indent}when: {{org: {{in: [acme, round-{number}]}}}}\n"
    path.write_text("".join(lines))
    for words in (
        ["git", "commit", "--quiet", "--all", "--message", f"Round {number}"],
        [FLAGSEAL, "approve", "HEAD", "--as", "alice"],
        [FLAGSEAL, "approve", "HEAD", "--as", "dora"],
    ):
        done = run(*words, cwd=up.repository, home=up.home)
        assert done.code == 0, done.err


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    folder = Path(tempfile.mkdtemp(prefix="flagseal-bench-"))
    up: Up | None = None
    try:
        home = folder / "home"
        home.mkdir()
        assert run(FLAGSEAL, "init", "--demo", folder / "demo", cwd=folder, home=home).code == 0
        up = Up(folder / "demo", home, folder / "up.log")
        up.start()
        times = []
        for number in range(rounds):
            change(up, number)
            start = time.perf_counter()
            while up.ask("new-checkout", targetingKey="u1", org=f"round-{number}")["value"] is not True:
                assert time.perf_counter() - start < 30
                time.sleep(0.005)
            times.append(time.perf_counter() - start)
        data = up.repository / ".flagseal" / "up" / "production"
        with SnapshotClient(folder / "cache", f"{up.url}/tuf/", (data / "trust" / "root.json").read_bytes()) as client:
            assert client.refresh().changed
            before = client.received
            assert not client.refresh().changed
            fetched = client.received - before
    finally:
        if up is not None:
            up.kill()
        shutil.rmtree(folder)
    times.sort()
    p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
    print(f"{rounds} approved commits to a changed answer at the relay")
    print(f"  median {statistics.median(times) * 1e3:6.0f} ms   p99 {p99 * 1e3:6.0f} ms   ", end="")
    print(f"budget {FRESH_BUDGET * 1e3:.0f} ms: {'met' if p99 <= FRESH_BUDGET else 'MISSED'}")
    print(f"a refresh when nothing changed fetches {fetched} bytes   ", end="")
    print(f"budget {BYTES_BUDGET}: {'met' if fetched < BYTES_BUDGET else 'MISSED'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
