"""A company with more than two hundred seeded mistakes: all are found, each at its place, and nothing else is.

``mistakes/repository`` holds those that can lie side by side; beside each file stands what is expected of it, as
``line:column rule severity``. Files without that are the company itself, in which there is nothing to mend. A folder
of ``mistakes/apart`` changes that company: in its policies, its CODEOWNERS, or from what lies in ``before``.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from flagseal_validators import gate
from flagseal_validators.rules import RULES
from tests.gate.company import TODAY

MISTAKES = Path(__file__).parent / "mistakes"
REPOSITORY = MISTAKES / "repository"
EXPECTED = ".expected.txt"
APART = sorted(path for path in (MISTAKES / "apart").iterdir() if path.is_dir())


def files(root: Path) -> list[str]:
    """List files, links unfollowed, relative to a folder."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_symlink() or path.is_file())


def found(root: Path, before: dict[str, bytes] | None = None) -> list[str]:
    """Tell what the gate says, all files being touched: ``file:line:column rule severity``."""
    report = gate.validate_paths(root, today=TODAY, touched=files(root), before=before)
    return sorted(f"{it.file}:{it.line}:{it.column} {it.rule} {it.severity}" for it in report.findings)


def expected() -> dict[str, list[str]]:
    """Read what is expected of the files of the repository."""
    made = {}
    for name in files(REPOSITORY):
        if name.endswith(EXPECTED):
            file = name.removesuffix(EXPECTED)
            file = file if os.path.lexists(REPOSITORY / file) else f"{file}.yaml"
            made[file] = (REPOSITORY / name).read_text("utf-8").splitlines()
    return made


def company(root: Path) -> Path:
    """Copy the files in which there is nothing to mend."""
    mistaken = expected()
    for name in files(REPOSITORY):
        if name not in mistaken and not name.endswith(EXPECTED):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, root / name)
    return root


def test_every_mistake_is_found_at_its_place_and_nothing_else_is() -> None:
    """In one run over all of them."""
    wanted = sorted(f"{file}:{line}" for file, lines in expected().items() for line in lines)
    assert found(REPOSITORY) == wanted


def test_the_company_without_its_mistakes_has_nothing_to_mend(tmp_path: Path) -> None:
    """Otherwise a mistake apart would prove nothing."""
    assert found(company(tmp_path)) == []


@pytest.mark.parametrize("case", APART, ids=lambda path: path.name)
def test_a_mistake_apart_is_found_at_its_place_and_nothing_else_is(case: Path, tmp_path: Path) -> None:
    """What a policy breaks would silence other findings, so each has the company to itself."""
    root = company(tmp_path)
    before: dict[str, bytes] = {}
    for name in files(case):
        folder, _, rest = name.partition("/")
        if folder == "before":
            before[rest] = (case / name).read_bytes()
        elif name != "expected.txt":
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(case / name, root / name)
    assert found(root, before) == sorted((case / "expected.txt").read_text("utf-8").splitlines())


def test_there_are_mistakes_of_every_kind() -> None:
    """More than two hundred, and at least one for each rule there is."""
    lines = [line for lines in expected().values() for line in lines]
    lines += [line for case in APART for line in (case / "expected.txt").read_text("utf-8").splitlines()]
    assert len(expected()) + len(APART) >= 200
    assert {line.split()[1] for line in lines} == set(RULES)
