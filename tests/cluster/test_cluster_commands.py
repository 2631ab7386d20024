"""`flagseal cluster`: the questions of the embedded mode, asked of a real API server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flagseal_cli.main import run
from tests.cluster.test_git_source import EASY, EASY_ON, declared, following
from tests.history.branch import Branch

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.cluster.cluster import Cluster


def test_a_checkout_is_applied_by_hand_and_the_cluster_says_how_it_stands(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Dry run, genesis, an approved change, its resources; status and explanation of it."""
    branch = Branch.at(tmp_path / "repo", EASY)
    where = [f"--store={tmp_path}/store", f"--root={tmp_path}/store.root"]
    kube = f"--kubeconfig={cluster.kubeconfig}"
    words = ["cluster", "apply", f"--repo={tmp_path}/repo", *where, kube]
    with following(cluster, tmp_path, branch, apply="approvals") as operator:
        cluster.until(lambda: operator.vitals.sequence == 0)
        # By hand from here on: nobody follows the repository.
        cluster.delete("FlagRepository", "flags")
        cluster.until(lambda: not operator.inventory.of("FlagRepository"))

        branch.commit(EASY_ON)
        assert run(words) == 0
        said = capsys.readouterr()
        assert said.out == ""
        assert "waits (" in said.err
        branch.approve("alice", "dora")
        assert run([*words, "--dry-run"]) == 0
        assert capsys.readouterr().out.startswith("would create FlagApproval ")
        assert operator.vitals.sequence == 0
        assert run(words) == 0
        cluster.until(lambda: operator.vitals.sequence == 1)
        assert declared(cluster) is None

        assert run([*words, "--everything"]) == 0
        assert declared(cluster) == EASY_ON.spec
        capsys.readouterr()
        assert run([*words, "--everything"]) == 0
        assert capsys.readouterr().out == ""

        name = f"payments/{EASY.name}"
        cluster.until(lambda: run(["cluster", "status", name, kube]) == 0)
        assert "InForce" in capsys.readouterr().out
        assert run(["cluster", "status", kube, "--format=json"]) == 0
        assert len(json.loads(capsys.readouterr().out)) == len(cluster.list("FlagPolicy")) + 1
        assert run(["cluster", "explain", name, "--context", '{"org": "acme"}', *where]) == 0
        told = capsys.readouterr().out
        assert "alice" in told
        assert "answer        true" in told

        cluster.edit("FlagDefinition", EASY.name, "payments", {"description": "mine"})
        cluster.until(lambda: run(["cluster", "status", name, kube]) == 1)
        assert "Ready=False" in capsys.readouterr().out


def test_where_no_cluster_answers_a_sentence_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback, and exit code 2."""
    config = tmp_path / "config"
    config.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "none",
                "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
                "contexts": [{"name": "none", "context": {"cluster": "none", "user": "nobody"}}],
                "users": [{"name": "nobody", "user": {}}],
            }
        )
    )
    assert run(["cluster", "status", f"--kubeconfig={config}"]) == 2
    said = capsys.readouterr().err
    assert "does not answer" in said
    assert "Traceback" not in said
