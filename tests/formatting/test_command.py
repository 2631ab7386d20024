"""``flagseal fmt`` as it is run."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from flagseal_cli.commands import fmt
from flagseal_cli.main import run
from tests.gate.company import base, document, write

if TYPE_CHECKING:
    from pathlib import Path

CHECKOUT = "flags/payments/new-checkout.yaml"
DISORDER = document(CHECKOUT, "environments:\n  production:\n    default: disabled\n    targets: {enabled: [u1]}\n")


@pytest.fixture(name="root")
def company(tmp_path: Path) -> Path:
    """Write the company in order."""
    root = write(tmp_path, base() | {".git/config": ""})
    assert run(["fmt", "--repo", str(root)]) == 0
    return root


def state(root: Path) -> dict[str, bytes]:
    """Give what every file holds."""
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_check_writes_nothing_and_tells(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By its exit code, and which mappings."""
    assert run(["fmt", "--check", "--repo", str(root)]) == 0
    write(root, {CHECKOUT: DISORDER})
    before = state(root)
    capsys.readouterr()
    assert run(["fmt", "--check", "--repo", str(root)]) == 1
    said = capsys.readouterr()
    assert said.out.startswith(f"would format {CHECKOUT}: $.spec")
    assert "6 files: 1 to format, 0 left alone." in said.err
    assert state(root) == before


def test_diff_writes_nothing_and_gives_a_patch(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that git takes, and that puts the file in order."""
    write(root, {CHECKOUT: DISORDER})
    capsys.readouterr()
    assert run(["fmt", "--diff", "--repo", str(root)]) == 1
    patch = capsys.readouterr().out
    assert patch.startswith(f"--- a/{CHECKOUT}\n+++ b/{CHECKOUT}\n@@ ")
    assert (root / CHECKOUT).read_text() == DISORDER
    subprocess.run(["git", "apply", "-"], cwd=root, input=patch, text=True, check=True, timeout=60)
    assert run(["fmt", "--check", "--repo", str(root)]) == 0


def test_a_file_is_replaced_once_and_keeps_its_mode(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing lies about afterwards, and a second time there is nothing to do."""
    write(root, {CHECKOUT: DISORDER})
    (root / CHECKOUT).chmod(0o640)
    names = set(state(root))
    capsys.readouterr()
    assert run(["fmt", "--repo", str(root)]) == 0
    assert capsys.readouterr().out.startswith(f"formatted {CHECKOUT}: ")
    assert set(state(root)) == names
    assert (root / CHECKOUT).stat().st_mode & 0o777 == 0o640
    assert run(["fmt", "--repo", str(root)]) == 0
    assert capsys.readouterr().out == ""


def test_only_the_files_asked_for_are_touched(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By file and by folder, wherever one stands."""
    other = "flags/shop/other.yaml"
    write(root, {CHECKOUT: DISORDER, other: DISORDER.replace("payments", "shop").replace("new-checkout", "other")})
    before = state(root)
    monkeypatch.chdir(root / "flags")
    assert run(["fmt", "shop"]) == 0
    after = state(root)
    assert {name for name in before if before[name] != after[name]} == {str(root / other)}
    assert run(["fmt", "payments/new-checkout.yaml"]) == 0
    assert state(root)[str(root / CHECKOUT)] != before[str(root / CHECKOUT)]
    assert run(["fmt", "nowhere.yaml"]) == 2


def test_a_file_with_mistakes_is_left_alone_and_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The others are put in order all the same."""
    write(root, {CHECKOUT: DISORDER, "flags/payments/broken.yaml": "b: 1\na: ["})
    (root / "flags/payments/link.yaml").symlink_to("new-checkout.yaml")
    broken = (root / "flags/payments/broken.yaml").read_bytes()
    capsys.readouterr()
    assert run(["fmt", "--repo", str(root)]) == 1
    said = capsys.readouterr()
    assert f"formatted {CHECKOUT}" in said.out
    assert "flags/payments/broken.yaml: left alone" in said.err
    assert (root / "flags/payments/broken.yaml").read_bytes() == broken
    assert (root / "flags/payments/link.yaml").is_symlink()


def test_a_file_that_changes_meanwhile_is_not_overwritten(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An editor that saved in between wins."""
    write(root, {CHECKOUT: DISORDER})
    saved = DISORDER.replace("team-payments", "team-nobody")
    replace = fmt._replace

    def late(path: Path, before: bytes, after: bytes) -> None:
        path.write_text(saved)
        replace(path, before, after)

    monkeypatch.setattr(fmt, "_replace", late)
    assert run(["fmt", "--repo", str(root)]) == 2
    assert "changed meanwhile" in capsys.readouterr().err
    assert (root / CHECKOUT).read_text() == saved
    assert list((root / "flags/payments").glob(".*")) == []
