"""The guides for clients of other people's making are executed: their programs say what the pages say they say."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.journeys.harness import FLAGSEAL, Up, run

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(python|js|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Run `flagseal up` on the demo company, as the pages ask for; on ports of its own."""
    top = tmp_path_factory.mktemp("guides")
    home, demo = top / "home", top / "demo"
    home.mkdir()
    assert run(FLAGSEAL, "init", "--demo", demo, cwd=top, home=home).code == 0
    up = Up(demo, home, top / "up.log")
    up.start()
    yield up
    up.interrupt()


@pytest.mark.parametrize("page", ["any-language.md", "behind-flagd.md"])
def test_the_page_says_what_happens(page: str, up: Up, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Each program is written to the file it names, and each command answers as printed."""
    sync = json.loads((up.data / "up.json").read_text())["sync"]
    executed = 0
    for kind, block in BLOCK.findall((DOCS / page).read_text("utf-8")):
        text = block.replace("localhost:8016", up.url.removeprefix("http://"))
        text = text.replace("port=8015", f"port={sync.rpartition(':')[2]}")
        if kind != "console":
            name = re.match(r"(?:#|//) (app\.\w+)\n", text)
            assert name is not None
            (tmp_path / name[1]).write_text(text, "utf-8")
            continue
        command, *expected = text.splitlines()
        if command.startswith("$ node"):
            packages = request.getfixturevalue("node_packages")
            (tmp_path / "node_modules").symlink_to(packages / "node_modules")
        elif command.startswith("$ curl") and shutil.which("curl") is None:
            continue
        words = f'export PATH="{Path(sys.executable).parent}:$PATH"; {command.removeprefix("$ ")}'
        ran = run("bash", "-c", words, cwd=tmp_path, home=up.home)
        pattern = "\n".join(".*".join(map(re.escape, line.split("…"))) for line in expected)
        assert re.fullmatch(pattern, ran.out.strip()), f"{command}\n{ran.out}{ran.err}"
        executed += 1
    assert executed >= 1
