"""docs/python.md is executed as it stands: its programs are written, run, and say what it says they say."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.journeys.harness import FLAGSEAL, Ran, Up, run

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CUSTOM_PORT = "localhost:8016"
SECONDS = 120.0


def steps() -> Iterator[tuple[str, list[str]]]:
    """Give each command of the page with the lines it says come back; programs as commands that write them."""
    for kind, block in BLOCK.findall(PAGE.read_text("utf-8")):
        if kind == "python":
            name = block.splitlines()[0].removeprefix("# ")
            yield f"cat > {name} <<'END_OF_PROGRAM'\n{block}END_OF_PROGRAM", []
            continue
        command, expected = "", list[str]()
        for line in block.splitlines():
            if line.startswith("$ "):
                if command:
                    yield command, expected
                command, expected = line[2:], []
            else:
                expected.append(line)
        yield command, expected


def test_the_page_says_what_happens(tmp_path: Path) -> None:
    """Each program and command of docs/python.md, in order, in a demo repository, beside a running relay."""
    home, demo = tmp_path / "home", tmp_path / "flagseal-demo"
    home.mkdir()
    assert run(FLAGSEAL, "init", "--demo", demo, cwd=tmp_path, home=home).code == 0
    up = Up(demo, home, tmp_path / "up.log")
    up.start()

    def do(command: str) -> Ran:
        words = command.replace(CUSTOM_PORT, up.url.removeprefix("http://"))
        return run("bash", "-c", f'export PATH="{Path(sys.executable).parent}:$PATH"; {words}', cwd=demo, home=home)

    try:
        told = list(steps())
        assert len(told) > 12
        for command, expected in told:
            ran = do(command)
            deadline = time.monotonic() + SECONDS
            # What a program in the background writes takes a moment, which a reader gives it without noticing.
            while command.startswith("cat seen") and ran.out.splitlines() != expected and time.monotonic() < deadline:
                time.sleep(0.1)
                ran = do(command)
            assert ran.code == 0, f"$ {command}\n{ran.out}{ran.err}"
            if expected:
                assert ran.out.splitlines() == expected, f"$ {command}\n{ran.out}{ran.err}"
    finally:
        up.interrupt()
