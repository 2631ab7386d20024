"""The gate and the plan over 10,000 flags.

Budgets of performance.md:

- validate, cold, all rules on: at most 1/8 of check-jsonschema on the same files (measured on a sample of them);
- validate after one change: at most 0.3 s, process start included;
- plan of one flag changed, with 10,000 recorded contexts: at most 3 s, process start included.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import large_repository

if TYPE_CHECKING:
    from collections.abc import Sequence

BIN = Path(sys.executable).parent
SCHEMA = Path(__file__).resolve().parents[1] / "validators" / "schemas" / "FlagDefinition.json"
COLD_BUDGET, CHANGED_BUDGET, PLAN_BUDGET = 1 / 8, 0.3, 3.0
SAMPLE = 300


def timed(words: Sequence[str], folder: Path, *, rounds: int) -> float:
    """Run a command some times; give the best time in seconds, from start to end of the process."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        times.append(time.perf_counter() - start)
        assert done.returncode == 0, done.stdout + done.stderr
    return min(times)


def peer(root: Path, flags: int, rounds: int) -> float | None:
    """Give what check-jsonschema takes for all files, from a sample; its start is taken off first."""
    if not (BIN / "check-jsonschema").exists():
        return None
    paths = [str(large_repository.flag_path(root, number)) for number in range(SAMPLE)]
    command = [str(BIN / "check-jsonschema"), "--schemafile", str(SCHEMA)]
    one = timed([*command, paths[0]], root, rounds=rounds)
    many = timed([*command, *paths], root, rounds=rounds)
    return one + (many - one) / (SAMPLE - 1) * (flags - 1)


def say(name: str, seconds: float, limit: float, note: str = "") -> None:
    """Print one row."""
    print(f"  {name:<52} {seconds:6.2f} s   budget {limit:5.2f} s: {'met' if seconds <= limit else 'MISSED'}{note}")


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
        changed = []
        for number in range(options.rounds):
            large_repository.write_flag(root, 78 + number, 40)
            changed.append(timed([flagseal, "validate"], root, rounds=1))
        theirs = peer(root, options.flags, options.rounds)
    finally:
        shutil.rmtree(folder)
    print(f"{options.flags} flags, {os.cpu_count()} cores")
    if theirs is None:
        print("  check-jsonschema is not installed: no peer (make bench installs it)")
    else:
        print(f"  check-jsonschema on the same files, from {SAMPLE} of them       {theirs:6.2f} s")
        say("validate, cold", min(cold), theirs * COLD_BUDGET, f"   1/{theirs / min(cold):.1f}")
    say("validate after one change", min(changed), CHANGED_BUDGET)
    say(f"plan, {options.contexts} contexts, nothing in the cache", min(cold_plan), PLAN_BUDGET)
    say(f"plan, {options.contexts} contexts, the rest in the cache", warm_plan, PLAN_BUDGET)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
