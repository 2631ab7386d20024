"""Keep a builder thinking for ever, with one's own signature and the right to carry it.

The attacker may approve small changes alone, and signs two statements for each: the same change, in other words. What
builds on the one builds on the other, so thirty such changes can be told in a thousand million ways.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.history import Offer, accept, follow
from tests.history.company import MONDAY, Chronicle, edited, flag

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from flagseal.approval.trust import Trust
    from flagseal.history import Acceptance, Bundle, Head

CHECKOUT = flag()


def told_twice(history: Chronicle, changes: int) -> dict[tuple[str, int], list[Bundle]]:
    """Write a history in which each statement is there twice, by what it builds on."""
    found = {}
    for number in range(changes):
        document = edited(CHECKOUT, description=f"Number {number}.")
        before = history.head.commit, history.head.sequence
        told = [history.proposal(document, ticket=ticket) for ticket in ("PAY-1", "PAY-2")]
        found[before] = [history.bundle(proposal, "alice") for proposal in told]
        history.take(accept(history.head, found[before][0], history.trust, now=MONDAY))
    return found


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Head]:
    """Count what is judged."""
    judged: list[Head] = []

    def counting(head: Head, bundle: Bundle, trust: Trust, **how: object) -> Acceptance:
        judged.append(head)
        return accept(head, bundle, trust, **how)  # type: ignore[arg-type]

    monkeypatch.setattr("flagseal.history.following.accept", counting)
    return judged


def test_by_telling_each_change_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is judged a few times, and not once for every way to tell what came before; the first told is taken."""
    history = Chronicle.of(CHECKOUT)
    first = history.head
    told = told_twice(history, 16)
    judged = counted(monkeypatch)

    def offers(head: Head) -> Iterator[Offer]:
        for bundle in told.get((head.commit, head.sequence), ()):
            yield Offer((bundle,), MONDAY)

    steps = follow(first, offers, history.trust)
    assert [step.head.sequence for step in steps] == list(range(1, 17))
    assert steps[-1].head == history.head
    assert len(judged) <= 4 * 16


def test_by_more_changes_than_anybody_can_think_of_at_once() -> None:
    """However deep the forks nest, the history is followed to its end."""
    history = Chronicle.of(CHECKOUT)
    first = history.head
    told = told_twice(history, 150)

    def offers(head: Head) -> Iterator[Offer]:
        for bundle in told.get((head.commit, head.sequence), ()):
            yield Offer((bundle,), MONDAY)

    assert follow(first, offers, history.trust)[-1].head == history.head
