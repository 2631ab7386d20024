"""Bring back, move or cut an approval that people really gave.

The attacker holds genuine statements with genuine signatures, and carries them where they like.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from flagseal.approval.trust import Genesis
from flagseal.history import Bundle, Manifest, accept, genesis, replay
from flagseal.model.errors import ApprovalError
from tests.history.company import MONDAY, Chronicle, code, edited, flag, rule, segment

if TYPE_CHECKING:
    from flagseal.history import Head

CHECKOUT = flag()
WIDER = flag(production=rule())


@pytest.fixture
def history() -> Chronicle:
    """Give a history with one flag, off."""
    return Chronicle.of(CHECKOUT)


def offer(history: Chronicle, bundle: Bundle, head: Head | None = None) -> str:
    """Give the code by which a bundle is refused."""
    return code(accept(head or history.head, bundle, history.trust, now=MONDAY))


def test_an_old_approved_state(history: Chronicle) -> None:
    """The flag was widened and then closed for a reason; the old statement would open it again."""
    opening = history.bundle(history.proposal(WIDER), "alice", "dora")
    history.take(accept(history.head, opening, history.trust, now=MONDAY))
    history.change(CHECKOUT, approved=["alice"])
    assert offer(history, opening) == "StatementReplayed"


def test_the_same_step_with_another_number(history: Chronicle) -> None:
    """The number is part of what was signed."""
    opening = history.bundle(history.proposal(WIDER), "alice", "dora")
    history.take(accept(history.head, opening, history.trust, now=MONDAY))
    history.change(CHECKOUT, approved=["alice"])
    statement = replace(
        opening.envelope.statement, sequence=3, before=history.head.manifest.digest, from_commit=history.head.commit
    )
    envelope = replace(opening.envelope, payload=statement.payload())
    assert offer(history, replace(opening, envelope=envelope)) == "NoValidSignature"


def test_a_statement_of_another_repository(history: Chronicle) -> None:
    """The same company's test repository, with the same people and even the same documents."""
    other = replace(history.trust, repository_id="git:" + "2" * 40)
    twin = genesis(other, history.start)
    bundle = history.bundle(history.proposal(WIDER), "alice", "dora")
    assert code(accept(twin, bundle, other, now=MONDAY)) == "WrongRepository"


def test_a_statement_of_another_branch(history: Chronicle) -> None:
    """Approved on a branch that nobody protects."""
    other = replace(history.trust, ref="refs/heads/experiment")
    bundle = history.bundle(history.proposal(WIDER), "alice", "dora")
    assert code(accept(genesis(other, history.start), bundle, other, now=MONDAY)) == "WrongBranch"


def test_an_approval_of_staging_in_production(history: Chronicle) -> None:
    """What one person may do to staging is not enough for production, in whatever company."""
    staging = flag(staging={"default": "disabled"})
    both = flag(staging={"default": "disabled"}, production=rule())
    assert history.attempt(staging, approved=["alice"]).head is not None
    assert history.refused(both, approved=["alice"]) == "RoleMissing"


def test_an_approval_under_another_name(history: Chronicle) -> None:
    """The approved content, delivered as another flag's and in another namespace."""
    other = flag("payouts")
    foreign = flag("checkout", "search")
    history.change(other)
    bundle = history.bundle(history.proposal(WIDER), "alice", "dora")
    for subject in (other.subject, foreign.subject):
        moved = replace(bundle, documents={subject: WIDER, WIDER.subject: other})
        assert offer(history, moved) == "InvalidContent"


def test_one_document_withheld(history: Chronicle) -> None:
    """The flag opens and its segment narrows, in one change; the attacker delivers the flag alone."""
    history.change(segment("pilots", "acme", "globex"))
    narrow = segment("pilots", "acme")
    bundle = history.bundle(history.proposal(narrow, flag(production=rule({"segment": "pilots"}))), "alice", "dora")
    cut = {subject: entry for subject, entry in bundle.documents.items() if subject != narrow.subject}
    assert offer(history, replace(bundle, documents=cut)) == "ContentMissing"


def test_two_states_mixed(history: Chronicle) -> None:
    """The flag of the new state with the segment of the old one: both were approved, never together."""
    old = segment("pilots", "acme", "globex")
    history.change(old)
    bundle = history.bundle(
        history.proposal(segment("pilots", "acme"), flag(production=rule({"segment": "pilots"}))), "alice", "dora"
    )
    assert offer(history, replace(bundle, documents={**bundle.documents, old.subject: old})) == "DigestMismatch"


def test_an_edit_after_the_approval(history: Chronicle) -> None:
    """One word more in an approved document."""
    bundle = history.bundle(history.proposal(WIDER), "alice", "dora")
    edit = edited(WIDER, description="And one word more.")
    assert offer(history, replace(bundle, documents={edit.subject: edit})) == "DigestMismatch"


def test_a_statement_left_out(history: Chronicle) -> None:
    """The removal of something is skipped, and the next statement shown."""
    history.change(remove=[CHECKOUT])
    head = history.head
    history.change(segment("later", "acme"), approved=["alice"])
    again = genesis(history.trust, history.start)
    assert code(accept(again, history.entries[1].bundle, history.trust, now=MONDAY)) == "SequenceGap"
    with pytest.raises(ApprovalError):
        replay(history.trust, history.start, [history.entries[1]])
    assert replay(history.trust, history.start, history.entries[:1]) == head


def test_another_beginning(history: Chronicle) -> None:
    """A genesis with one flag more, or one approver: its manifest is not the one that the offline keys signed."""
    with pytest.raises(ApprovalError) as caught:
        genesis(history.trust, (*history.start, flag("more")))
    assert caught.value.code == "GenesisMismatch"
    with pytest.raises(ApprovalError):
        genesis(history.trust, history.start[1:])
    with pytest.raises(ApprovalError):
        genesis(history.trust, (*history.start, history.start[0]))


def test_a_later_beginning_keeps_its_number(history: Chronicle) -> None:
    """Genesis may move forward: what came before it cannot be replayed on top of it."""
    opening = history.bundle(history.proposal(WIDER), "alice", "dora")
    history.take(accept(history.head, opening, history.trust, now=MONDAY))
    moved = Genesis(history.head.commit, Manifest.of(history.head.documents).digest, sequence=1)
    trust = replace(history.trust, genesis=moved)
    begun = genesis(trust, history.head.documents.values())
    assert begun.sequence == 1
    assert code(accept(begun, opening, trust, now=MONDAY)) == "StatementReplayed"
