"""History decides; resources declare, carry and report: whatever events come, in whatever order, however often."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flagseal.history import build
from flagseal.model.canonical import canonical_json
from flagseal_operator.carriers import carry, genesis_carrier, statement_carrier
from flagseal_operator.cluster_source import ClusterSource
from flagseal_operator.engine import Engine
from flagseal_operator.inventory import Inventory
from flagseal_operator.resources import PLURALS, Ref
from flagseal_operator.status.reporter import Reporter
from tests.cluster.cluster import resource_of
from tests.snapshot.world import World, flag

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from flagseal.history import HistoryEntry
    from flagseal.snapshot.publish import Publisher
    from flagseal_operator.engine import Step


@dataclass
class Server:
    """An API server's memory: it gives versions, and says what happened."""

    bodies: dict[Ref, dict[str, Any]] = field(default_factory=dict)
    log: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    version: int = 100

    def put(self, body: dict[str, Any]) -> None:
        """Create or replace a resource."""
        self.version += 1
        body = copy.deepcopy(body)
        metadata = body["metadata"]
        ref = Ref(body["kind"], metadata.get("namespace"), metadata["name"])
        before = self.bodies.get(ref)
        known: dict[str, Any] = before["metadata"] if before else {"uid": f"uid-{self.version}", "generation": 0}
        metadata |= {
            "uid": known["uid"],
            "generation": known["generation"] + 1,
            "resourceVersion": str(self.version),
            "creationTimestamp": "2026-11-23T10:00:00Z",
        }
        if before and "status" in before:
            body["status"] = before["status"]
        self.bodies[ref] = body
        self.log.append((ref.kind, "MODIFIED" if before else "ADDED", copy.deepcopy(body)))

    def delete(self, kind: str, name: str, namespace: str | None = None) -> None:
        """Delete a resource."""
        self.version += 1
        body = self.bodies.pop(Ref(kind, namespace, name))
        body["metadata"]["resourceVersion"] = str(self.version)
        self.log.append((kind, "DELETED", copy.deepcopy(body)))

    def write_status(self, ref: Ref, status: dict[str, Any]) -> None:
        """Write a status, as its subresource does."""
        self.version += 1
        body = self.bodies[ref]
        body["status"] = copy.deepcopy(status)
        body["metadata"]["resourceVersion"] = str(self.version)
        self.log.append((ref.kind, "MODIFIED", copy.deepcopy(body)))

    def statuses(self) -> dict[str, Any]:
        """Give all statuses but for their dates."""
        found = copy.deepcopy({str(ref): body.get("status") for ref, body in self.bodies.items()})
        for status in found.values():
            for condition in (status or {}).get("conditions", ()):
                del condition["lastTransitionTime"]
            (status or {}).pop("snapshotVersion", None)
        return found


class Site:
    """An operator over such a server, without its threads."""

    def __init__(self, world: World, server: Server, publisher: Publisher | None = None) -> None:
        self.server, self.world = server, world
        self.inventory = Inventory()
        self.source = ClusterSource(self.inventory, world.trust)
        self.engine = Engine(self.source, publisher or world.publisher, world.trust, clock=world.clock)
        self.reporter = Reporter(self.inventory, world.trust, self.is_said)
        self.writes = 0

    def feed(self, events: Sequence[tuple[str, str | None, dict[str, Any]]]) -> None:
        """Let events arrive."""
        for kind, event, body in events:
            self.inventory.see(kind, event, copy.deepcopy(body))

    def is_said(self, ref: Ref, status: dict[str, Any]) -> bool:
        """Tell whether a resource says so, as far as events have told."""
        seen = self.inventory.get(ref)
        return seen is not None and seen.status == canonical_json(status)

    def relist(self) -> None:
        """Read everything, as at a start and from time to time."""
        for kind in PLURALS:
            named = [ref for ref in self.server.bodies if ref.kind == kind]
            self.feed([(kind, None, self.server.bodies[ref]) for ref in named])
            self.inventory.keep_only(kind, named, str(self.server.version))

    def step(self) -> Step:
        """Build, publish, and write the statuses that differ."""
        step = self.engine.step()
        offered = self.source.offered()
        picture = self.reporter.picture(
            step.head, offered, version=step.published.version, now=self.world.clock(), failure=step.held
        )
        for update in self.reporter.updates(picture, offered):
            if update.ref in self.server.bodies:
                self.server.write_status(update.ref, update.status)
                self.writes += 1
        return step

    def reason(self, kind: str, name: str, namespace: str | None = None, of: str = "Ready") -> tuple[str, str]:
        """Give status and reason of a condition."""
        status = self.server.bodies[Ref(kind, namespace, name)]["status"]
        found = next(it for it in status["conditions"] if it["type"] == of)
        return found["status"], found["reason"]


def bodies_of(entry: HistoryEntry) -> tuple[dict[str, Any], ...]:
    """Write the FlagApprovals that carry a statement."""
    return carry(statement_carrier(entry.envelope.payload), entry.documents.values(), [entry.envelope])


def founded(folder: Path) -> tuple[World, Server, Site]:
    """Found a company whose genesis is in the cluster and published."""
    world, server = World(folder), Server()
    for body in carry(genesis_carrier(world.trust.genesis.manifest), world.genesis_documents):
        server.put(body)
    for document in world.genesis_documents:
        server.put(resource_of(document))
    site = Site(world, server)
    site.relist()
    site.step()
    return world, server, site


def served(world: World) -> dict[str, bytes]:
    """Give what clients find: every file that is built, after verifying all of it."""
    content = world.new_publisher().load()
    assert content is not None
    return {path: data for path, data in content.build.files.items() if not path.endswith("head.json")}


NEW = flag("new-checkout", on_for=["acme", "globex"])


def test_what_is_approved_is_ready_and_says_by_whom(tmp_path: Path) -> None:
    """The statement is carried, the resource declares the same: in force."""
    world, server, site = founded(tmp_path)
    assert site.reason("FlagDefinition", "new-checkout", "payments") == ("True", "InForce")
    for body in bodies_of(world.accept(NEW)):
        server.put(body)
    server.put(resource_of(NEW))
    site.feed(server.log)
    assert site.step().published.sequence == 1
    status = server.bodies[Ref("FlagDefinition", "payments", "new-checkout")]["status"]
    assert site.reason("FlagDefinition", "new-checkout", "payments") == ("True", "InForce")
    assert (status["approvedBy"], status["approval"]["sequence"], status["snapshotVersion"]) == ("alice +1", 1, 2)


def test_an_unapproved_edit_changes_nothing_but_its_status(tmp_path: Path) -> None:
    """It is published as it was approved, after a restart too, and says what is wrong with it."""
    world, server, site = founded(tmp_path)
    before = served(world)
    server.put(resource_of(NEW))
    site.feed(server.log)
    site.step()
    assert served(world) == before
    assert site.reason("FlagDefinition", "new-checkout", "payments") == ("False", "ApprovalMissing")
    assert site.reason("FlagDefinition", "new-checkout", "payments", "Drifted") == ("True", "NotAsApproved")
    restarted = Site(world, server, world.new_publisher())
    restarted.relist()
    restarted.step()
    assert served(world) == before
    assert restarted.writes == 0, "a restart writes no status that says the same"


def test_an_unapproved_deletion_is_drift_and_nothing_else(tmp_path: Path) -> None:
    """The snapshot keeps what was approved."""
    world, server, site = founded(tmp_path)
    before = served(world)
    server.delete("FlagDefinition", "new-checkout", "payments")
    site.feed(server.log)
    step = site.step()
    assert served(world) == before
    picture = site.reporter.picture(step.head, site.source.offered(), version=1, now=world.clock())
    assert site.reporter.missing(picture) == ("FlagDefinition/payments/new-checkout",)


def test_an_earlier_approved_content_is_named_as_that(tmp_path: Path) -> None:
    """A replayed manifest is not confused with one that nobody approved."""
    world, server, site = founded(tmp_path)
    for body in bodies_of(world.accept(NEW)):
        server.put(body)
    site.feed(server.log)
    site.step()
    assert site.reason("FlagDefinition", "new-checkout", "payments") == ("False", "Superseded")


def test_a_statement_with_a_document_withheld_is_not_accepted_at_all(tmp_path: Path) -> None:
    """And the approval says which one is missing; when it comes, by whomever, all of it is."""
    world, server, site = founded(tmp_path)
    other = flag("pay-later", on_for=["acme"])
    (body,) = bodies_of(world.accept(NEW, other))
    kept = [text for text in body["spec"]["documents"] if "pay-later" in text]
    server.put({**body, "spec": {**body["spec"], "documents": kept}})
    site.feed(server.log)
    assert site.step().published.sequence == 0
    name = body["metadata"]["name"]
    assert site.reason("FlagApproval", name) == ("False", "ContentMissing")
    server.put(resource_of(NEW))
    site.feed(server.log)
    assert site.step().published.sequence == 1
    assert site.reason("FlagApproval", name) == ("True", "Accepted")


def test_a_statement_short_of_an_approver_says_who_is_missing(tmp_path: Path) -> None:
    """The flag's status carries the decision's own words."""
    world, server, site = founded(tmp_path)
    dear = flag("instant-refund", tier="high-risk", on_for=["acme", "globex"])
    entry = world.accept(dear)
    envelope = entry.envelope
    short = type(envelope)(envelope.payload, envelope.signatures[:1])
    for body in carry(statement_carrier(envelope.payload), entry.documents.values(), [short]):
        server.put(body)
    server.put(resource_of(dear))
    site.feed(server.log)
    assert site.step().published.sequence == 0
    status, reason = site.reason("FlagDefinition", "instant-refund", "payments")
    assert (status, reason) == ("False", "RoleMissing")
    assert site.reason("FlagDefinition", "instant-refund", "payments", "PolicyCompliant") == ("False", "RoleMissing")


def test_a_change_of_one_flag_writes_the_status_of_one_flag(tmp_path: Path) -> None:
    """The version of the snapshot in a status is that with which its content came out."""
    world, server, site = founded(tmp_path)
    for body in bodies_of(world.accept(NEW)):
        server.put(body)
    server.put(resource_of(NEW))
    site.feed(server.log)
    site.writes = 0
    site.step()
    assert site.writes == 2
    assert server.bodies[Ref("FlagDefinition", "payments", "pay-later")]["status"]["snapshotVersion"] == 1


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_lost_doubled_and_reordered_events_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """After a look at the list, two operators say and publish the same, whatever events they had."""
    folder = tmp_path_factory.mktemp("shuffled")
    world, server, site = founded(folder)
    changes = [NEW, flag("pay-later", on_for=["acme"]), flag("new-checkout", on_for=[])]
    for number, changed in enumerate(changes):
        for body in bodies_of(world.accept(changed)):
            server.put(body)
        if data.draw(st.booleans(), label=f"declare {number}"):
            server.put(resource_of(changed))
    server.put(resource_of(flag("pay-later", on_for=["mallory"])))
    if data.draw(st.booleans(), label="delete"):
        server.delete("FlagDefinition", "ranker", "search")
    log = list(server.log)
    events = data.draw(st.lists(st.sampled_from(log), max_size=2 * len(log)), label="events")
    for start in range(0, len(events) + 1, 5):
        site.feed(events[start : start + 5])
        site.step()
    site.relist()
    assert site.step().published.sequence == len(changes)
    site.step()

    bodies = {ref: {key: it for key, it in body.items() if key != "status"} for ref, body in server.bodies.items()}
    fresh = Site(world, Server(bodies, version=server.version), world.new_publisher())
    fresh.relist()
    fresh.step()
    assert fresh.server.statuses() == server.statuses()
    wanted = build(world.head, "production", world.clock()).files
    assert served(world) == {path: data for path, data in wanted.items() if not path.endswith("head.json")}


def test_a_flag_that_is_rolled_back_is_not_said_to_be_in_force(tmp_path: Path) -> None:
    """`kubectl get flags -o wide` and `flagseal cluster status` show the reason of Ready, and little else."""
    world, server, site = founded(tmp_path)
    head = world.head
    why = "alice rolled it back for INC-7; everyone is served the safe variant."
    picture = site.reporter.picture(
        head, site.source.offered(), version=1, now=world.clock(), overridden={"payments/new-checkout": why}
    )
    for update in site.reporter.updates(picture, site.source.offered()):
        server.write_status(update.ref, update.status)
    conditions = server.bodies[Ref("FlagDefinition", "payments", "new-checkout")]["status"]["conditions"]
    said = {it["type"]: (it["status"], it["reason"], it["message"]) for it in conditions}
    assert said["Ready"] == ("True", "RolledBack", f"It is approved, and not what is served: {why}")
    assert said["Published"][1] == "RolledBack"
    assert site.reason("FlagDefinition", "pay-later", "payments") == ("True", "InForce")
