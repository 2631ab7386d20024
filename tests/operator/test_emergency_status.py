"""What the status of an override says: who, until when, and whether somebody else has reviewed it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from flagseal.emergency import Outcome, Standing
from flagseal.history import reviewed
from flagseal.model.errors import ApprovalError
from flagseal_operator.inventory import Seen
from flagseal_operator.status.emergency import emergency_status
from tests.history.reviews import BEGAN, LATER, broken, company, review, rollback

SEEN = Seen("u1", "7", 1, "2026-11-23T09:00:00Z", b"")


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Give status and reason of each condition."""
    return {it["type"]: (it["status"], it["reason"]) for it in status["conditions"]}


def of(standing: Standing) -> Outcome:
    """Say that a claim was proven."""
    return Outcome(standing.claim, standing, None)


@pytest.mark.parametrize(("after", "state"), [(timedelta(minutes=1), "Active"), (timedelta(hours=5), "Over")])
def test_one_that_nobody_reviewed_asks_for_somebody_else(after: timedelta, state: str) -> None:
    """While it holds, and afterwards."""
    (stopped,) = broken(company())
    status = emergency_status(SEEN, of(stopped), None, BEGAN + after)
    assert conditions(status)["Reviewed"] == ("False", "NotReviewed")
    assert conditions(status)["Ready"] == ("True", state)
    assert (status["person"], status["proof"]) == ("alice", stopped.proof.digest)
    assert "reviewed" not in status
    told = {it["type"]: it["message"] for it in status["conditions"]}
    assert told["Reviewed"] == "Somebody else than alice has to review it."
    assert told["Ready"].endswith(told["Reviewed"])


def test_one_that_was_reviewed_says_by_whom_when_by_what_and_with_which_outcome() -> None:
    """In words and as fields; it can be written as canonical JSON."""
    history = company()
    (stopped,) = broken(history)
    history.change(review(stopped, outcome="permanent"), by=["alice"], approved=["bob"], now=LATER)
    status = emergency_status(SEEN, of(stopped), None, LATER, reviewed(history.head, stopped))
    assert conditions(status)["Reviewed"] == ("True", "Reviewed")
    assert status["reviewed"] == {
        "review": "inc-7",
        "outcome": "permanent",
        "by": ["bob"],
        "at": f"{LATER:%Y-%m-%dT%H:%M:%SZ}",
        "statement": history.head.statement,
        "sequence": 1,
    }
    told = {it["type"]: it["message"] for it in status["conditions"]}
    assert told["Reviewed"] == f"Reviewed by bob, {LATER:%Y-%m-%d %H:%M UTC}, statement 1 (inc-7): permanent."
    assert json.loads(json.dumps(status)) == status


def test_one_that_only_ends_another_and_one_without_effect_are_not_to_be_reviewed() -> None:
    """There is nothing to look at."""
    history = company()
    ender = rollback(name="over", until=None, action=None, ends="stop-it")
    stopped, over = broken(history, rollback(), ender)
    assert "Reviewed" not in conditions(emergency_status(SEEN, of(over), None, LATER))
    refused = ApprovalError("No.", code="Unproven")
    status = emergency_status(SEEN, Outcome(stopped.claim, None, refused), None, LATER)
    assert "Reviewed" not in conditions(status)
    assert "proof" not in status
