"""What was proven, and holds or held: kept in ``head.json`` with claim and proof, so that everybody can check it.

A resource that is deleted changes nothing here. What ended stays for a month, since the time that one incident may take
counts together, and until it is reviewed, since somebody has to look at each; but never too many (docs/adr/0165).
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from flagseal.emergency.claim import Claim, parse_claim
from flagseal.emergency.proof import Proof
from flagseal.emergency.scope import joined, length
from flagseal.emergency.verifying import LONGEST, verify
from flagseal.model.errors import ApprovalError
from flagseal.model.instants import parse_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from flagseal.approval.trust import Trust
    from flagseal.emergency.scope import Span
    from flagseal.model.canonical import Json
    from flagseal.model.policies import Organisation

KEPT: Final = timedelta(days=30)
MOST_KEPT: Final = 100
"""Of what ended; each is checked by everybody who reads the list, so it cannot grow for ever."""
MOST_HOLDING: Final = 100

Recorded: TypeAlias = "tuple[Claim, Proof | None, datetime]"
"""A claim, its proof, and when it was first seen."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A claim with what came along to prove it."""

    claim: Claim
    proof: Proof | None


@dataclass(frozen=True, slots=True)
class Standing:
    """One claim that was proven.

    Attributes:
        claim: The claim.
        proof: Its proof.
        taken_at: When it was first seen; whole seconds.
        person: Who made it.
        since: From when it holds.
        until: When it ends, or ended: by itself, or early by another claim.
        by_itself: When it ends by itself.
        kept_until: Until when dropping it would change what holds.
    """

    claim: Claim
    proof: Proof
    taken_at: datetime
    person: str
    since: datetime
    until: datetime
    by_itself: datetime
    kept_until: datetime

    @property
    def span(self) -> Span:
        """From when until when it holds."""
        return self.since, self.until

    @property
    def identity(self) -> tuple[str, str]:
        """What makes it this one: its title and the digest of its spec."""
        return self.claim.title, self.claim.digest

    @property
    def recorded(self) -> Recorded:
        """What it was found from."""
        return self.claim, self.proof, self.taken_at

    def holds(self, now: datetime) -> bool:
        """Tell whether it is in force at an instant."""
        return self.claim.ends is None and self.since <= now < self.until

    def body(self) -> dict[str, Json]:
        """Give it as ``head.json`` lists it: what is to be checked, and nothing that follows from that."""
        return {
            "kind": self.claim.kind,
            "namespace": self.claim.namespace,
            "name": self.claim.name,
            "spec": json.loads(self.claim.spec),
            "proof": self.proof.body(),
            "takenAt": _written(self.taken_at),
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an offer.

    Attributes:
        claim: The claim.
        standing: Where it was proven, now or earlier.
        refusal: Why it has no effect; None if it is proven.
    """

    claim: Claim
    standing: Standing | None
    refusal: ApprovalError | None


@dataclass(frozen=True, slots=True)
class Emergencies:
    """Hold everything that was proven and is remembered. Made by :func:`take` and :func:`require_holding` only.

    Attributes:
        standings: In the order in which they were taken.
    """

    standings: tuple[Standing, ...] = ()

    def holding(self, now: datetime) -> tuple[Standing, ...]:
        """Give what is in force at an instant."""
        return tuple(it for it in self.standings if it.holds(now))

    def rolled_back(self, now: datetime) -> dict[str, str]:
        """Give the flags that serve their safe variant at an instant, with the incident."""
        return {flag: it.claim.incident for it in self.holding(now) if (flag := it.claim.rolls_back) is not None}

    def freezing(self, now: datetime) -> tuple[Standing, ...]:
        """Give the freezes in force at an instant."""
        return tuple(it for it in self.holding(now) if it.claim.freezes is not None)

    def frozen(self, flag: str, now: datetime) -> Frozen | None:
        """Say since when a flag (``namespace/name``) is held at an instant; None if it is not.

        Freezes that overlap are one: what the first holds stays held. Where one only begins as another ends, what
        waited takes effect between them.
        """
        covering = [it for it in self.standings if (scope := it.claim.freezes) is not None and scope.covers(flag)]
        held = next((span for span in joined(it.span for it in covering) if span[0] <= now < span[1]), None)
        if held is None:
            return None
        newest = max((it for it in covering if it.holds(now)), key=lambda it: (it.until, it.claim.title))
        return Frozen(held[0], held[1], newest)

    def next_change(self, now: datetime) -> datetime | None:
        """Give the next instant at which something begins or ends; None if there is none."""
        instants = (at for it in self.standings if it.claim.ends is None for at in (it.since, it.until))
        return min((at for at in instants if at > now), default=None)

    def find(self, claim: Claim) -> Standing | None:
        """Find a claim, whatever proof it comes with now."""
        return next((it for it in self.standings if it.identity == (claim.title, claim.digest)), None)

    def body(self, kind: str) -> list[Json]:
        """Give those of a kind as ``head.json`` lists them."""
        return [it.body() for it in self.standings if it.claim.kind == kind]


@dataclass(frozen=True, slots=True)
class Frozen:
    """How long a flag is held.

    Attributes:
        since: From when, without a gap.
        until: When that ends, by what is known now.
        by: The freeze that ends last.
    """

    since: datetime
    until: datetime
    by: Standing


EMPTY: Final = Emergencies()


def take(
    known: Emergencies,
    offers: Iterable[Offer],
    organisation: Organisation,
    trust: Trust,
    *,
    now: datetime,
    reviewed: Callable[[Standing], bool] | None = None,
) -> tuple[Emergencies, tuple[Outcome, ...]]:
    """Take what is offered, and let go of what is over.

    Args:
        known: What was taken before.
        offers: All that there is at the moment, taken before or not.
        organisation: Of the head. What somebody made who is not in it any more ends at once.
        trust: As for :func:`verify`.
        now: Aware.
        reviewed: Tells whether somebody else has looked at one, by accepted history: what nobody has looked at is kept.
            None where that does not matter, as what comes out is not published.

    Returns:
        What stands now, and what became of each offer.
    """
    clock = now.astimezone(UTC).replace(microsecond=0)
    standings = _checked([it.recorded for it in known.standings], organisation, trust)
    found: dict[tuple[str, str], Outcome] = {}
    # Whatever ends another comes after what it could end.
    for offer in sorted(offers, key=lambda it: (it.claim.ends is not None, it.claim.title, it.claim.digest)):
        claim = offer.claim
        try:
            own = Emergencies(tuple(standings)).find(claim)
            if own is None:
                own = _standing((claim, offer.proof, clock), organisation, trust, standings)
                _require_needed(own, standings)
                standings.append(own)
            found[own.identity] = Outcome(claim, own, None)
        except ApprovalError as error:
            found[claim.title, claim.digest] = Outcome(claim, None, error)
    pruned = _pruned(_ended(standings), clock, reviewed or (lambda _: True))
    # Once more, as everybody will who reads it: leaving out one may leave another without what it ends.
    after = Emergencies(tuple(_checked([it.recorded for it in pruned], organisation, trust)))
    outcomes = (
        replace(it, standing=after.find(it.claim) or it.standing) if it.standing is not None else it
        for it in found.values()
    )
    return after, tuple(outcomes)


def require_holding(
    listed: Iterable[Mapping[str, Json]], organisation: Organisation, trust: Trust, *, as_of: datetime
) -> Emergencies:
    """Check everything that a ``head.json`` lists, each with its own proof.

    Args:
        listed: As :meth:`Standing.body` gave it.
        organisation: Of the head.
        trust: As for :func:`verify`.
        as_of: Of the snapshot; nothing can have been taken later.

    Raises:
        ApprovalError: What :func:`verify` says, ``EmergencyMalformed``, ``FromTheFuture``, ``TooMany``,
            ``TooLongTogether``, ``NothingToEnd``.
    """
    standings: list[Standing] = []
    for entry in listed:
        recorded = _parsed(entry)
        if recorded[2] > as_of:
            raise ApprovalError(f"{recorded[0].title}: was taken after the snapshot was made.", code="FromTheFuture")
        own = _standing(recorded, organisation, trust, standings)
        if any(it.identity == own.identity for it in standings):
            raise ApprovalError(f"{own.claim.title}: is listed twice.", code="EmergencyMalformed")
        standings.append(own)
    return Emergencies(_ended(standings))


def missing(
    before: Emergencies, after: Emergencies, organisation: Organisation, trust: Trust, *, as_of: datetime
) -> Standing | None:
    """Find something that was proven before, would still matter, and is not listed any more; None if there is none."""
    there = {it.identity for it in after.standings}
    still = _checked([it.recorded for it in before.standings], organisation, trust)
    return next((it for it in still if it.kept_until > as_of and it.identity not in there), None)


def _standing(recorded: Recorded, organisation: Organisation, trust: Trust, standings: Sequence[Standing]) -> Standing:
    """Check one claim by itself, and beside those that were taken before it."""
    claim, proof, taken_at = recorded
    proven = verify(claim, proof, organisation, trust, taken_at=taken_at)
    assert proof is not None  # noqa: S101 (verify refuses it)
    # A freeze holds what was there when it was seen: what took effect while it was on its way is not undone.
    since = proven.since if claim.freezes is None else max(proven.since, taken_at)
    until = max(since, proven.until)
    own = Standing(claim, proof, taken_at, proven.person, since, until, by_itself=until, kept_until=until)
    _require_room(own, standings)
    return own


def _checked(records: Iterable[Recorded], organisation: Organisation, trust: Trust) -> list[Standing]:
    """Check again what was taken, in its order, and leave out what does not hold any more."""
    found: list[Standing] = []
    for recorded in records:
        with contextlib.suppress(ApprovalError):
            found.append(_standing(recorded, organisation, trust, found))
    return list(_ended(found))


def _require_room(own: Standing, standings: Sequence[Standing]) -> None:
    """Refuse what is not possible beside all that was taken before."""
    claim = own.claim
    if claim.ends is not None:
        if not any(_is_ended_by(it, own) for it in standings):
            of = "" if claim.flag is None else " of this flag"
            raise ApprovalError(
                f"{claim.title}: there is no {claim.kind} {claim.ends}{of} in force to be ended.",
                code="NothingToEnd",
                remedy="Name one that is.",
            )
        return
    if sum(it.kept_until > own.taken_at for it in standings) >= MOST_HOLDING:
        raise ApprovalError(f"{claim.title}: {MOST_HOLDING} are in force already.", code="TooMany")
    beside = [it for it in _ended([*standings, own]) if it.claim.ends is None]
    if claim.flag is not None:
        alike = [it for it in beside if (it.claim.flag, it.claim.incident) == (claim.flag, claim.incident)]
        _require_short(claim, f"the others of {claim.flag} and {claim.incident}", length(it.span for it in alike))
    if (scope := claim.freezes) is not None:
        meeting = [it for it in beside if it.claim.freezes is not None and scope.meets(it.claim.freezes)]
        same = [it.span for it in meeting if it.claim.incident == claim.incident]
        _require_short(claim, f"the other freezes of {scope} for {claim.incident}", length(same))
        around = [span for span in joined(it.span for it in meeting) if span[0] <= own.since < span[1]]
        _require_short(claim, "the freezes that it overlaps", length(around))


def _require_needed(own: Standing, standings: Sequence[Standing]) -> None:
    """Refuse to end what has ended already: it would change nothing, and be listed and checked by everybody.

    Asked of what is new alone. Lists that were published earlier hold such claims, and clients go on taking them.
    """
    if own.claim.ends is None:
        return
    ended = [it for it in standings if _is_ended_by(it, own)]
    if not any(it.by_itself > own.taken_at and _first_end(it, standings) is None for it in ended):
        raise ApprovalError(
            f"{own.claim.title}: {own.claim.kind} {own.claim.ends} has ended already.",
            code="NothingToEnd",
            remedy="Nothing has to be done.",
        )


def _require_short(claim: Claim, others: str, together: timedelta) -> None:
    if together > LONGEST:
        raise ApprovalError(
            f"{claim.title}: together with {others} it would hold for {together}, more than"
            f" {LONGEST // timedelta(hours=1)} hours.",
            code="TooLongTogether",
            remedy="What must stay as it is, or off, for longer is changed in git.",
        )


def _is_ended_by(standing: Standing, ender: Standing) -> bool:
    one, other = standing.claim, ender.claim
    same = (one.kind, one.namespace, one.flag, one.name) == (other.kind, other.namespace, other.flag, other.ends)
    return same and one.ends is None


def _ended(standings: Iterable[Standing]) -> tuple[Standing, ...]:
    """Let each end where another ends it, and keep each as long as it makes a difference."""
    everything = tuple(standings)
    ends = [replace(it, until=_end_of(it, everything), kept_until=it.by_itself) for it in everything]
    kept = [replace(it, kept_until=_kept_until(it, ends)) for it in ends]
    return tuple(
        it
        if it.claim.ends is None
        else replace(it, kept_until=max((of.kept_until for of in kept if _is_ended_by(of, it)), default=it.by_itself))
        for it in kept
    )


def _end_of(standing: Standing, everything: Iterable[Standing]) -> datetime:
    first = _first_end(standing, everything)
    early = standing.by_itself if first is None else first.since
    return max(standing.since, min(standing.by_itself, early))


def _first_end(standing: Standing, everything: Iterable[Standing]) -> Standing | None:
    """Find what ends one; of several the earliest, by which alone the end is told."""
    return min((it for it in everything if _is_ended_by(standing, it)), key=lambda it: it.since, default=None)


def _kept_until(standing: Standing, everything: Sequence[Standing]) -> datetime:
    """Keep a freeze for as long as others go on from it: it says what they hold."""
    if standing.claim.freezes is None:
        return standing.kept_until
    chain, more = [standing], [standing]
    while more:
        more = [it for it in everything if it not in chain and any(_goes_on(it, of) for of in more)]
        chain += more
    return max(it.kept_until for it in chain)


def _goes_on(standing: Standing, of: Standing) -> bool:
    """Tell whether a freeze goes on from another for some flag."""
    own, other = standing.claim.freezes, of.claim.freezes
    if own is None or other is None or not own.meets(other):
        return False
    return of.since <= standing.since < of.until < standing.until


def _pruned(standings: Iterable[Standing], now: datetime, reviewed: Callable[[Standing], bool]) -> Iterator[Standing]:
    """Leave out what ended long ago and was reviewed; of too many that ended the reviewed ones, then the oldest."""
    everything = tuple(standings)
    over = sorted((it for it in everything if it.kept_until <= now), key=lambda it: it.kept_until, reverse=True)
    # What ends another is no emergency, and stays with what it ends: one with each.
    told = [it for it in over if it.claim.ends is None]
    kept = [it for it in told if it.kept_until > now - KEPT or not reviewed(it)]
    if len(kept) > MOST_KEPT:
        kept = sorted(kept, key=reviewed)[:MOST_KEPT]
    enders = [first for of in kept if (first := _first_end(of, everything)) is not None]
    left = {it.identity for it in (*kept, *enders)}
    return (it for it in everything if it.kept_until > now or it.identity in left)


def _parsed(entry: Mapping[str, Json]) -> Recorded:
    match entry:
        case {
            "kind": str(kind),
            "namespace": None | str() as namespace,
            "name": str(name),
            "spec": spec,
            "proof": proof,
            "takenAt": str(taken_at),
            **rest,
        } if not rest:
            try:
                at = parse_instant(taken_at)
            except ValueError as error:
                raise ApprovalError(f"{taken_at[:40]!r} is no instant.", code="EmergencyMalformed") from error
            return parse_claim(kind, namespace, name, spec), Proof.from_body(proof), at
        case _:
            raise ApprovalError("An emergency of head.json lacks its parts.", code="EmergencyMalformed")


def _written(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
