"""One flag changed among 10,000: from the approved statement to the published snapshot, and on to a client.

Budget of performance.md: median at most 150 ms and p99 at most 500 ms, not growing with the number of namespaces. (That
budget includes a real API server; what stands here is what is left of it for everything else.)

Beside it, in the same run, the floor: the same number of files with the same bytes, signed as often and written as
durably, without deciding, building or verifying anything. Peers are none: nobody else signs what they publish.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flagseal.history import accept, changes, propose
from flagseal.snapshot.store import DirectoryStore
from tests.approval.keyring import signed
from tests.snapshot.world import World, commit_id, flag, policies

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagseal.snapshot.store import Stored

MEDIAN_BUDGET = 0.150
P99_BUDGET = 0.500
PER_NAMESPACE = 50


class Recorder:
    """A store that notes what was written, to write the same again elsewhere."""

    def __init__(self, store: DirectoryStore) -> None:
        self._store = store
        self.writes: list[tuple[str, bytes]] = []

    def get(self, name: str, *, limit: int | None = None) -> Stored | None:
        """Read."""
        return self._store.get(name, limit=limit)

    def list(self, prefix: str) -> tuple[str, ...]:
        """List."""
        return self._store.list(prefix)

    def put_new(self, name: str, data: bytes) -> None:
        """Create."""
        self.writes.append((name, data))
        self._store.put_new(name, data)

    def replace(self, name: str, data: bytes, *, if_match: str | None) -> str:
        """Replace."""
        self.writes.append((name, data))
        return self._store.replace(name, data, if_match=if_match)


@dataclass
class Times:
    """Seconds of each step, one entry a change."""

    accept: list[float] = field(default_factory=list)
    build: list[float] = field(default_factory=list)
    publish: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    client: list[float] = field(default_factory=list)
    load: list[float] = field(default_factory=list)
    written: list[int] = field(default_factory=list)

    @property
    def total(self) -> list[float]:
        """From statement to snapshot."""
        return [sum(parts) for parts in zip(self.accept, self.build, self.publish, strict=True)]


def timed(into: list[float], call: Callable[[], object]) -> None:
    """Note how long a call takes."""
    start = time.perf_counter()
    call()
    into.append(time.perf_counter() - start)


def measure(namespaces: int, rounds: int, folder: Path) -> Times:
    """Change one flag after the other, each of another namespace."""
    documents = [
        flag(f"flag-{number}-{index}", f"team-{number}", on_for=["acme", "globex"])
        for number in range(namespaces)
        for index in range(PER_NAMESPACE)
    ]
    world = World(folder, documents=(*policies(), *documents))
    recorder = Recorder(world.directory)
    world.publisher = world.new_publisher(recorder)
    world.publish()
    bare = DirectoryStore(folder / "floor")
    times = Times()
    with world.client() as client:
        client.refresh()
        for number in range(rounds):
            changed = flag(
                f"flag-{number % namespaces}-7", f"team-{number % namespaces}", on_for=["acme", f"o-{number}"]
            )
            proposal = propose(
                world.head,
                world.trust,
                commit=commit_id(number + 1),
                tree=commit_id(number + 10**6),
                different=changes(world.head, {**world.head.documents, changed.subject: changed}.values()),
                contributors=["bob"],
                ticket="PAY-1",
            )
            bundle = proposal.bundle(signed(proposal.statement.payload(), "alice"))

            def take(bundle: object = bundle) -> None:
                acceptance = accept(world.head, bundle, world.trust, now=world.clock())  # type: ignore[arg-type]
                world.head = acceptance.require()
                assert acceptance.entry is not None
                world.entries.append(acceptance.entry)

            recorder.writes.clear()
            timed(times.accept, take)
            timed(times.build, world.build)
            timed(times.publish, world.publish)
            timed(times.client, client.refresh)
            writes = list(recorder.writes)
            times.written.append(sum(len(data) for _, data in writes))

            def floor(writes: list[tuple[str, bytes]] = writes, number: int = number) -> None:
                for name, data in writes:
                    if name.startswith("metadata/"):
                        world.online.sign(data)
                    if name.endswith("timestamp.json"):
                        old = bare.get(name)
                        bare.replace(name, data, if_match=None if old is None else old.etag)
                    else:
                        bare.put_new(f"{number}/{name}", data)

            timed(times.floor, floor)
            world.clock.advance(seconds=1)
        timed(times.load, lambda: world.new_publisher(world.directory).load())
        current = client.current
        assert current is not None
        assert current.sequence == rounds
    return times


def line(name: str, seconds: list[float]) -> str:
    """Write one row."""
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"  {name:<44} median {statistics.median(ordered) * 1e3:7.1f} ms   p99 {p99 * 1e3:7.1f} ms"


def main() -> int:
    """Measure two sizes, print, and say whether the budget is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--namespaces", type=int, default=200)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="flagseal-bench-"))
    try:
        results = {
            count: measure(count, options.rounds, folder / str(count))
            for count in (max(1, options.namespaces // 10), options.namespaces)
        }
    finally:
        shutil.rmtree(folder)
    for count, times in results.items():
        print(f"{count} namespaces × {PER_NAMESPACE} flags, {options.rounds} changes of one flag")
        print(line("statement accepted", times.accept))
        print(line("built", times.build))
        print(line("verified, signed, written", times.publish))
        print(line("= statement to published snapshot", times.total))
        print(line("floor: the same files, signed and synced", times.floor))
        print(f"  ratio of medians {statistics.median(times.total) / statistics.median(times.floor):.1f} ×")
        print(line("a client refreshes and verifies in full", times.client))
        print(f"  a publisher that starts anew verifies all of it in {times.load[0]:.1f} s")
        print(f"  bytes written a change: median {statistics.median(times.written):.0f}")
    small, large = results.values()
    median = statistics.median(large.total)
    p99 = sorted(large.total)[min(len(large.total) - 1, int(len(large.total) * 0.99))]
    met = median <= MEDIAN_BUDGET and p99 <= P99_BUDGET
    print(f"growth from a tenth of the namespaces: {median / statistics.median(small.total):.2f} ×")
    print(
        f"budget (median ≤ {MEDIAN_BUDGET * 1e3:.0f} ms, p99 ≤ {P99_BUDGET * 1e3:.0f} ms): {'met' if met else 'MISSED'}"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
