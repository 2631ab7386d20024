"""What `flagseal operator run` does to the machine it runs on; no cluster is needed for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from tests.cluster.process import Operator
from tests.ports import free_ports
from tests.snapshot.world import World

if TYPE_CHECKING:
    from pathlib import Path


def nowhere(folder: Path) -> Path:
    """Write a kubeconfig for an API server at which nobody listens."""
    (port,) = free_ports(1)
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "none", "cluster": {"server": f"https://127.0.0.1:{port}"}}],
        "users": [{"name": "nobody", "user": {"token": "none"}}],
        "contexts": [{"name": "none", "context": {"cluster": "none", "user": "nobody"}}],
        "current-context": "none",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(body))
    return path


def test_an_orderly_end_leaves_no_temporary_folder_behind(tmp_path: Path) -> None:
    """The folder for clones is there while it runs, and goes with it."""
    with Operator(World(tmp_path), nowhere(tmp_path)) as operator:
        assert [path.name.startswith("flagseal-clones-") for path in operator.temporary.iterdir()] == [True]
        assert operator.stop() == 0
    assert list(operator.temporary.iterdir()) == []


def test_a_folder_for_clones_that_was_named_stays(tmp_path: Path) -> None:
    """What was fetched into it need not be fetched again."""
    clones = tmp_path / "clones"
    (clones / "one").mkdir(parents=True)
    with Operator(World(tmp_path), nowhere(tmp_path), ("--work", str(clones))) as operator:
        assert operator.stop() == 0
    assert (clones / "one").is_dir()
