"""Have a commit merged that stops every approval after it, for ever: no later commit can leave it out.

The attacker signs commits with a key of the organisation's, approves nothing, and gets one harmless change merged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flagseal.repository.flag_repository import LARGEST_COMMIT
from tests.history.branch import Branch
from tests.history.company import edited, flag, rule

if TYPE_CHECKING:
    from pathlib import Path

CHECKOUT = flag(tier="operational")
WIDER = flag(tier="operational", production=rule())


@pytest.fixture
def branch(tmp_path: Path) -> Branch:
    """Give a branch with a flag that one of its owners may widen."""
    return Branch.at(tmp_path / "flags", CHECKOUT)


def say(branch: Branch, message: str) -> str:
    """Commit nothing, with a message kept to the byte, signed by the attacker."""
    options = ("-S", "--quiet", "--allow-empty", "--cleanup=verbatim", "-F", "-")
    branch.git.git(*branch.git.signing("bob"), "commit", *options, stdin=message)
    return branch.git.head()


def test_by_a_line_that_takes_hours_to_read(branch: Branch) -> None:
    """A trailer of a million blanks; matched by a pattern that tries every one, it would be read until tomorrow."""
    say(branch, f"harmless\n\nTicket:{' ' * 1_000_000}\nTicket{' ' * 1_000_000}\nReviewed: yes\n")
    branch.commit(WIDER)
    branch.approve("alice")
    assert len(branch.poll()) == 1


@pytest.mark.parametrize("ticket", ["P" * 257, "PAY-1\x07", "PAY-1\x7f"])
def test_by_a_ticket_that_no_statement_can_hold(branch: Branch, ticket: str) -> None:
    """It names none: signed into a statement, it would make one that nobody can read."""
    say(branch, f"harmless\n\nTicket: {ticket}\n")
    branch.commit(WIDER)
    branch.approve("alice")
    assert len(branch.poll()) == 1


def test_by_a_ticket_that_hides_another(branch: Branch) -> None:
    """The one that can be held counts, though it is the older."""
    branch.commit(edited(CHECKOUT, description="Other."), message="change\n\nTicket: PAY-1\n")
    say(branch, f"harmless\n\nTicket: {'P' * 257}\n")
    assert branch.candidate().proposal.statement.ticket == "PAY-1"


def test_by_a_commit_too_large_to_be_read(branch: Branch) -> None:
    """It counts as one that nobody signed: what it changed can be reverted, and made again."""
    say(branch, "x" * LARGEST_COMMIT)
    branch.commit(WIDER)
    branch.approve("alice")
    assert len(branch.poll()) == 1
