"""Workflows as a repository has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flagseal_cli.workflows import attestor_files, flag_workflows
from tests.workflows.linters import REQUIRED, actionlint

OWN = Path(__file__).parents[2] / ".github" / "workflows"


@pytest.fixture(scope="session")
def linted() -> None:
    """Skip where actionlint cannot be had, unless it must be."""
    found = actionlint()
    if isinstance(found, str):
        if os.environ.get(REQUIRED):
            pytest.fail(found)
        pytest.skip(found)


@pytest.fixture
def written(tmp_path: Path) -> dict[str, Path]:
    """Write what `flagseal init` writes, both kinds of repository; by the workflows' names."""
    texts = {**flag_workflows(), **attestor_files("acme/flags")}
    files = {}
    for path, text in texts.items():
        if path.startswith(".github/workflows/"):
            target = tmp_path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            files[target.stem] = target
    return files
