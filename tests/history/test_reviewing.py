"""When an emergency counts as reviewed: by the accepted history, and by nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flagseal.history import accept, changes, replay, reviewed
from tests.history.company import MONDAY, edited
from tests.history.reviews import LATER, broken, company, freeze, named, ranker, review, rollback


def test_a_review_that_somebody_else_approved_closes_an_override() -> None:
    """It is told by whom, when, by which statement, and what became of it."""
    history = company()
    (stopped,) = broken(history)
    assert reviewed(history.head, stopped) is None
    history.change(review(stopped), by=["alice"], approved=["bob"], now=LATER)
    found = reviewed(history.head, stopped)
    assert found is not None
    assert (found.review, found.outcome, found.by, found.at) == ("inc-7", "returned", ("bob",), LATER)
    assert (found.statement, found.sequence) == (history.head.statement, 1)
    assert found.text == f"reviewed by bob, {LATER:%Y-%m-%d %H:%M UTC}, statement 1 (inc-7): returned"


def test_the_answer_follows_from_the_history_alone() -> None:
    """Whoever replays it says the same, whatever else there was."""
    history = company()
    (stopped,) = broken(history)
    history.change(review(stopped), by=["alice"], approved=["bob"], now=LATER)
    history.change(edited(ranker(), ticket="S-1"), by=["bob"], approved=["carol"], now=LATER)
    again = replay(history.trust, history.start, history.entries)
    assert again == history.head
    assert reviewed(again, stopped) == reviewed(history.head, stopped) is not None


def test_a_review_closes_exactly_what_it_names() -> None:
    """Two overrides, one of which is named."""
    history = company()
    stopped, other = broken(history, rollback(), rollback("pay-later", name="stop-that"))
    history.change(review(stopped), approved=["dora", "bob"], by=["alice"], now=LATER)
    assert reviewed(history.head, stopped) is not None
    assert reviewed(history.head, other) is None


def test_one_review_closes_several() -> None:
    """An incident of which three overrides and freezes are a part."""
    history = company()
    standings = broken(history, rollback(), freeze(), freeze("payments", "search", name="hold-two"))
    history.change(review(*standings), by=["alice"], approved=["bob", "carol"], now=LATER)
    assert all(reviewed(history.head, it) is not None for it in standings)


@pytest.mark.parametrize(
    "otherwise",
    [
        {"name": "another"},
        {"flag": "payments/pay-later"},
        {"proof": "sha256:" + "0" * 64},
        {"requestedBy": "bob"},
    ],
    ids=lambda it: next(iter(it)),
)
def test_a_review_that_names_something_else_is_accepted_and_says_nothing(otherwise: dict[str, str]) -> None:
    """One of something that a verifier does not know is none of its business."""
    history = company()
    (stopped,) = broken(history)
    other = review(stopped, emergencies=[named(stopped, **otherwise)])
    history.change(other, by=["dora"], approved=["alice", "bob", "erin"], now=LATER)
    assert reviewed(history.head, stopped) is None


def test_a_review_that_is_taken_back_leaves_it_unreviewed() -> None:
    """A tombstone is no review."""
    history = company()
    (stopped,) = broken(history)
    written = review(stopped)
    history.change(written, by=["alice"], approved=["bob"], now=LATER)
    history.change(remove=[written], by=["alice"], approved=["bob"], now=LATER)
    assert reviewed(history.head, stopped) is None
    assert not history.head.reviews


def test_a_review_that_is_edited_counts_by_who_approved_the_edit() -> None:
    """What somebody approved before says nothing of what stands there now."""
    history = company()
    (stopped,) = broken(history)
    written = review(stopped)
    history.change(written, by=["alice"], approved=["bob"], now=LATER)
    again = edited(written, outcome="permanent")
    history.change(again, by=["dora"], approved=["alice", "bob", "carol", "dora"], now=LATER)
    found = reviewed(history.head, stopped)
    assert found is not None
    assert (found.outcome, found.sequence, found.by) == ("permanent", 2, ("bob", "carol"))


def test_a_review_is_in_force_when_it_is_accepted_whatever_waits_beside_it() -> None:
    """Reviews serve nobody anything, so they wait for no window, and keep nothing from waiting."""
    history = company()
    (stopped,) = broken(history)
    assert changes(history.head, []) is not None
    history.change(review(stopped), by=["alice"], approved=["bob"], now=MONDAY + timedelta(days=5))
    assert not history.head.pending
    assert reviewed(history.head, stopped) is not None


def test_a_review_in_the_genesis_closes_nothing() -> None:
    """Nobody knows who approved what was there at the start, nor when."""
    history = company()
    (stopped,) = broken(history)
    history = company(*(it for it in history.head.documents.values() if it.kind == "FlagDefinition"), review(stopped))
    assert reviewed(history.head, stopped) is None


def test_the_owner_of_the_flag_is_asked_by_the_row_of_its_tier() -> None:
    """A review of a sensitive flag is not cheaper than any other change that serves nobody anything."""
    history = company()
    (stopped,) = broken(history)
    assert history.refused(review(stopped), by=["alice"], approved=["carol"], now=LATER) == "RoleMissing"
    decision = history.attempt(review(stopped), by=["alice"], approved=["bob"], now=LATER).decision
    assert decision is not None
    assert {name: (it.tier, it.change_class) for name, it in decision.environments.items()} == {
        "production": ("sensitive", "metadata")
    }


def test_a_review_of_a_flag_that_is_gone_asks_any_owner_of_the_namespace() -> None:
    """It can be reviewed all the same."""
    history = company()
    (stopped,) = broken(history, rollback("pay-later"))
    gone = next(it for it in history.head.documents.values() if it.name == "pay-later")
    history.change(remove=[gone], by=["bob"], approved=["alice", "dora"], now=LATER)
    assert history.attempt(review(stopped), by=["alice"], approved=["bob"], now=LATER).head is not None


def test_who_signed_twice_counts_once_and_the_record_says_who_was_not_counted() -> None:
    """The decision names the requester among those who could not approve."""
    history = company()
    (stopped,) = broken(history)
    proposal = history.proposal(review(stopped), by=["dora"])
    acceptance = accept(history.head, history.bundle(proposal, "alice"), history.trust, now=LATER)
    assert acceptance.decision is not None
    assert "alice" not in {it for missing in acceptance.decision.missing for it in missing.candidates}
    assert any("asked for what it reviews" in it.reason for it in acceptance.decision.failed)
