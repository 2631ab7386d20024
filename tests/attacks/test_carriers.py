"""Keep a cluster from beginning, or slow it down, with the right to create FlagApprovals and no other.

FlagApprovals are named by what they carry and cannot be changed, so whoever comes first has the name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from flagseal.approval.envelope import Envelope
from flagseal.history import Manifest
from flagseal.policy.decide import decide
from flagseal_operator.carriers import carry, genesis_carrier, statement_carrier
from flagseal_operator.cluster_source import ClusterSource
from tests.approval.keyring import SshKey
from tests.cluster.cluster import resource_of
from tests.history.branch import Branch
from tests.history.company import edited, flag
from tests.operator.test_delivery import Target
from tests.operator.test_history_decides import NEW, bodies_of, founded

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.model.document import Document
    from flagseal.model.policies import PolicySet
    from flagseal.policy.decision import Decision
    from flagseal.policy.facts import Facts

OTHER = flag("of-the-attacker")


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """Give a cluster in which nothing is published yet."""
    return Target(Branch.at(tmp_path / "repo", flag()))


def squat(target: Target, *documents: Document, part: int = 1) -> None:
    """Take a name of the genesis' carriers."""
    body = carry(genesis_carrier(target.branch.trust.genesis.manifest), documents)[0]
    name = body["metadata"]["name"]  # type: ignore[index,call-overload]
    target.server.put({**body, "metadata": {"name": name if part == 1 else f"{name}-{part}"}})


def begins(target: Target) -> bool:
    """Deliver as a git source does, and tell whether an operator finds the genesis then."""
    target.deliver(published=False)
    trust = target.branch.trust
    found = ClusterSource(target.inventory, trust).genesis_documents()
    return Manifest.of({it.subject: it for it in found}).digest == trust.genesis.manifest


def test_by_a_document_beside_those_of_the_genesis(target: Target) -> None:
    """All of them are there, and one more: the carrier is made anew, once."""
    squat(target, *target.branch.start, OTHER)
    assert begins(target)
    assert target.deliver(published=False) == []


def test_by_a_further_part_of_the_genesis(target: Target) -> None:
    """It is none, and no writer would ever look at it: what comes before it is enough."""
    squat(target, OTHER, part=2)
    squat(target, *target.branch.start[:1], part=3)
    assert begins(target)


def test_by_another_document_of_the_same_name(target: Target) -> None:
    """In a further part, where the last would have the word."""
    squat(target, flag(tier="high-risk"), part=2)
    assert begins(target)


def test_by_thousands_of_statements_that_nobody_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would take as long to decide as a real one, again and again: none is, and the real one is accepted."""
    world, server, site = founded(tmp_path)
    entry = world.accept(NEW)
    statement = entry.envelope.statement
    stranger = SshKey.of("stranger")
    for number in range(200):
        payload = replace(statement, repository_name=f"acme/flags-{number}").payload()
        forged = Envelope(payload, (stranger.approve(payload),) if number % 2 else ())
        server.put(dict(carry(statement_carrier(payload), entry.documents.values(), [forged])[0]))
    site.relist()
    decided: list[Facts] = []

    def counting(facts: Facts, policies: PolicySet) -> Decision:
        decided.append(facts)
        return decide(facts, policies)

    monkeypatch.setattr("flagseal.history.acceptance.decide", counting)
    sequence = site.step().head.sequence
    assert decided == []
    name = statement_carrier(replace(statement, repository_name="acme/flags-1").payload())
    assert site.reason("FlagApproval", name) == ("False", "NoValidSignature")
    server.put(dict(bodies_of(entry)[0]))
    site.relist()
    assert site.step().head.sequence == sequence + 1
    assert 1 <= len(decided) <= 2, "the real one, and nothing for each forged one"


def test_by_passing_a_statement_off_as_accepted_long_ago(tmp_path: Path) -> None:
    """It fits the history and is signed by nobody: neither it nor its content is said to have been approved."""
    world, server, site = founded(tmp_path)
    real = [world.accept(NEW), world.accept(edited(NEW, description="Later."))]
    for entry in real:
        server.put(dict(bodies_of(entry)[0]))
    never = edited(NEW, description="Never approved.")
    names = []
    for number in range(8):
        said = replace(real[0].envelope.statement, ticket=f"PAY-{number}", subjects={NEW.subject: never.digest})
        names.append(statement_carrier(said.payload()))
        server.put(dict(carry(names[-1], [never], [Envelope(said.payload())])[0]))
    server.put(resource_of(never))
    site.relist()
    assert site.step().head.sequence == 2
    assert [site.reason("FlagApproval", name) for name in names] == [("False", "Superseded")] * 8
    for entry in real:
        name = statement_carrier(entry.envelope.payload)
        assert site.reason("FlagApproval", name) == ("True", "Accepted")
    assert site.reason("FlagDefinition", NEW.name, NEW.namespace) == ("False", "ApprovalMissing")


def test_by_bridging_the_way_to_a_statement_that_was_refused(tmp_path: Path) -> None:
    """Somebody did sign it, and it was never accepted: what nobody signed does not lead to it."""
    world, server, site = founded(tmp_path)
    real = [world.accept(edited(NEW, description=f"Number {number}.")) for number in range(3)]
    for entry in real:
        server.put(dict(bodies_of(entry)[0]))
    site.relist()
    assert site.step().head.sequence == 3
    server.delete("FlagApproval", statement_carrier(real[1].envelope.payload))
    never = edited(NEW, description="Never approved.")
    last = real[2].envelope.statement
    refused = replace(
        real[0].envelope.statement, commit="a" * 40, after=f"sha256:{'b' * 64}", subjects={NEW.subject: never.digest}
    )
    bridge = replace(
        real[1].envelope.statement,
        from_commit=refused.commit,
        before=refused.after,
        commit=last.from_commit,
        after=last.before,
        ticket="PAY-1",
    )
    name = statement_carrier(refused.payload())
    signed = Envelope(refused.payload(), (SshKey.of("alice").approve(refused.payload()),))
    server.put(dict(carry(name, [never], [signed])[0]))
    server.put(dict(carry(statement_carrier(bridge.payload()), [], [Envelope(bridge.payload())])[0]))
    server.put(resource_of(never))
    site.relist()
    site.step()
    assert site.reason("FlagApproval", name) == ("False", "Superseded")
    assert site.reason("FlagApproval", statement_carrier(real[2].envelope.payload)) == ("True", "Accepted")
    assert site.reason("FlagDefinition", NEW.name, NEW.namespace) == ("False", "ApprovalMissing")


def test_by_statements_that_are_created_and_deleted_again_and_again(tmp_path: Path) -> None:
    """The operator remembers whose signature is on what is carried, and nothing of what is gone."""
    world, server, site = founded(tmp_path)
    real = [world.accept(NEW), world.accept(edited(NEW, description="Later."))]
    for entry in real:
        server.put(dict(bodies_of(entry)[0]))
    for number in range(4):
        said = replace(real[0].envelope.statement, ticket=f"PAY-{number}").payload()
        # What nobody signed is looked at before the one that was accepted, if its name comes first.
        name = statement_carrier(said)
        server.put(dict(carry(name, [], [Envelope(said)])[0]))
        site.relist()
        site.step()
        server.delete("FlagApproval", name)
    site.relist()
    site.step()
    assert set(site.reporter._signed[1]) <= set(site.source.offered().statements)
