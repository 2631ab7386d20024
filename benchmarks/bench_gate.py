"""The gate and the plan over 10,000 flags.

Budgets of performance.md:

- validate, cold, all rules on: at most 1/8 of check-jsonschema on the same files (measured on a sample of them);
- validate after one change: at most 0.3 s, process start included;
- plan of one flag changed, with 10,000 recorded contexts: at most 3 s, process start included.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import large_repository

if TYPE_CHECKING:
    from collections.abc import Sequence

BIN = Path(sys.executable).parent
SCHEMA = Path(__file__).resolve().parents[1] / "validators" / "schemas" / "FlagDefinition.json"
COLD_BUDGET, CHANGED_BUDGET, PLAN_BUDGET = 1 / 8, 0.3, 3.0
SAMPLE = 300


class Time(NamedTuple):
    """Seconds from start to end of a process, and of processors by it and its children."""

    wall: float
    processor: float

    def __str__(self) -> str:
        """Both, for a row."""
        return f"{self.wall:6.2f} s ({self.processor:.2f} of processors)"


def timed(words: Sequence[str], folder: Path, *, rounds: int) -> Time:
    """Run a command some times; give the best of each."""
    times = []
    # As people run it: with modules compiled before.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(rounds):
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, env=variables)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(Time(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
        assert done.returncode == 0, done.stdout + done.stderr
    return best(times)


def best(times: Sequence[Time]) -> Time:
    """Give the least of each."""
    return Time(min(it.wall for it in times), min(it.processor for it in times))


def peer(root: Path, flags: int, rounds: int) -> Time | None:
    """Give what check-jsonschema takes for all files, from a sample; its start is taken off first."""
    if not (BIN / "check-jsonschema").exists():
        return None
    paths = [str(large_repository.flag_path(root, number)) for number in range(SAMPLE)]
    command = [str(BIN / "check-jsonschema"), "--schemafile", str(SCHEMA)]
    one = timed([*command, paths[0]], root, rounds=rounds)
    many = timed([*command, *paths], root, rounds=rounds)
    wall, processor = (a + (b - a) / (SAMPLE - 1) * (flags - 1) for a, b in zip(one, many, strict=True))
    return Time(wall, processor)


def say(name: str, took: Time, limit: float, note: str = "") -> None:
    """Print one row."""
    print(f"  {name:<52} {took}   budget {limit:5.2f} s: {'met' if took.wall <= limit else 'MISSED'}{note}")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flags", type=int, default=10_000)
    parser.add_argument("--contexts", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="flagseal-bench-"))
    root, cache = folder / "flags", folder / "flags" / ".flagseal" / "cache"
    contexts = folder / "contexts.jsonl"
    try:
        large_repository.write(root, options.flags)
        large_repository.write_flag(root, 77, 30)
        large_repository.commit(root, "More of one flag")
        large_repository.write_contexts(contexts, options.contexts)
        flagseal = str(BIN / "flagseal")
        plan = [flagseal, "plan", "--base", "HEAD~1", "--head", "HEAD", "--contexts", str(contexts)]
        cold, cold_plan = [], []
        for _ in range(options.rounds):
            shutil.rmtree(cache, ignore_errors=True)
            cold.append(timed([flagseal, "validate"], root, rounds=1))
            shutil.rmtree(cache, ignore_errors=True)
            cold_plan.append(timed(plan, root, rounds=1))
        warm_plan = timed(plan, root, rounds=options.rounds)
        changed, hooked = [], []
        for number in range(options.rounds):
            large_repository.write_flag(root, 78 + number, 40)
            changed.append(timed([flagseal, "validate"], root, rounds=1))
            large_repository.write_flag(root, 78 + number, 50)
            hooked.append(timed([flagseal, "validate", "--base", "HEAD"], root, rounds=1))
        floor = timed([sys.executable, "-c", "pass"], root, rounds=5 * options.rounds)
        status = timed(["git", "status", "--porcelain"], root, rounds=5 * options.rounds)
        theirs = peer(root, options.flags, options.rounds)
    finally:
        shutil.rmtree(folder)
    print(f"{options.flags} flags, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"  the interpreter alone (`python -c pass`)             {floor}")
    print(f"  `git status` on the same tree                        {status}")
    if theirs is None:
        print("  check-jsonschema is not installed: no peer (make bench installs it)")
    else:
        print(f"  check-jsonschema on the same files, from {SAMPLE} of them       {theirs}")
        share = theirs.processor / best(cold).processor
        say("validate, cold", best(cold), theirs.wall * COLD_BUDGET, f"; 1/{theirs.wall / best(cold).wall:.1f}")
        print(f"  {'':<52} of processors 1/{share:.1f}")
    say("validate after one change", best(changed), CHANGED_BUDGET)
    print(f"  {'validate --base HEAD after one change':<52} {best(hooked)}")
    say(f"plan, {options.contexts} contexts, nothing in the cache", best(cold_plan), PLAN_BUDGET)
    say(f"plan, {options.contexts} contexts, the rest in the cache", warm_plan, PLAN_BUDGET)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
