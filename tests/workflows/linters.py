"""actionlint and zizmor: two programs that read workflows and say what is wrong with them.

zizmor comes with the pins. actionlint is no Python package: Go builds it at test time, from sources that ``go.sum``
pins, into the cache.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).parent / "actionlint"
CACHE = Path(__file__).parents[2] / ".cache" / "actionlint"
ACTIONLINT = "ACTIONLINT"
"""Where actionlint lies; if it is not set, Go builds it into the cache."""
REQUIRED = "FLAGSEAL_REQUIRE_ACTIONLINT"
"""Set where its absence is a failure, not a skip."""
_PROGRAM = "github.com/rhysd/actionlint/cmd/actionlint"
_BIN = Path(sys.executable).parent


@functools.cache
def actionlint() -> Path | str:
    """Find actionlint, or say in one line why it cannot be had."""
    named = os.environ.get(ACTIONLINT)
    if named:
        return Path(named)
    place = CACHE / hashlib.sha256((SOURCES / "go.sum").read_bytes()).hexdigest()[:12]
    place.mkdir(parents=True, exist_ok=True)
    found = place / "actionlint"
    with (CACHE / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # Tests run in several processes.
        if not found.exists():
            words = ["go", "build", "-trimpath", "-buildvcs=false", "-o", str(place / "built"), _PROGRAM]
            try:
                done = subprocess.run(words, cwd=SOURCES, capture_output=True, text=True, timeout=400, check=False)
            except (OSError, subprocess.TimeoutExpired) as error:
                return f"{ACTIONLINT}: Go cannot build it: {error}"
            if done.returncode != 0:
                return f"{ACTIONLINT}: Go cannot build it: {' '.join(done.stderr.split())[-200:]}"
            (place / "built").rename(found)
    return found


def syntax(*files: Path) -> list[str]:
    """Say what actionlint, with shellcheck over the scripts, finds: one line each."""
    program = actionlint()
    assert isinstance(program, Path), program
    words = [str(program), "-no-color", "-oneline", "-shellcheck", str(_BIN / "shellcheck"), "-pyflakes", ""]
    done = subprocess.run([*words, *map(str, files)], capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout.splitlines()


def security(*files: Path) -> list[str]:
    """Say what zizmor, at its most suspicious, finds and nobody excused: the name of the rule and the file."""
    words = [
        str(_BIN / "zizmor"),
        "--quiet",
        "--offline",
        "--strict-collection",
        "--persona",
        "auditor",
        "--format",
        "json",
        "--no-exit-codes",
    ]
    done = subprocess.run([*words, *map(str, files)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [
        f"{finding['ident']}: {Path(finding['locations'][0]['symbolic']['key']['Local']['verbatim_path']).name}"
        for finding in json.loads(done.stdout)
        if not finding["ignored"]
    ]
