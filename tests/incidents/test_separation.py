"""What publishes knows no forge: a stolen operator can open, change and close nothing at a git host."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = [*(ROOT / "operator").rglob("*.py"), *(ROOT / "relay").rglob("*.py")]
MANIFESTS = [path for room in ("operator", "relay") for path in (ROOT / room).rglob("*.y*ml")]
FORGE = re.compile(
    r"github_?token|FLAGSEAL_GITHUB|GITHUB_|api[.]github|\bimport github\b|from github\b|flagseal_validators",
    re.IGNORECASE,
)


def test_there_is_something_to_look_at() -> None:
    """Otherwise the test below would prove nothing."""
    assert len(ROOMS) > 40
    assert len(MANIFESTS) > 10
    assert FORGE.search((ROOT / "validators/flagseal_validators/forge/github/access.py").read_text())


@pytest.mark.parametrize("path", [*ROOMS, *MANIFESTS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_neither_code_nor_manifests_of_what_publishes_take_a_token_of_a_forge(path: Path) -> None:
    """No variable, no client, and nothing of the room that has one."""
    assert FORGE.search(path.read_text()) is None
