"""A newcomer's terminal: runs the installed command, starts and ends ``flagseal up``, asks the relay."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

FLAGSEAL = Path(sys.executable).with_name("flagseal")
DEADLINE_SECONDS = 120.0
"""How long anything may take before a journey is called stuck; not a claim about speed."""


@dataclass(frozen=True)
class Ran:
    """One command that ended."""

    code: int
    out: str
    err: str


def environment_of(home: Path) -> dict[str, str]:
    """Give an environment in which no configuration of the machine's user counts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {
        **kept,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "NO_COLOR": "1",
    }


def run(*words: str | Path, cwd: Path, home: Path, stdin: str | None = None, **environment: str) -> Ran:
    """Run one command to its end, with some variables more."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=environment_of(home) | environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@dataclass
class Up:
    """A running ``flagseal up``, and the terminal it writes to."""

    repository: Path
    home: Path
    log: Path
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    url: str = field(default="", init=False)

    @property
    def data(self) -> Path:
        """Where it keeps what it publishes."""
        return self.repository / ".flagseal" / "up" / "production"

    def start(self) -> None:
        """Start it on a free port and wait until it is ready."""
        self.data.joinpath("up.json").unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(FLAGSEAL), "up", "--repo", str(self.repository), "--port", "0", "--sync-port", "0", *self.options],
                cwd=self.home,
                env=environment_of(self.home),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"flagseal up ended with {self.process.returncode}:\n{self.log.read_text()}")
            try:
                self.url = json.loads(self.data.joinpath("up.json").read_text())["url"]
                if httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    return
            except (OSError, ValueError, httpx.HTTPError):
                pass
            time.sleep(0.05)
        raise AssertionError(f"flagseal up did not become ready:\n{self.log.read_text()}")

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def interrupt(self) -> int:
        """Press Ctrl-C and give the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=DEADLINE_SECONDS)

    def ask(self, key: str, **context: object) -> dict[str, object]:
        """Evaluate a flag through the relay, exactly as the tour's curl does (no JSON content type)."""
        return self.post(f"/ofrep/v1/evaluate/flags/{key}", {"context": context})

    def post(self, path: str, body: object) -> dict[str, object]:
        """Post JSON and give the answer's JSON, whatever its status."""
        answer = httpx.post(
            f"{self.url}{path}",
            content=json.dumps(body),
            headers={"content-type": "application/x-www-form-urlencoded"},
            timeout=DEADLINE_SECONDS,
        )
        found = answer.json()
        assert isinstance(found, dict)
        return found

    def wait_for(self, value: object, key: str, **context: object) -> float:
        """Wait until a flag has a value; give the seconds it took."""
        began = time.monotonic()
        while time.monotonic() - began < DEADLINE_SECONDS:
            if self.ask(key, **context).get("value") == value:
                return time.monotonic() - began
            time.sleep(0.02)
        raise AssertionError(f"{key} never became {value!r} for {context}:\n{self.log.read_text()[-4000:]}")
