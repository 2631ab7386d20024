"""Whoever reads a condition's reason finds it on a page, with what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = [*(ROOT / "operator/flagseal_operator/status").glob("*.py"), ROOT / "operator/flagseal_operator/delivering.py"]
PAGES = "\n".join(
    (ROOT / "docs" / name).read_text()
    for name in ("runbooks.md", "install-cluster.md", "emergencies.md", "git-source.md")
)
SAID = re.compile(
    r'(?:holds|lacks|_refused|Condition)\(\s*(?:[A-Z_]+,\s*)?(?:"(?:True|False|Unknown)",\s*)?"([A-Z][A-Za-z]+)"'
)
REASONS = sorted({reason for path in CODE for reason in SAID.findall(path.read_text())} - {"True", "False", "Unknown"})


def test_reasons_are_found_in_the_code() -> None:
    """The test below has something to hold the pages against."""
    assert {"PieceMissing", "DigestMismatch", "ApprovalMissing", "Delivered"} <= set(REASONS)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_a_condition_is_on_a_page(reason: str) -> None:
    """In the table of what to do, or of what is well."""
    assert f"`{reason}`" in PAGES
