"""Every command answers bad input with a message that names the place and the remedy, and never with a traceback."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from flagseal_cli.main import COMMANDS, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Demo

ANYWHERE = {
    "no such command": ["frobnicate"],
    "no such option": ["status", "--frobnicate"],
    "approve without saying as whom": ["approve", "HEAD"],
    "a rule that does not exist": ["rule", "FS999"],
    "a rule that is no rule": ["rule", "../../etc/passwd"],
    "a snapshot that is not there": ["snapshot", "verify", "nowhere", "--root", "nowhere/root.json"],
    "a snapshot at no address": ["snapshot", "verify", "http://127.0.0.1:1/tuf", "--root", "pyproject.toml"],
}
OUTSIDE = {
    "status outside a repository": ["status"],
    "explain outside a repository": ["explain", "payments/new-checkout"],
    "validate outside a repository": ["validate"],
    "eval outside a repository": ["eval", "new-checkout", "-e", "production"],
    "approve outside a repository": ["approve", "HEAD", "--as", "alice"],
    "up on a folder that is no repository": ["up", "--repo", "."],
}
INSIDE = {
    "approve before anything was founded": ["approve", "HEAD", "--as", "alice"],
    "status before anything was founded": ["status"],
    "explain before anything was founded": ["explain", "payments/new-checkout"],
    "trust show before anything was founded": ["trust", "show"],
    "snapshot verify before anything was founded": ["snapshot", "verify"],
    "compile for an unknown environment": ["compile", "-e", "moon"],
    "compile an unknown namespace": ["compile", "-e", "production", "-n", "moon"],
    "eval with a context that is no JSON": ["eval", "new-checkout", "-e", "production", "-c", "{org: acme}"],
    "eval with a context that is a list": ["eval", "new-checkout", "-e", "production", "-c", "[]"],
    "eval with a bomb of a context": ["eval", "new-checkout", "-e", "production", "-c", "[" * 100_000],
    "up for an unknown environment": ["up", "--repo", ".", "--environment", "moon", "--port", "0", "--no-sync"],
    "up on an address that is not loopback": ["up", "--repo", ".", "--host", "0.0.0.0", "--port", "0"],  # noqa: S104
    "up on a port that is none": ["up", "--repo", ".", "--port", "70000"],
    "trust init for an unknown environment": ["trust", "init", "--environment", "moon"],
    "trust init from an unknown revision": ["trust", "init", "--environment", "staging", "--genesis", "nowhere"],
    "trust init with a threshold no one can meet": [
        "trust", "init", "--environment", "staging", "--keys", "2", "--threshold", "3",
    ],
}  # fmt: skip
FOUNDED = {
    "approve an unknown revision": ["approve", "nowhere", "--as", "alice"],
    "approve a revision that looks like an option": ["approve", "--as", "alice", "--", "--exec=sh"],
    "approve as nobody": ["approve", "HEAD", "--as", "mallory"],
    "approve where nothing changed": ["approve", "HEAD", "--as", "alice"],
    "approve with a key that is not there": ["approve", "HEAD", "--as", "alice", "--key", "nowhere"],
    "approve with a key that is no key": ["approve", "HEAD", "--as", "alice", "--key", ".gitignore"],
    "approve with somebody else's key": ["approve", "HEAD", "--as", "alice", "--key", ".flagseal/keys/dora"],
    "approvals of an unknown revision": ["approvals", "show", "nowhere"],
    "explain an unknown flag": ["explain", "payments/nothing"],
    "explain what is no flag": ["explain", "../../../etc/passwd"],
    "explain in another environment": ["explain", "payments/new-checkout", "--environment", "staging"],
    "trust init again": ["trust", "init", "--environment", "production"],
    "rotate with keys that sign nothing": ["trust", "rotate", "root", "--key", ".flagseal/keys/alice"],
    "verify with a root that is none": ["snapshot", "verify", "--root", ".gitignore"],
}


def complains(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must fail well, and give what it said."""
    capsys.readouterr()
    code = run(arguments)
    said = capsys.readouterr()
    assert code == 2, said
    assert "Traceback" not in said.err
    assert said.out == ""
    assert said.err.strip()
    return said.err


@pytest.mark.parametrize("arguments", ANYWHERE.values(), ids=ANYWHERE)
def test_it_says_what_is_wrong_anywhere(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Words that mean nothing are refused before anything is looked for."""
    complains(arguments, capsys)


@pytest.mark.parametrize("arguments", OUTSIDE.values(), ids=OUTSIDE)
def test_it_says_what_is_wrong_outside_a_repository(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Outside a flag repository the remedy says how to get into one."""
    monkeypatch.chdir(tmp_path)
    assert "→" in complains(arguments, capsys)
    assert not any(tmp_path.iterdir()), "something was left behind"


@pytest.mark.parametrize("arguments", INSIDE.values(), ids=INSIDE)
def test_it_says_what_is_wrong_in_a_repository(
    arguments: list[str], demo: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fresh repository stays as it was."""
    monkeypatch.chdir(demo.path)
    complains(arguments, capsys)
    assert not (demo.path / ".flagseal" / "up").exists(), "something was left behind"


@pytest.mark.parametrize("arguments", FOUNDED.values(), ids=FOUNDED)
def test_it_says_what_is_wrong_once_founded(
    arguments: list[str], founded: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing that is refused is written: neither a note nor a key nor metadata."""
    monkeypatch.chdir(founded.path)
    before = founded.state()
    complains(arguments, capsys)
    assert founded.state() == before


def test_a_broken_flag_is_named_with_its_line(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be taken stops every command that needs it, and the message leads to the line."""
    flag = demo.path / "flags" / "payments" / "new-checkout.yaml"
    flag.write_text(flag.read_text().replace("owner: team-payments", "owner: no"))
    said = complains(["compile", "-e", "production", "--repo", str(demo.path)], capsys)
    line = next(n for n, text in enumerate(flag.read_text().splitlines(), 1) if "owner: no" in text)
    assert f"flags/payments/new-checkout.yaml:{line}:" in said


def test_findings_exit_with_one(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """What the gate finds is no failure of the gate."""
    flag = demo.path / "flags" / "payments" / "new-checkout.yaml"
    flag.write_text(flag.read_text().replace("owner: team-payments", "owner: team-nobody"))
    assert run(["validate", "--repo", str(demo.path)]) == 1
    assert "team-nobody" in capsys.readouterr().out


def test_every_command_has_help_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """The list of commands, each with its line, is what `--help` promises."""
    assert run(["--help"]) == 0
    listed = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name} " in listed
        assert run([name, "--help"]) == 0
        assert f"flagseal {name}" in capsys.readouterr().out


def test_a_closed_pipe_is_no_error(demo: Demo) -> None:
    """`flagseal compile | head -1` ends quietly."""
    done = subprocess.run(
        ["sh", "-c", f"flagseal compile -e production --repo {demo.path} | head -c 1"],
        capture_output=True, text=True, check=False, env=demo.environment,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr
