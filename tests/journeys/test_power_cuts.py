"""``kill -9`` at random moments during a hundred approved changes loses nothing and publishes nothing half."""

from __future__ import annotations

import json
import random
import threading
from typing import TYPE_CHECKING

from flagseal_cli.main import run as flagseal
from tests.journeys.harness import FLAGSEAL, Up, run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CHANGES = 100
FLAG = "flags/payments/new-checkout.yaml"


def commit_pilots(up: Up, number: int) -> None:
    """Make the pilots acme and one organisation more, as bob."""
    path = up.repository / FLAG
    lines = path.read_text().splitlines()
    at = next(index for index, line in enumerate(lines) if "org:" in line and "acme" in line)
    lines[at] = lines[at][: lines[at].index("[acme")] + f"[acme, org-{number}]}}}}"
    path.write_text("\n".join(lines) + "\n")
    done = run("git", "commit", "-qam", f"Give org-{number} the new checkout", cwd=up.repository, home=up.home)
    assert done.code == 0, done.err


def verified_sequence(up: Up, capsys: pytest.CaptureFixture[str]) -> int:
    """Verify the published snapshot in full, from the store alone, and give its head's sequence."""
    capsys.readouterr()
    code = flagseal(["snapshot", "verify", "--repo", str(up.repository), "--format", "json"])
    out = capsys.readouterr()
    assert code == 0, out.err
    found = json.loads(out.out)["sequence"]
    assert isinstance(found, int)
    return found


def test_power_cuts_during_a_hundred_approved_changes_lose_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After each restart the published snapshot verifies in full and is the last accepted head."""
    home = tmp_path / "home"
    home.mkdir()
    assert run(FLAGSEAL, "init", "--demo", tmp_path / "demo", cwd=tmp_path, home=home).code == 0
    up = Up(tmp_path / "demo", home, tmp_path / "up.log")
    up.start()
    moments = random.Random(20261122)
    cuts = 0
    for number in range(1, CHANGES + 1):
        commit_pilots(up, number)
        approve = ["approve", "HEAD", "--repo", str(up.repository), "--as"]
        assert flagseal([*approve, "alice"]) == 0, capsys.readouterr().err
        cut = moments.random() < 1 / 3
        if cut:
            timer = threading.Timer(moments.uniform(0.0, 0.6), up.kill)
            timer.start()
        assert flagseal([*approve, "dora"]) == 0, capsys.readouterr().err
        if cut:
            cuts += 1
            timer.join()
            assert verified_sequence(up, capsys) in {number - 1, number}
            up.start()
        up.wait_for(True, "new-checkout", targetingKey="u1", org=f"org-{number}")
        assert up.ask("new-checkout", targetingKey="u1", org=f"org-{number - 1}")["value"] is False
        if cut:
            assert verified_sequence(up, capsys) == number
    assert cuts > CHANGES // 5
    assert up.interrupt() == 0
    assert verified_sequence(up, capsys) == CHANGES
