"""The tutorial is executed as it stands: what it says a command answers is what the command answers."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.journeys.harness import FLAGSEAL, Up, run

if TYPE_CHECKING:
    from collections.abc import Iterator

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CUSTOM_PORT = "localhost:8016"


def steps() -> Iterator[tuple[str, list[str]]]:
    """Give each command of the tutorial with the lines it says come back."""
    command, expected = "", list[str]()
    for block in BLOCK.findall(TUTORIAL.read_text("utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                if command:
                    yield command, expected
                command, expected = line[2:], []
            else:
                expected.append(line)
    yield command, expected


def answers(said: str, expected: list[str]) -> bool:
    """Tell whether the lines came back in their order, with anything for each ``…``."""
    parts = [re.escape(part) for line in expected for part in line.split("…") if part]
    return re.search(".*".join(parts), said, re.DOTALL) is not None


@pytest.mark.skipif(shutil.which("curl") is None, reason="the tutorial's reader has curl, and this machine has not")
def test_the_tutorial_says_what_happens(tmp_path: Path) -> None:
    """Each command of docs/tutorial.md, in order, in one demo repository, answers as printed there."""
    home = tmp_path / "home"
    home.mkdir()
    demo = tmp_path / "flagseal-demo"
    assert run(FLAGSEAL, "init", "--demo", demo, cwd=tmp_path, home=home).code == 0
    up = Up(demo, home, tmp_path / "up.log")
    up.start()
    try:
        told = list(steps())
        assert len(told) > 10
        for command, expected in told:
            words = f'export PATH="{FLAGSEAL.parent}:$PATH"; {command}'.replace(
                CUSTOM_PORT, up.url.removeprefix("http://")
            )
            ran = run("bash", "-c", words, cwd=demo, home=home)
            said = ran.out + ran.err
            assert answers(said, expected), f"$ {command}\nsaid:\n{said}\nthe tutorial says:\n" + "\n".join(expected)
            if not expected:
                assert ran.code == 0, f"$ {command}\n{said}"
    finally:
        up.interrupt()
