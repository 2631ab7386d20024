"""How far offered statements take a head: the one way for git, for a cluster, and for whoever else carries them.

Of several statements that could come next, the one is taken on which most others build, and of those the first offered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from flagseal.history.acceptance import Acceptance, accept, is_signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
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
        refused: What became of each statement that builds on that head and was not accepted, by its id, as far as it
            was noted.
    """

    head: Head
    entries: tuple[HistoryEntry, ...]
    refused: Mapping[str, Acceptance] = field(default_factory=dict)


def follow(
    head: Head,
    offers: Callable[[Head], Iterable[Offer]],
    trust: Trust,
    refused: Callable[[Head, Bundle, Acceptance], None] = lambda *_: None,
    *,
    most: int | None = None,
) -> list[Followed]:
    """Follow the statements that can be accepted as far as they lead.

    Args:
        head: The accepted state.
        offers: Gives what claims to build on a head.
        trust: Names the repository, the branch and the attestors.
        refused: Told of each statement on the way that is not accepted: on which head, and why.
        most: Documents that change, beyond which no further statement is looked at; None for all there are.
    """
    changed = 0
    steps: list[Followed] = []
    known: dict[_Place, int] = {}
    while (most is None or changed <= most) and (options := _options(head, offers, trust, refused)):
        best = options[0]
        if len(options) > 1:
            best = max(options, key=lambda step: _reach(step.head, offers, trust, known, _DEEPEST))
        steps.append(best)
        entry = best.acceptance.entry
        changed += 0 if entry is None else len(entry.documents)
        head = best.head
    return steps


_Place: TypeAlias = "tuple[int, str, str]"
"""What statements build on: sequence, commit and manifest of a head."""

_DEEPEST: Final = 100
"""Forks on the way from a fork, beyond which nobody looks on which of two ways more builds."""


def _reach(
    head: Head, offers: Callable[[Head], Iterable[Offer]], trust: Trust, known: dict[_Place, int], forks: int
) -> int:
    """Tell how many statements build on a head, one on the other.

    Args:
        head: The head.
        offers: As for :func:`follow`.
        trust: As for :func:`follow`.
        known: The same of other heads. What builds on one builds on any other of the same place, so a history that is
            told in two ways at every step is looked at twice at every step, and not once for each way through it.
        forks: So many more forks are looked at.
    """
    line: list[_Place] = []
    while (place := (head.sequence, head.commit, head.manifest.digest)) not in known:
        options = _options(head, offers, trust)
        if len(options) == 1:
            line.append(place)
            head = options[0].head
        elif not options or not forks:
            known[place] = len(options[:1])
        else:
            known[place] = 1 + max(_reach(step.head, offers, trust, known, forks - 1) for step in options)
    found = known[place]
    for number, passed in enumerate(reversed(line), 1):
        known[passed] = found + number
    return found + len(line)


def _options(
    head: Head,
    offers: Callable[[Head], Iterable[Offer]],
    trust: Trust,
    refused: Callable[[Head, Bundle, Acceptance], None] = lambda *_: None,
) -> list[Followed]:
    return [step for offer in offers(head) if (step := _try(head, offer, trust, refused)) is not None]


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


def _try(
    head: Head, offer: Offer, trust: Trust, refused: Callable[[Head, Bundle, Acceptance], None]
) -> Followed | None:
    for bundle in offer.bundles:
        if not is_signed(head, bundle.envelope, trust):
            continue
        acceptance = accept(head, bundle, trust, now=offer.at)
        if acceptance.head is not None:
            return Followed(head, bundle, acceptance)
        refused(head, bundle, acceptance)
    return None
