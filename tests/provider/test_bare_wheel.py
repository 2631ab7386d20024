"""The wheel, installed into an empty environment with what it depends on and nothing else.

It fetches the dependencies as pip is configured to, which takes a while and a network: set FLAGSEAL_BARE_INSTALL=1 to
run it. That the dependencies suffice is shown without by ``test_bare_install.py``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.provider.test_bare_install import APPLICATION
from tests.snapshot.world import Clock, World

TOP = Path(__file__).parents[2]


@pytest.mark.skipif(not os.environ.get("FLAGSEAL_BARE_INSTALL"), reason="FLAGSEAL_BARE_INSTALL is not set")
def test_the_wheel_alone_is_enough_for_an_application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It installs, holds no server's and no git's package, verifies in full and evaluates."""
    # A pip that runs from its wheel, as venv runs it, leaves its certificates in the temporary folder.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)], cwd=TOP, check=True
    )
    (wheel,) = tmp_path.glob("flagseal-*.whl")
    assert any(name.startswith("flagseal/provider/") for name in zipfile.ZipFile(wheel).namelist())
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)], check=True)
    listed = subprocess.run([python, "-m", "pip", "list"], check=True, capture_output=True, text=True).stdout.lower()
    for name in ("kopf", "kubernetes", "gitpython", "pyyaml", "starlette", "uvicorn", "grpcio", "click"):
        assert name not in listed
    world = World(tmp_path / "world", clock=Clock(datetime.now(UTC)))
    world.publish()
    (tmp_path / "root.json").write_bytes(world.root)
    done = subprocess.run(
        [python, "-I", "-c", APPLICATION, str(world.directory.path), str(tmp_path / "root.json"), "[]"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["True", "False"]
