"""Demo repositories to be wrong in."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from flagseal_cli.main import run
from tests.journeys.harness import environment_of


@dataclass(frozen=True)
class Demo:
    """A demo repository."""

    path: Path

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with the installed command first on the path."""
        variables = environment_of(self.path.parent)
        return {**variables, "PATH": f"{Path(sys.executable).parent}:{variables['PATH']}"}

    def state(self) -> dict[str, bytes]:
        """Everything that a refused command must leave alone: refs, keys, metadata."""
        refs = subprocess.run(
            ["git", "-C", str(self.path), "for-each-ref"], capture_output=True, check=True, env=self.environment
        ).stdout
        kept = self.path / ".flagseal"
        files = {str(path.relative_to(kept)): path.read_bytes() for path in kept.rglob("*") if path.is_file()}
        return {"refs": refs, **{name: data for name, data in files.items() if not name.endswith(".lock")}}


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One demo repository, to be copied."""
    path = tmp_path_factory.mktemp("pristine") / "demo"
    assert run(["init", "--demo", str(path)]) == 0
    return path


@pytest.fixture(scope="session")
def pristine_founded(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with trust founded and genesis published, to be copied."""
    path = tmp_path_factory.mktemp("founded") / "demo"
    shutil.copytree(pristine, path)
    assert run(["up", "--repo", str(path), "--once"]) == 0
    return path


@pytest.fixture
def demo(pristine: Path, tmp_path: Path) -> Demo:
    """A demo repository of one's own."""
    return Demo(Path(shutil.copytree(pristine, tmp_path / "demo")))


@pytest.fixture
def founded(pristine_founded: Path, tmp_path: Path) -> Demo:
    """A demo repository with a published snapshot."""
    return Demo(Path(shutil.copytree(pristine_founded, tmp_path / "demo")))
