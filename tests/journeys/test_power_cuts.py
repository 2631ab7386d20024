"""``kill -9`` at random moments during a hundred approved changes loses nothing and publishes nothing half."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

from flagseal.approval.envelope import Envelope
from flagseal.approval.signing import sign_with_ssh_keygen
from flagseal.intake import candidate
from flagseal.repository import FlagRepository
from flagseal.snapshot.report import verify_repository
from flagseal.snapshot.store import DirectoryStore
from flagseal_cli.published import published_state
from flagseal_cli.workspace import DataFolder
from tests.journeys.harness import FLAGSEAL, Up, run

if TYPE_CHECKING:
    from pathlib import Path

CHANGES = 100
FLAG = "flags/payments/new-checkout.yaml"
KEY = "new-checkout"


def commit_pilots(up: Up, number: int) -> None:
    """Make the pilots acme and one organisation more, as bob."""
    path = up.repository / FLAG
    lines = path.read_text().splitlines()
    at = next(index for index, line in enumerate(lines) if "org:" in line and "acme" in line)
    lines[at] = lines[at][: lines[at].index("[acme")] + f"[acme, org-{number}]}}}}"
    path.write_text("\n".join(lines) + "\n")
    done = run("git", "commit", "-qam", f"Give org-{number} the new checkout", cwd=up.repository, home=up.home)
    assert done.code == 0, done.err


def approve(up: Up, *people: str) -> None:
    """Sign HEAD as several people, each with a note of their own, as `flagseal approve` does."""
    git = FlagRepository(up.repository)
    published = published_state(DataFolder(up.data))
    payload = candidate(git, published.head, published.trust, "HEAD").proposal.statement.payload()
    for person in people:
        signature = sign_with_ssh_keygen(payload, up.repository / ".flagseal" / "keys" / person)
        git.add_note("HEAD", Envelope(payload, (signature,)).to_line())


def verified_sequence(up: Up) -> int:
    """Verify the published snapshot in full, from the store and the pinned root alone, and give its head's sequence."""
    data = DataFolder(up.data)
    report = verify_repository(DirectoryStore(data.store), data.read_root())
    assert report.passed, report.text()
    assert report.verified is not None
    return report.verified.sequence


def cut(up: Up, number: int, cuts: int, moment: float) -> None:
    """Approve a change, and cut the power.

    Args:
        up: What is cut off.
        number: Of the change.
        cuts: How many this makes. The first falls before the first signature and the second after publishing, so that
            there are both for certain; the others anywhere.
        moment: Seconds from now for those: up to well after publishing, however fast the machine is.
    """
    timer = threading.Timer(moment, up.kill)
    if cuts == 1:
        up.kill()
    elif cuts > 2:
        timer.start()
    approve(up, "alice", "dora")
    if cuts == 2:
        up.wait_for(True, KEY, targetingKey="u1", org=f"org-{number}")
        up.kill()
    elif cuts > 2:
        timer.join()


def test_power_cuts_during_a_hundred_approved_changes_lose_nothing(tmp_path: Path) -> None:
    """After each restart the published snapshot verifies in full and is the last accepted head."""
    home = tmp_path / "home"
    home.mkdir()
    assert run(FLAGSEAL, "init", "--demo", tmp_path / "demo", cwd=tmp_path, home=home).code == 0
    up = Up(tmp_path / "demo", home, tmp_path / "up.log")
    up.start()
    moments = random.Random(20261122)
    cuts = published_before_the_cut = 0
    usual = 1.0
    for number in range(1, CHANGES + 1):
        commit_pilots(up, number)
        if moments.random() < 1 / 4:
            cuts += 1
            cut(up, number, cuts, moments.uniform(0.0, 2 * usual))
            survived = verified_sequence(up)
            assert survived in {number - 1, number}
            published_before_the_cut += survived == number
            up.start()
            up.wait_for(True, KEY, targetingKey="u1", org=f"org-{number}")
            assert verified_sequence(up) == number
        else:
            began = time.monotonic()
            approve(up, "alice", "dora")
            up.wait_for(True, KEY, targetingKey="u1", org=f"org-{number}")
            usual = time.monotonic() - began
        assert up.ask(KEY, targetingKey="u1", org=f"org-{number - 1}")["value"] is False
    assert 0 < published_before_the_cut < cuts
    assert cuts >= CHANGES // 5
    assert up.interrupt() == 0
    assert verified_sequence(up) == CHANGES
