"""What a git source writes: carriers of what can be accepted, resources of what is, and nothing else ever."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flagseal_operator.carriers import genesis_carrier, read_carrier
from flagseal_operator.cluster_source import ClusterSource
from flagseal_operator.delivering import Delivery, delivery
from flagseal_operator.inventory import Inventory
from flagseal_operator.resources import PLURALS, Ref
from tests.history.branch import Branch
from tests.history.company import MONDAY, flag, rule
from tests.history.reviews import LATER, broken, company, review
from tests.operator.test_history_decides import Server

if TYPE_CHECKING:
    from pathlib import Path

ON = rule({"org": {"in": ["acme"]}})
FLAG = Ref("FlagDefinition", "payments", "checkout")


@dataclass
class Target:
    """A cluster that deliveries from a branch are applied to."""

    branch: Branch
    server: Server = field(default_factory=Server)

    @property
    def inventory(self) -> Inventory:
        """Read everything."""
        inventory = Inventory()
        for ref, body in self.server.bodies.items():
            inventory.see(ref.kind, None, copy.deepcopy(body))
        return inventory

    def work_out(self, mode: str = "everything", *, published: bool = True) -> Delivery:
        """Compute a delivery from a fresh look at the branch."""
        head = self.branch.head if published else None
        trust = self.branch.trust
        return delivery(self.branch.git.open(), head, trust, self.inventory, mode=mode, now=MONDAY)

    def deliver(self, mode: str = "everything", *, published: bool = True) -> list[str]:
        """Apply a delivery; say what was done."""
        found = self.work_out(mode, published=published)
        for action in found.actions:
            if action.verb in {"delete", "renew"}:
                self.server.delete(action.ref.kind, action.ref.name, action.ref.namespace)
            if action.body is not None:
                self.server.put(dict(action.body))
        return [str(action) for action in found.actions]

    def carriers(self) -> set[str]:
        """Name what carries."""
        return {ref.name for ref in self.server.bodies if ref.kind == "FlagApproval"}


def target(folder: Path) -> Target:
    """Found a company whose resources are delivered."""
    found = Target(Branch.at(folder / "repo", flag()))
    found.deliver()
    return found


def ready(found: Delivery) -> tuple[str, str, str]:
    """Give status, reason and message of the first condition."""
    return found.conditions[0].status, found.conditions[0].reason, found.conditions[0].message


def test_an_empty_cluster_gets_the_resources_of_the_head_and_then_nothing(tmp_path: Path) -> None:
    """The second look finds nothing to do."""
    made = target(tmp_path)
    assert FLAG in made.server.bodies
    assert {"flagpolicies"} < {PLURALS[ref.kind] for ref in made.server.bodies}
    assert made.deliver() == []
    assert ready(made.work_out())[:2] == ("True", "Delivered")


def test_what_nobody_approved_is_never_written_and_who_can_give_it_is_said(tmp_path: Path) -> None:
    """The resource stays the accepted one, and the status has the commit that waits."""
    made = target(tmp_path)
    commit = made.branch.commit(flag(production=ON))
    assert made.deliver() == []
    found = made.work_out()
    assert (found.commit, found.waits) == (commit, commit)
    status, reason, message = ready(found)
    assert (status, reason) == ("True", "WaitsForApproval")
    assert commit[:12] in message
    assert "NoValidSignature" in message or "ApprovalMissing" in message


def test_an_approved_change_is_carried_first_and_declared_once_it_is_accepted(tmp_path: Path) -> None:
    """The cluster accepts it from the carrier alone; only then do the resources follow."""
    made = target(tmp_path)
    made.branch.commit(flag(production=ON))
    made.branch.approve("alice", "dora")
    before = copy.deepcopy(made.server.bodies[FLAG]["spec"])
    (done,) = made.deliver()
    assert done.startswith("create FlagApproval ")
    assert made.server.bodies[FLAG]["spec"] == before
    advanced = ClusterSource(made.inventory, made.branch.trust).advance(made.branch.head, MONDAY)
    assert advanced.head.sequence == 1
    made.branch.poll()
    assert made.deliver() == [f"replace {FLAG}"]
    assert made.deliver() == []


def test_beside_another_manager_only_carriers_are_written(tmp_path: Path) -> None:
    """`approvals` leaves every resource to whoever delivers them."""
    made = Target(Branch.at(tmp_path / "repo", flag()))
    made.branch.commit(flag(production=ON))
    made.branch.approve("alice", "dora")
    (done,) = made.deliver("approvals")
    made.branch.poll()
    assert done.startswith("create FlagApproval ")
    assert made.deliver("approvals") == []


def test_a_review_is_carried_and_declared_by_no_resource(tmp_path: Path) -> None:
    """There is no kind for it in a cluster; its statement brings it."""
    found = target(tmp_path)
    before = set(found.server.bodies)
    (stopped,) = broken(company())
    found.branch.commit(review(stopped), by="carol")
    found.branch.approve("bob")
    found.deliver()
    found.branch.poll(now=LATER)
    found.deliver()
    carried = {ref for ref in found.server.bodies if ref.kind == "FlagApproval"}
    assert set(found.server.bodies) - before <= carried
    assert "IncidentReview/inc-7" in found.branch.head.documents
    assert found.deliver() == []


def test_edits_and_deletions_by_hand_are_put_back_whole(tmp_path: Path) -> None:
    """Not merged: nothing that somebody added is left."""
    made = target(tmp_path)
    wanted = copy.deepcopy(made.server.bodies[FLAG]["spec"])
    edited = copy.deepcopy(made.server.bodies[FLAG])
    edited["spec"]["description"] = "mine"
    edited["spec"]["links"] = ["https://stray.example"]
    made.server.put(edited)
    assert made.deliver() == [f"replace {FLAG}"]
    assert made.server.bodies[FLAG]["spec"] == wanted
    made.server.delete(*_words(FLAG))
    assert made.deliver() == [f"create {FLAG}"]


def test_only_an_approved_removal_removes(tmp_path: Path) -> None:
    """A file that is gone from the branch is not gone from the cluster; strangers' resources are never touched."""
    made = target(tmp_path)
    stranger = flag("stranger").body()
    made.server.put(stranger)
    made.branch.remove(flag())
    assert made.deliver() == []
    made.branch.approve("alice", "dora")
    made.deliver()
    made.branch.poll()
    assert made.deliver() == [f"delete {FLAG}"]
    assert Ref("FlagDefinition", "payments", "stranger") in made.server.bodies


def test_a_squatted_carrier_is_made_anew(tmp_path: Path) -> None:
    """Somebody who took the name first, with junk or with less, delays nothing."""
    made = target(tmp_path)
    made.branch.commit(flag(production=ON))
    made.branch.approve("alice", "dora")
    (action,) = made.work_out().actions
    assert action.body is not None
    for spec in (
        {"documents": ["{}"]},
        {**action.body["spec"], "envelopes": [{**action.body["spec"]["envelopes"][0], "signatures": []}]},
        {"envelopes": action.body["spec"]["envelopes"]},
    ):
        made.server.put({**action.body, "spec": spec})
        assert made.deliver() == [f"renew {action.ref}"]
        assert made.deliver() == []
        made.server.delete(*_words(action.ref))


def test_a_rewritten_history_delivers_nothing_and_stalls(tmp_path: Path) -> None:
    """Not even what was accepted is written while the branch does not go on from it."""
    made = target(tmp_path)
    made.branch.commit(flag(production=ON))
    made.branch.approve("alice", "dora")
    made.branch.poll()
    git = made.branch.repository.git
    git.run("update-ref", made.branch.trust.ref, made.branch.trust.genesis.commit)
    found = made.work_out()
    assert found.actions == ()
    assert ready(found)[:2] == ("False", "HistoryRewritten")
    assert [it.reason for it in found.conditions if it.type == "Stalled"] == ["HistoryRewritten"]


def test_a_lost_cluster_gets_its_resources_back_from_git(tmp_path: Path) -> None:
    """With the store at hand the older carriers need not come back."""
    made = target(tmp_path)
    made.branch.commit(flag(production=ON))
    made.branch.approve("alice", "dora")
    made.branch.poll()
    lost = Target(made.branch)
    lost.deliver()
    assert FLAG in lost.server.bodies
    assert lost.carriers() == set()
    assert lost.deliver() == []


def test_with_the_store_lost_too_the_whole_chain_is_carried_and_genesis_last(tmp_path: Path) -> None:
    """A cluster that begins anew comes to the same head, by the commits' own dates."""
    made = target(tmp_path)
    for production in (ON, None, ON):
        made.branch.commit(flag(production=production) if production else flag())
        made.branch.approve("alice", "dora")
        made.branch.poll()
    lost = Target(made.branch)
    done = lost.deliver(published=False)
    begin = genesis_carrier(made.branch.trust.genesis.manifest)
    assert done[-1] == f"create FlagApproval {begin}"
    assert len(lost.carriers()) == 4
    assert all(read_carrier(it).committed for it in _bodies(lost) if it["metadata"]["name"] != begin)
    recovered = ClusterSource(lost.inventory, made.branch.trust).recover(MONDAY)
    assert recovered.head.manifest == made.branch.head.manifest
    assert lost.deliver(published=False) == []


def _bodies(found: Target) -> list[dict[str, Any]]:
    return [body for ref, body in found.server.bodies.items() if ref.kind == "FlagApproval"]


def _words(ref: Ref) -> tuple[str, str, str | None]:
    return ref.kind, ref.name, ref.namespace
