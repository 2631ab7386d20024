"""From a branch with notes to a head, and back from nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from securesystemslib.signer import CryptoSigner

from flagseal.approval.envelope import Envelope, Signature
from flagseal.approval.trust import Attestor
from flagseal.history import accept
from flagseal.intake import candidates, recover
from flagseal.model.errors import ApprovalError, InvalidDocuments
from tests.approval.keyring import SshKey
from tests.history.branch import Branch
from tests.history.company import MONDAY, NEXT_MONDAY, SATURDAY, edited, flag, organisation, policies, rule, segment
from tests.repository.gitrepo import GitRepository

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.history import Advance

CHECKOUT = flag(tier="operational")
WIDER = flag(tier="operational", production=rule({"org": "acme"}))
WIDEST = flag(tier="operational", production=rule())
WORDS = edited(WIDER, description="Other words.")


@pytest.fixture
def branch(tmp_path: Path) -> Branch:
    """Give a branch with one flag, committed on a day long ago."""
    return Branch.at(tmp_path / "flags", CHECKOUT, date="2026-11-01T00:00:00+0000")


def recovered(branch: Branch, now: datetime = MONDAY) -> Advance:
    """Rebuild the history from git alone."""
    return recover(branch.git.open(), branch.trust, now=now)


def test_statements_are_accepted_in_order_in_one_go(branch: Branch) -> None:
    """A publisher that was away finds all of them."""
    twin = twin_of(branch)
    first = branch.commit(WIDER)
    branch.approve("alice")
    branch.poll()
    second = branch.commit(WIDEST)
    branch.approve("alice")
    assert twin.poll() == (first, second)
    assert twin.head.sequence == 2


def twin_of(branch: Branch) -> Branch:
    """Give another publisher of the same branch, which still is where it began."""
    twin = object.__new__(Branch)
    twin.__dict__ |= branch.__dict__
    twin.entries = []
    return twin


def test_approvals_come_one_by_one(branch: Branch) -> None:
    """Each approver adds a line; the last one needed completes it."""
    sensitive = flag()
    start = Branch.at(branch.git.path.parent / "sensitive", sensitive)
    start.commit(flag(production=rule()))
    start.approve("alice")
    assert start.poll() == ()
    start.approve("dora")
    assert len(start.poll()) == 1


def test_commits_that_govern_nothing_need_no_statement(branch: Branch) -> None:
    """They are passed over, and the next statement goes on from the accepted commit."""
    branch.git.put({"README.md": "hello"}).commit("words", by="carol")
    with pytest.raises(ApprovalError) as caught:
        branch.candidate()
    assert caught.value.code == "NothingChanges"
    branch.commit(WIDER)
    statement = branch.candidate().proposal.statement
    assert statement.from_commit == branch.trust.genesis.commit
    assert statement.contributors == ("bob", "carol")


def test_the_net_change_is_what_is_approved(branch: Branch) -> None:
    """Two commits, one statement; what was done and undone between is not in it."""
    branch.commit(WIDER, segment("passing", "acme"))
    branch.git.put({"flags/payments/passing.yaml": None})
    branch.commit(WIDEST, by="carol")
    proposal = branch.candidate().proposal
    assert proposal.documents == {WIDEST.subject: WIDEST}
    assert proposal.statement.contributors == ("bob", "carol")


def test_everybody_writes_the_same_bytes(branch: Branch) -> None:
    """The payload is a function of the history: a clone gives it as well."""
    branch.commit(WIDER)
    branch.git.git("clone", "--quiet", str(branch.git.path), str(branch.git.path.parent / "clone"))
    twin = twin_of(branch)
    twin.repository = GitRepository(branch.git.path.parent / "clone").open()
    assert twin.candidate().proposal == branch.candidate().proposal


def test_the_ticket_is_a_trailer_of_any_commit(branch: Branch) -> None:
    """The newest that names one."""
    branch.commit(WIDER, message="first\n\nTicket: PAY-1")
    branch.commit(WIDEST, message="second\n\nTicket: PAY-2")
    branch.commit(message="third")
    assert branch.candidate().proposal.statement.ticket == "PAY-2"


def test_broken_documents_are_no_proposal(branch: Branch) -> None:
    """With every finding, and without asking who wrote them."""
    branch.git.put({"flags/payments/broken.yaml": "a: ["}).commit("broken")
    with pytest.raises(InvalidDocuments) as caught:
        branch.candidate()
    assert [finding.file for finding in caught.value.findings] == ["flags/payments/broken.yaml"]


def test_of_two_changes_in_flight_the_second_is_signed_again(branch: Branch) -> None:
    """Both are complete; the older is taken, and the younger now has to be approved on top of it."""
    first = branch.commit(WIDER)
    branch.approve("alice", revision=first)
    second = branch.commit(WIDEST)
    branch.approve("alice", revision=second)
    stale = branch.candidate(second).bundle
    assert branch.poll() == (first,)
    refusal = accept(branch.head, stale, branch.trust, now=MONDAY).refusal
    assert refusal is not None
    assert refusal.code == "StatementReplayed"
    assert branch.candidate(second).envelope.signatures == ()
    branch.approve("alice", revision=second)
    assert branch.poll() == (second,)


def test_of_two_ways_the_one_that_leads_on_is_taken(branch: Branch) -> None:
    """Others went on from the second of two complete statements: so does a publisher that comes later."""
    late = twin_of(branch)
    first = branch.commit(WIDER)
    second = branch.commit(WORDS)
    branch.approve("alice", revision=second)
    assert branch.poll() == (second,)
    third = branch.commit(WIDEST)
    branch.approve("alice", revision=third)
    branch.poll()
    late.approve("alice", revision=first)
    assert late.poll() == (second, third)
    assert late.head == branch.head
    assert recovered(branch).head.manifest == branch.head.manifest


def test_an_attestors_statement_is_what_is_signed_next(branch: Branch) -> None:
    """It says more about the same change; what it does not sign is written by anybody."""
    signer = CryptoSigner.generate_ed25519()
    branch.trust = replace(branch.trust, attestors=(Attestor(signer.public_key),))
    branch.commit(WIDER)
    plain = branch.candidate().proposal.statement
    spoken = replace(
        plain,
        forge={
            "request": {"number": 1},
            "approvals": [{"person": "alice", "at": "2026-11-23T09:00:00Z"}],
            "decision": {},
            "verifier": {"id": "https://flagseal.dev/attestor"},
            "observedAt": "2026-11-23T09:30:00Z",
        },
    )
    branch.note(spoken.payload(), SshKey.of("alice").approve(spoken.payload()))
    assert branch.candidate().proposal.statement == plain
    made = signer.sign(Envelope(spoken.payload()).pae)
    branch.note(spoken.payload(), Signature(made.keyid, bytes.fromhex(made.signature)))
    offered = candidates(branch.repository, branch.head, branch.trust, "HEAD")
    assert [entry.proposal.statement for entry in offered] == [spoken, plain]
    assert len(branch.poll()) == 1
    other = replace(spoken, sequence=2, contributors=("carol",))
    made = signer.sign(Envelope(other.payload()).pae)
    branch.commit(WIDEST)
    branch.note(other.payload(), Signature(made.keyid, bytes.fromhex(made.signature)))
    assert branch.poll() == ()


def test_an_attestation_alone_is_enough_where_the_row_takes_it(branch: Branch) -> None:
    """Forge evidence: the attestor's signature over what the forge knew."""
    signer = CryptoSigner.generate_ed25519()
    branch.trust = replace(branch.trust, attestors=(Attestor(signer.public_key),))
    branch.commit(WIDER)
    for person, accepted in (("mallory", 0), ("alice", 1)):
        statement = replace(
            branch.candidate().proposal.statement,
            forge={
                "request": {"number": 1},
                "approvals": [{"person": person, "at": "2026-11-23T09:00:00Z"}],
                "decision": {},
                "verifier": {"id": "https://flagseal.dev/attestor"},
                "observedAt": "2026-11-23T09:30:00Z",
            },
        )
        made = signer.sign(Envelope(statement.payload()).pae)
        branch.note(statement.payload(), Signature(made.keyid, bytes.fromhex(made.signature)))
        assert len(branch.poll()) == accepted


# Recovery (docs/adr/0030-recovery-without-provenance.md)


def test_a_lost_history_is_rebuilt(branch: Branch) -> None:
    """Manifest, sequence, approvals and statement are the same; the times are what git says."""
    branch.commit(WIDER, date="2026-11-10T00:00:00+0000")
    branch.approve("alice")
    branch.poll()
    branch.commit(WIDEST, date="2026-11-12T00:00:00+0000")
    branch.approve("alice")
    branch.poll()
    again = recovered(branch, NEXT_MONDAY)
    assert (again.head.manifest, again.head.approvals) == (branch.head.manifest, branch.head.approvals)
    assert again.head.statement == branch.head.statement
    assert [entry.accepted_at for entry in again.entries] == [datetime(2026, 11, 10, tzinfo=UTC), NEXT_MONDAY]


def ending(tmp_path: Path) -> Branch:
    """Give a branch on which alice's membership ends on the fifteenth."""
    teams = organisation()["teams"]
    teams["team-payments"]["members"] = [{"person": "alice", "until": "2026-11-15"}, "bob"]
    start = (*policies(teams=teams), CHECKOUT)
    branch = Branch(GitRepository.at(tmp_path / "ending"), start)
    return branch.begin("2026-11-01T00:00:00+0000")


def test_who_left_since_does_not_break_the_chain(tmp_path: Path) -> None:
    """What alice approved while she was there stands, since an approved statement builds on it."""
    branch = ending(tmp_path)
    then = datetime(2026, 11, 10, tzinfo=UTC)
    branch.commit(WIDER, date="2026-11-10T00:00:00+0000")
    branch.approve("alice")
    branch.poll(then)
    branch.commit(WIDEST, by="carol", date="2026-11-20T00:00:00+0000")
    branch.approve("bob")
    branch.poll()
    assert recovered(branch).head.manifest == branch.head.manifest


def test_the_last_statement_is_judged_now(tmp_path: Path) -> None:
    """Nothing builds on it, so its date is nobody's word but the committer's: alice may not approve it any more."""
    branch = ending(tmp_path)
    branch.commit(WIDER, by="bob", date="2026-11-10T00:00:00+0000")
    branch.approve("alice")
    assert recovered(branch, datetime(2026, 11, 11, tzinfo=UTC)).head.sequence == 1
    assert recovered(branch).head.sequence == 0


def test_a_date_in_the_future_is_not_believed(branch: Branch) -> None:
    """Neither is one before what came before."""
    branch.commit(WIDER, date="2036-01-01T00:00:00+0000")
    branch.approve("alice")
    branch.poll()
    branch.commit(WORDS, date="2006-01-01T00:00:00+0000")
    branch.approve("alice")
    branch.poll()
    branch.commit(WIDEST, date="2006-01-01T00:00:00+0000")
    branch.approve("alice")
    branch.poll()
    times = [entry.accepted_at for entry in recovered(branch).entries]
    assert times == [MONDAY, MONDAY, MONDAY]


def test_an_unfinished_statement_does_not_hide_the_ones_before(branch: Branch) -> None:
    """What still collects signatures is passed over."""
    branch.commit(WIDER, date="2026-11-10T00:00:00+0000")
    branch.approve("alice")
    branch.poll()
    branch.commit(WIDEST)
    branch.approve("mallory")
    assert recovered(branch).head.sequence == 1


def test_what_waits_is_recovered(tmp_path: Path) -> None:
    """A change of Saturday, still last, waits for Monday after recovery too."""
    branch = Branch.at(tmp_path / "dear", flag(tier="high-risk"))
    opened = flag(tier="high-risk", production=rule())
    branch.commit(opened, date="2026-11-28T09:00:00+0000")
    branch.approve("alice", "dora")
    branch.poll(SATURDAY)
    again = recovered(branch, SATURDAY + timedelta(hours=1))
    assert again.head.pending == branch.head.pending


def test_recovery_of_another_repository_is_refused(branch: Branch) -> None:
    """By its first commit, or by its genesis' documents."""
    with pytest.raises(ApprovalError) as caught:
        recover(branch.repository, replace(branch.trust, repository_id="git:" + "9" * 40), now=MONDAY)
    assert caught.value.code == "WrongRepository"
    genesis = replace(branch.trust.genesis, manifest="sha256:" + "0" * 64)
    with pytest.raises(ApprovalError) as caught:
        recover(branch.repository, replace(branch.trust, genesis=genesis), now=MONDAY)
    assert caught.value.code == "GenesisMismatch"
