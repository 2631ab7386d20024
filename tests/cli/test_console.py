"""What a command that runs for long says of a failure that lasts."""

from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from flagseal.model.errors import FlagsealError
from flagseal_cli.console import Failures, Progress

if TYPE_CHECKING:
    import pytest


def test_a_failure_that_lasts_is_said_once_and_its_end_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Each attempt fails anew, in the same words; the terminal shows them once."""
    failures = Failures()
    for _ in range(3):
        failures.tell(FlagsealError("no room to write", code="StoreFull"))
    assert capsys.readouterr().err.count("no room to write") == 1
    failures.tell(FlagsealError("rewritten", code="HistoryRewritten"))
    assert "HistoryRewritten" in capsys.readouterr().err
    failures.tell(None)
    assert "over" in capsys.readouterr().err
    failures.tell(None)
    assert capsys.readouterr().err == ""


def test_a_terminal_of_another_alphabet_gets_what_it_can_show() -> None:
    """A letter that a terminal lacks is no reason to fail."""
    command = str(Path(sys.executable).with_name("flagseal"))
    done = subprocess.run(
        [command, "rule", "FS101"],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "koi8-r"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"FS101")


def test_progress_is_shown_on_a_terminal_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the first second, not to a file, and nothing of it is left at the end."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    def written(*, terminal: bool) -> str:
        stream = StringIO()
        monkeypatch.setattr(stream, "isatty", lambda: terminal)
        with Progress(stream) as progress:
            tell = progress.say("Reading")
            for done in range(0, 2001, 500):
                tell(done, 2000)
                now[0] += 0.4
        return stream.getvalue()

    shown = written(terminal=True)
    assert "] 500 of" not in shown
    assert "Reading [======================        ] 1,500 of 2,000" in shown
    assert shown.endswith("\r\x1b[K")
    assert written(terminal=False) == ""
