"""How far offered statements take a head: the one way for git, for a cluster, and for whoever else carries them.

Of several statements that could come next, the one is taken on which most others build, and of those the first offered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.history.acceptance import Acceptance, accept, is_signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from flagseal.approval.trust import Trust
    from flagseal.history.bundle import Bundle, HistoryEntry
    from flagseal.history.head import Head


@dataclass(frozen=True, slots=True)
class Offer:
    """What could take a head further, by one carrier's word.

    Attributes:
        bundles: Statements for the same change, tried in this order.
        at: The clock to accept them by.
    """

    bundles: tuple[Bundle, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Followed:
    """One accepted statement on the way.

    Attributes:
        before: The head that it builds on.
        bundle: What was accepted.
        acceptance: How; its head and entry are there.
    """

    before: Head
    bundle: Bundle
    acceptance: Acceptance

    @property
    def head(self) -> Head:
        """Where it led."""
        return self.acceptance.require()


@dataclass(frozen=True, slots=True)
class Advance:
    """How far the head was taken.

    Attributes:
        head: The last accepted state.
        entries: What was accepted on the way, in order.
    """

    head: Head
    entries: tuple[HistoryEntry, ...]


def follow(head: Head, offers: Callable[[Head], Iterable[Offer]], trust: Trust) -> list[Followed]:
    """Follow the statements that can be accepted as far as they lead.

    Args:
        head: The accepted state.
        offers: Gives what claims to build on a head.
        trust: Names the repository, the branch and the attestors.
    """
    steps: list[Followed] = []
    while True:
        options = [step for offer in offers(head) if (step := _try(head, offer, trust)) is not None]
        if not options:
            return steps
        if len(options) > 1:
            ways = [[step, *follow(step.head, offers, trust)] for step in options]
            return steps + max(ways, key=len)
        steps.append(options[0])
        head = options[0].head


def advanced(head: Head, steps: Iterable[Followed]) -> Advance:
    """Sum up the steps taken from a head."""
    taken = list(steps)
    entries = tuple(step.acceptance.entry for step in taken if step.acceptance.entry is not None)
    return Advance(taken[-1].head if taken else head, entries)


def recovered(first: Head, offers: Callable[[Head], Iterable[Offer]], trust: Trust, *, now: datetime) -> Advance:
    """Rebuild a history of which nothing was published, or all of it was lost (docs/adr/0030).

    A statement upon which a later accepted one builds was accepted once, and is judged at the time that its offer
    names; the last is judged now.

    Args:
        first: The genesis.
        offers: As for :func:`follow`, each with the time at which its statement was made, as far as it is known.
        trust: Pins the genesis.
        now: The clock.
    """
    steps = follow(first, offers, trust)
    while steps:
        last = steps.pop()
        acceptance = accept(last.before, last.bundle, trust, now=now)
        if acceptance.head is not None:
            steps.append(Followed(last.before, last.bundle, acceptance))
            break
    return advanced(first, steps)


def _try(head: Head, offer: Offer, trust: Trust) -> Followed | None:
    for bundle in offer.bundles:
        if not is_signed(head, bundle.envelope, trust):
            continue
        acceptance = accept(head, bundle, trust, now=offer.at)
        if acceptance.head is not None:
            return Followed(head, bundle, acceptance)
    return None
