"""What approving says: no more than is so."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from flagseal_cli.main import run

if TYPE_CHECKING:
    import pytest

    from tests.cli.conftest import Demo


def git(demo: Demo, *words: str) -> None:
    """Run git as the demo's bob."""
    subprocess.run(["git", "-C", str(demo.path), *words], check=True, capture_output=True, env=demo.environment)


def widen(demo: Demo) -> None:
    """Commit the tour's change."""
    flag = demo.path / "flags" / "payments" / "new-checkout.yaml"
    flag.write_text(flag.read_text().replace("[acme]", "[acme, globex]"))
    git(demo, "commit", "-am", "Give globex the new checkout")


def approve(demo: Demo, person: str) -> int:
    """Approve HEAD with the demo's key of somebody."""
    return run(["approve", "HEAD", "--as", person, "--repo", str(demo.path)])


def test_an_approval_beside_the_branch_waits_for_the_branch(founded: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """A commit that main does not have is in effect only once it is there, whoever signed it."""
    git(founded, "switch", "-c", "topic")
    widen(founded)
    assert approve(founded, "alice") == approve(founded, "dora") == 0
    assert "once refs/heads/main has it" in capsys.readouterr().err
    git(founded, "switch", "main")
    git(founded, "merge", "--ff-only", "topic")
    assert run(["up", "--repo", str(founded.path), "--once"]) == 0
    assert "head 1" in capsys.readouterr().err


def test_what_is_accepted_is_not_called_no_change(founded: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """Who signs a minute late learns that it is in force already."""
    widen(founded)
    assert approve(founded, "alice") == approve(founded, "dora") == 0
    assert run(["up", "--repo", str(founded.path), "--once"]) == 0
    capsys.readouterr()
    assert approve(founded, "alice") == 2
    assert "accepted already" in capsys.readouterr().err
