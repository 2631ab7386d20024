"""Where only the library was installed, or not every extra, the command says what to install."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.journeys.harness import run

if TYPE_CHECKING:
    from pathlib import Path

WITHOUT = "import sys; sys.modules['{}'] = None; from flagseal_cli.start import main; main()"


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        pytest.param("click", ["--help"], id="the library alone"),
        pytest.param("kopf", ["operator", "run", "--help"], id="no operator"),
        pytest.param("starlette", ["relay", "--help"], id="no relay"),
    ],
)
def test_what_is_not_installed_is_named_with_what_brings_it(missing: str, words: list[str], tmp_path: Path) -> None:
    """That is no mistake of Flagseal's own, and no traceback."""
    done = run(sys.executable, "-c", WITHOUT.format(missing), *words, cwd=tmp_path, home=tmp_path)
    assert done.code == 2
    assert done.err.startswith("error[NotInstalled]")
    assert missing in done.err
    assert "flagseal[all]" in done.err
