"""Change flags, ask for them, and watch whether memory grows: for as long as one likes, and never longer.

``make soak SECONDS=3600`` does it for an hour; the test beside this for a minute or less.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.snapshot.world import FLAGS, Clock, World, flag, policies

CHANGE_EVERY = 0.1
FEWEST_CHANGES = 60
"""By these, and not by the time alone: on a busy machine little happens in it, and caches are filled last."""
LOOK_EVERY = 1.0
WARM_UP = 0.4
"""Share of the time in which caches fill, arenas settle and everything is compiled once."""
GROWTH_MB = 4.0
"""What may come and go between two looks; measured: ±1.5 MB."""
OBJECTS = 0.03
BULK = {"context": {"targetingKey": "u1", "org": "acme"}}


@dataclass(frozen=True)
class Soaked:
    """What came of it.

    Attributes:
        looks: What the watched process said, once a second.
        changes: How often flags were changed and published.
        asked: How often the relay was asked over HTTP.
    """

    looks: tuple[dict[str, Any], ...]
    changes: int
    asked: int

    def settled(self, what: str) -> tuple[float, float]:
        """Give the median of a figure in the first and in the last third of the time after the warm-up."""
        values = [float(look[what]) for look in self.looks[int(len(self.looks) * WARM_UP) :]]
        third = max(1, len(values) // 3)
        return statistics.median(values[:third]), statistics.median(values[-third:])

    @property
    def growth(self) -> list[str]:
        """What grew, in words; nothing if nothing did."""
        found = []
        for what, room in (("rss", GROWTH_MB), ("threads", 2.0), ("files", 4.0)):
            before, after = self.settled(what)
            if after > before + room:
                found.append(f"{what}: {before:.1f} → {after:.1f}")
        before, after = self.settled("objects")
        if after > before * (1 + OBJECTS):
            found.append(f"objects: {before:.0f} → {after:.0f}")
        return found


def soak(seconds: float, folder: Path) -> Soaked:
    """Change and ask for a while.

    Args:
        seconds: How long at least.
        folder: Of its own.
    """
    world = World(folder, documents=(*policies(), *FLAGS), clock=Clock(datetime.now(UTC).replace(microsecond=0)))
    world.publish()
    (folder / "root.json").write_bytes(world.root)
    subject = subprocess.Popen(
        [sys.executable, "-m", "tests.soak.subject", str(folder)],
        cwd=Path(__file__).resolve().parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert subject.stdin is not None
    assert subject.stdout is not None
    looks: list[dict[str, Any]] = []
    changes = asked = 0
    try:
        url = f"http://127.0.0.1:{int(subject.stdout.readline())}/ofrep/v1/evaluate/flags"
        start = time.monotonic()
        while (passed := time.monotonic() - start) < seconds or changes < FEWEST_CHANGES:
            world.clock.now = max(world.clock.now, datetime.now(UTC).replace(microsecond=0))
            world.change(flag("new-checkout", on_for=[f"org-{changes % 7}"]), by=("alice",))
            # What is published need not be kept here: it is the watched process that must not grow.
            del world.entries[:-2]
            changes += 1
            for _ in range(20):
                request = urllib.request.Request(url, json.dumps(BULK).encode(), {"content-type": "application/json"})
                with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 (loopback)
                    answer.read()
                asked += 1
            if passed >= len(looks) * LOOK_EVERY:
                subject.stdin.write("how\n")
                subject.stdin.flush()
                looks.append(json.loads(subject.stdout.readline()))
            time.sleep(CHANGE_EVERY)
    finally:
        subject.stdin.close()
        try:
            subject.wait(60)
        except subprocess.TimeoutExpired:
            subject.kill()
            subject.wait(5)
    return Soaked(tuple(looks), changes, asked)


def main() -> int:
    """Soak, print, and say whether anything grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    folder = Path(tempfile.mkdtemp(prefix="flagseal-soak-"))
    try:
        soaked = soak(seconds, folder)
    finally:
        shutil.rmtree(folder)
    last = soaked.looks[-1]
    print(f"{seconds:.0f} s: {soaked.changes} changes, {soaked.asked} bulk requests, {last['asked']} evaluations")
    for what in ("rss", "objects", "threads", "files"):
        before, after = soaked.settled(what)
        print(f"  {what:<8} {before:10.1f} → {after:10.1f}")
    print("nothing grows" if not soaked.growth else "GROWS: " + "; ".join(soaked.growth))
    return 1 if soaked.growth or last["errors"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
