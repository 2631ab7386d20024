"""The git source on a real API server: what is approved in git is carried and declared, and put back."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from securesystemslib.signer import CryptoSigner

from flagseal.snapshot import ceremony
from flagseal.snapshot.marks import FileMarks
from flagseal.snapshot.publish import Publisher
from flagseal.snapshot.store import DirectoryStore
from flagseal_operator.active import Active
from flagseal_operator.git_delivery import GitOptions
from flagseal_operator.kube import configuration
from tests.history.branch import Branch
from tests.history.company import flag, rule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.cluster import Cluster

ON = rule({"org": {"in": ["acme"]}})
EASY = flag(tier="operational")
EASY_ON = flag(tier="operational", production=ON)


def now() -> datetime:
    """Read the machine's clock: the API server has it too."""
    return datetime.now(UTC)


@contextmanager
def following(
    cluster: Cluster,
    folder: Path,
    branch: Branch,
    *,
    apply: str,
    store: str = "store",
    kubeconfig: Path | None = None,
) -> Iterator[Active]:
    """Run an operator that follows a branch, with a store that outlives it, and perhaps a role of its own."""
    place, key = DirectoryStore(folder / store), folder / f"{store}.key"
    if not key.exists():
        online = CryptoSigner.generate_ed25519()
        key.write_bytes(online.private_bytes)
        root = ceremony.init(
            place,
            trust=branch.trust,
            root_signers=[CryptoSigner.generate_ed25519()],
            threshold=1,
            online_key=online.public_key,
            now=now(),
        )
        (folder / f"{store}.root").write_bytes(root)
        _ONLINE[str(key)] = online
    marks = FileMarks(folder / f"{store}.marks")
    publisher = Publisher(place, (folder / f"{store}.root").read_bytes(), _ONLINE[str(key)], clock=now, marks=marks)
    cluster.namespace("payments")
    cluster.create(repository(f"file://{folder}/repo", apply))
    options = GitOptions(folder / "clones")
    access = kubeconfig or cluster.kubeconfig
    operator = Active(lambda: configuration(access), publisher, branch.trust, clock=now, git=options)
    operator.start()
    try:
        yield operator
    finally:
        operator.stop()
        cluster.delete("FlagRepository", "flags")


_ONLINE: dict[str, CryptoSigner] = {}


def repository(url: str, apply: str) -> dict[str, Any]:
    """Write the FlagRepository."""
    spec = {"url": url, "interval": "1s", "apply": apply}
    api = "flagseal.dev/v1alpha1"
    return {"apiVersion": api, "kind": "FlagRepository", "metadata": {"name": "flags"}, "spec": spec}


def declared(cluster: Cluster) -> dict[str, Any] | None:
    """Give the spec of the flag as the cluster has it."""
    found = cluster.list("FlagDefinition")
    specs = [it["spec"] for it in found if it["metadata"]["namespace"] == "payments"]
    return specs[0] if specs else None


def ready(cluster: Cluster, of: str = "Ready") -> tuple[str, str]:
    """Give status and reason of the repository's condition."""
    found = cluster.conditions("FlagRepository", "flags").get(of, {})
    return found.get("status", ""), found.get("reason", "")


def test_an_empty_cluster_begins_follows_and_is_put_back(cluster: Cluster, tmp_path: Path) -> None:
    """Genesis, a change, edits and deletions by hand, an approved removal: all from git alone."""
    branch = Branch.at(tmp_path / "repo", EASY)
    with following(cluster, tmp_path, branch, apply="everything") as operator:
        cluster.until(lambda: operator.vitals.sequence == 0)
        cluster.until(lambda: declared(cluster) == EASY.spec)
        cluster.until(lambda: ready(cluster) == ("True", "Delivered"))

        commit = branch.commit(EASY_ON)
        cluster.until(lambda: ready(cluster) == ("True", "WaitsForApproval"))
        status = cluster.get("FlagRepository", "flags")["status"]
        assert (status["commit"], status["waiting"]) == (commit, commit)
        assert declared(cluster) == EASY.spec

        branch.approve("alice", "dora")
        cluster.until(lambda: operator.vitals.sequence == 1)
        cluster.until(lambda: declared(cluster) == EASY_ON.spec)
        cluster.until(lambda: ready(cluster) == ("True", "Delivered"))
        assert "waiting" not in cluster.get("FlagRepository", "flags")["status"]

        cluster.edit("FlagDefinition", EASY.name, "payments", {"description": "mine", "ticket": "STRAY-1"})
        cluster.until(lambda: declared(cluster) == EASY_ON.spec)
        cluster.delete("FlagDefinition", EASY.name, "payments")
        cluster.until(lambda: declared(cluster) == EASY_ON.spec)

        branch.poll(now())
        branch.remove(EASY_ON)
        cluster.until(lambda: ready(cluster) == ("True", "WaitsForApproval"))
        assert declared(cluster) == EASY_ON.spec
        branch.approve("alice", "dora")
        cluster.until(lambda: declared(cluster) is None)


def test_beside_another_manager_only_approvals_are_written(cluster: Cluster, tmp_path: Path) -> None:
    """The resources are another tool's; the approvals come all the same, and decide."""
    branch = Branch.at(tmp_path / "repo", EASY)
    with following(cluster, tmp_path, branch, apply="approvals") as operator:
        cluster.until(lambda: operator.vitals.sequence == 0)
        cluster.create(EASY.body())
        branch.commit(EASY_ON)
        branch.approve("alice", "dora")
        cluster.until(lambda: operator.vitals.sequence == 1)
        cluster.until(lambda: ready(cluster) == ("True", "Delivered"))
        assert declared(cluster) == EASY.spec
        assert cluster.list("FlagPolicy") == []


def test_a_rewritten_history_is_held_and_put_right_again(cluster: Cluster, tmp_path: Path) -> None:
    """Nothing is delivered, not even back; what was accepted stays published."""
    branch = Branch.at(tmp_path / "repo", EASY)
    with following(cluster, tmp_path, branch, apply="everything") as operator:
        cluster.until(lambda: declared(cluster) == EASY.spec)
        accepted = branch.commit(EASY_ON)
        branch.approve("alice", "dora")
        cluster.until(lambda: declared(cluster) == EASY_ON.spec)
        git = branch.repository.git
        git.run("update-ref", branch.trust.ref, branch.trust.genesis.commit)
        cluster.until(lambda: ready(cluster, "Stalled") == ("True", "HistoryRewritten"))
        assert operator.vitals.sequence == 1
        git.run("update-ref", branch.trust.ref, accepted)
        cluster.until(lambda: ready(cluster) == ("True", "Delivered"))


def test_a_lost_cluster_comes_back_from_git_with_the_store_and_without(cluster: Cluster, tmp_path: Path) -> None:
    """With the store: the resources alone. Without: genesis and the whole chain, to the same head."""
    branch = Branch.at(tmp_path / "repo", EASY)
    branch.commit(EASY_ON)
    branch.approve("alice", "dora")
    with following(cluster, tmp_path, branch, apply="everything") as operator:
        cluster.until(lambda: operator.vitals.sequence == 1)
        cluster.until(lambda: declared(cluster) == EASY_ON.spec)
    cluster.empty()
    with following(cluster, tmp_path, branch, apply="everything"):
        cluster.until(lambda: declared(cluster) == EASY_ON.spec)
        assert cluster.list("FlagApproval") == []
    cluster.empty()
    with following(cluster, tmp_path, branch, apply="everything", store="another") as operator:
        cluster.until(lambda: operator.vitals.sequence == 1)
        cluster.until(lambda: declared(cluster) == EASY_ON.spec)
        assert len(cluster.list("FlagApproval")) == 2


def test_a_statement_too_large_for_one_object_arrives_in_pieces(cluster: Cluster, tmp_path: Path) -> None:
    """A migration of two and a half thousand flags: its statement alone is larger than any object may be."""
    branch = Branch.at(tmp_path / "repo", EASY)
    branch.commit(*(flag(f"moved-{number}", tier="operational") for number in range(2500)))
    branch.approve("alice", "dora")
    with following(cluster, tmp_path, branch, apply="approvals") as operator:
        cluster.until(lambda: operator.vitals.sequence == 1, 180)
        cluster.until(lambda: ready(cluster) == ("True", "Delivered"))
        carriers = cluster.list("FlagApproval")
        pieces = [it["metadata"]["name"] for it in carriers if "piece" in it["spec"]]
        assert len(pieces) > 1
        assert all(len(json.dumps(it["spec"])) < 512 * 1024 for it in carriers)

        def reasons() -> set[str]:
            return {cluster.conditions("FlagApproval", name).get("Ready", {}).get("reason", "") for name in pieces}

        cluster.until(lambda: reasons() == {"Accepted", "Carries"})


def test_what_cannot_be_fetched_or_written_is_said_and_tried_again(cluster: Cluster, tmp_path: Path) -> None:
    """A remote that is gone, a namespace that is missing, credentials that are: each by its name, until it is over."""
    elsewhere = flag("other", namespace="elsewhere", tier="operational")
    branch = Branch.at(tmp_path / "repo", EASY, elsewhere)
    with following(cluster, tmp_path, branch, apply="everything"):
        cluster.until(lambda: ready(cluster) == ("False", "NamespaceMissing"))
        assert declared(cluster) == EASY.spec, "the rest is written all the same"
        cluster.namespace("elsewhere")
        cluster.until(lambda: ready(cluster) == ("True", "Delivered"))

        (tmp_path / "repo").rename(tmp_path / "away")
        cluster.until(lambda: ready(cluster) == ("False", "FetchFailed"))
        cluster.delete("FlagDefinition", EASY.name, "payments")
        cluster.until(lambda: declared(cluster) == EASY.spec)
        (tmp_path / "away").rename(tmp_path / "repo")
        cluster.until(lambda: ready(cluster) == ("True", "Delivered"))

        cluster.edit("FlagRepository", "flags", None, {"credentials": "absent"})
        cluster.until(lambda: ready(cluster, "Stalled") == ("True", "CredentialsMissing"))


def test_a_repository_with_another_beginning_delivers_nothing(cluster: Cluster, tmp_path: Path) -> None:
    """Whoever may write a FlagRepository cannot choose what is trusted."""
    branch = Branch.at(tmp_path / "repo", EASY)
    Branch.at(tmp_path / "other", flag("mallorys"), date="2026-11-20T10:00:00+00:00")
    with following(cluster, tmp_path, branch, apply="everything"):
        cluster.until(lambda: declared(cluster) == EASY.spec)
        cluster.edit("FlagRepository", "flags", None, {"url": f"file://{tmp_path}/other"})
        cluster.until(lambda: ready(cluster, "Stalled") == ("True", "WrongRepository"))
        assert [it["metadata"]["name"] for it in cluster.list("FlagDefinition")] == [EASY.name]
