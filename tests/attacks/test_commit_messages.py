"""Have a commit merged that stops every approval after it, for ever: no later commit can leave it out.

The attacker signs commits with a key of the organisation's, approves nothing, and gets one harmless change merged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flagseal.repository import flag_repository
from flagseal.repository.flag_repository import LARGEST_COMMIT, LARGEST_CONTRIBUTION
from tests.attacks.checkout import CHECKOUT, WIDER
from tests.history.company import edited

if TYPE_CHECKING:
    from tests.history.branch import Branch


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


@pytest.mark.parametrize("size", [LARGEST_CONTRIBUTION, LARGEST_COMMIT])
def test_by_a_commit_too_large_to_be_read(branch: Branch, size: int) -> None:
    """It counts as one that nobody signed: what it changed can be reverted, and made again."""
    before = branch.git.head()
    name = say(branch, "x" * size)
    [unread] = branch.repository.commits_between(before, name)
    assert (unread.id, unread.signature, unread.signed_payload) == (name, None, b"")
    branch.commit(WIDER)
    branch.approve("alice")
    assert len(branch.poll()) == 1


def test_by_many_commits_that_are_too_large_together(branch: Branch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest of them are not read, whoever came first: honest ones keep their signers."""
    monkeypatch.setattr(flag_repository, "LARGEST_CONTRIBUTIONS", LARGEST_CONTRIBUTION)
    before = branch.git.head()
    for _ in range(4):
        say(branch, "x" * (LARGEST_CONTRIBUTION // 2))
    last = branch.commit(WIDER)
    found = branch.repository.commits_between(before, last)
    assert [bool(commit.signed_payload) for commit in found].count(True) == 2
    assert found[0].signature is not None
    branch.approve("alice")
    assert len(branch.poll()) == 1


def test_a_long_message_with_many_co_authors_keeps_its_signer(branch: Branch) -> None:
    """Honest people write much, too."""
    authors = "".join(f"Co-authored-by: Somebody {n} <somebody-{n}@example.com>\n" for n in range(500))
    message = f"change\n\n{'It says why, at length. ' * 800}\n\nTicket: PAY-1\n{authors}"
    branch.commit(WIDER, message=message)
    statement = branch.candidate().proposal.statement
    assert (statement.contributors, statement.ticket) == (("bob",), "PAY-1")
