"""What a command that runs for long says of a failure that lasts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from flagseal.model.errors import FlagsealError
from flagseal_cli.console import Failures, Progress, print_error, print_json

TOP = Path(__file__).parents[2]


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


def test_an_error_that_quotes_others_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A file of a stranger's pull request may be named like an escape sequence; lines of our own stay lines."""
    print_error(FlagsealError("flags/\x1b[2Jred.yaml: left alone\nand more", code="Bad", remedy="See \u202e."))
    said = capsys.readouterr().err
    assert said == "error[Bad]: flags/\\u{1b}[2Jred.yaml: left alone\nand more\n  → See \\u{202e}.\n"


def test_an_error_has_no_colour_for_who_wants_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As https://no-color.org asks; on a terminal, too."""
    shown = []
    for value in ("", "1"):
        monkeypatch.setenv("NO_COLOR", value)
        monkeypatch.setenv("TERM", "xterm")
        stream = StringIO()
        monkeypatch.setattr(stream, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stderr", stream)
        print_error(FlagsealError("it broke", code="Bad"))
        shown.append("\x1b" in stream.getvalue())
    assert shown == [True, False]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_command_whose_streams_are_closed_still_answers_with_its_exit_code(closed: str) -> None:
    """Some supervisors start programs so; it is nobody's mistake."""
    command = str(Path(sys.executable).with_name("flagseal"))
    line = f'"$0" validate --repo "$1" "$1/flags/payments/new-checkout.yaml" {closed}'
    done = subprocess.run(["sh", "-c", line, command, str(TOP)], capture_output=True, check=False)
    assert (done.returncode, b"Internal" in done.stderr) == (0, False)


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


def test_json_on_a_terminal_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A reason that somebody gave, or a file's name, is data; what reads it back gets what it was."""
    value = {"reason": "\u009b2J\u001b[31m\u202e\u2066x\U000e0041", "na\u202eme": ["\u009d0;x\u009c"]}
    print_json(value)
    written = capsys.readouterr().out
    assert not set("\u009b\u001b\u202e\u2066\U000e0041\u009d\u009c") & set(written)
    assert json.loads(written) == value
