"""The facts of each incident: who broke glass, when, why, how it is proven, what was served before and during."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

from flagseal.emergency import RECEIPT_TYPE
from flagseal.history import reviewed
from flagseal.history.overriding import Serving, overridden
from flagseal.model.canonical import sha256_digest
from flagseal.model.document import subject_of
from flagseal.model.errors import CompileError
from flagseal.model.review import REVIEW
from flagseal_validators.plan.sentences import on_or_off, summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from flagseal.emergency import Standing
    from flagseal.history import Build, Head, Reviewed
    from flagseal.policy.state import State
    from flagseal.snapshot.trail import Trail

MOST_FLAGS: Final = 20
"""Flags of one emergency that are told of one by one; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What an emergency did to one flag.

    Attributes:
        flag: ``namespace/name``.
        tier: Its risk tier then.
        owner: Its team then.
        before: What it served until then, in words.
        during: What it served while the emergency held, in words.
    """

    flag: str
    tier: str
    owner: str
    before: str
    during: str


@dataclass(frozen=True, slots=True)
class Emergency:
    """One override or freeze.

    Attributes:
        standing: What was proven.
        review: Its review; None while there is none.
        active: Whether it holds at the moment.
        ended_by: Who ended it early; None if it ended, or ends, by itself.
        proof: How it is proven who made it, in words.
        extra: What the API server said of how they authenticated (two factors, say); empty for a signature.
        effects: What it did, flag by flag; at most :data:`MOST_FLAGS`.
        flags: How many flags it reached.
    """

    standing: Standing
    review: Reviewed | None
    active: bool
    ended_by: str | None
    proof: str
    extra: tuple[tuple[str, str], ...]
    effects: tuple[Effect, ...]
    flags: int


@dataclass(frozen=True, slots=True)
class Incident:
    """All that one environment remembers of an incident.

    Attributes:
        environment: Where.
        incident: As the incident system calls it.
        emergencies: In the order in which they began.
        review: What the next review of it may be called: no accepted one has that name.
    """

    environment: str
    incident: str
    emergencies: tuple[Emergency, ...]
    review: str

    @property
    def open(self) -> tuple[Emergency, ...]:
        """Those that nobody has reviewed."""
        return tuple(it for it in self.emergencies if it.review is None)

    @property
    def is_over(self) -> bool:
        """Whether nothing of it holds any more."""
        return not any(it.active for it in self.emergencies)

    @property
    def name(self) -> str:
        """A name for files and branches; see :func:`name_of`."""
        return name_of(self.environment, self.incident)


def name_of(environment: str, incident: str) -> str:
    """Name an incident for files and branches: as far as letters carry it, and one of a kind by a digest."""
    letters = "".join(it if it.isascii() and it.isalnum() else "-" for it in incident.lower())
    slug = "-".join(part for part in letters.split("-") if part)[:32].rstrip("-")
    own = f"{environment}-{slug}" if slug else environment
    digest = sha256_digest(f"{environment}\0{incident}".encode()).removeprefix("sha256:")
    return f"{own[:48].rstrip('-')}-{digest[:8]}"


def gather(head: Head, build: Build, trail: Trail, *, now: datetime) -> tuple[Incident, ...]:
    """Collect every incident that is remembered, those that began first first.

    Args:
        head: The accepted state.
        build: What is published of it.
        trail: Its history.
        now: Aware.
    """
    standings = build.emergencies.standings
    found: dict[str, list[Standing]] = {}
    for standing in standings:
        if standing.claim.ends is None:
            found.setdefault(standing.claim.incident, []).append(standing)
    if not found:
        return ()
    heads = trail.heads_as_of(it.since for some in found.values() for it in some)
    incidents = []
    for incident, some in found.items():
        ordered = sorted(some, key=lambda it: (it.since, it.claim.title))
        emergencies = [_emergency(it, standings, head, heads[it.since], now) for it in ordered]
        environment = trail.trust.environment
        review = _free(name_of(environment, incident), head)
        incidents.append(Incident(environment, incident, tuple(emergencies), review))
    return tuple(sorted(incidents, key=lambda it: (it.emergencies[0].standing.since, it.incident)))


def _free(name: str, head: Head) -> str:
    """Find a name that no review has yet: an incident that goes on after its review is reviewed again."""
    names = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(it for it in names if head.documents.live(subject_of(REVIEW, None, it)) is None)


def _emergency(standing: Standing, standings: Iterable[Standing], head: Head, then: Head, now: datetime) -> Emergency:
    claim = standing.claim
    state = then.effective(claim.environment, standing.since)
    flags = _flags(standing, state)
    enders = [
        it
        for it in standings
        if (it.claim.kind, it.claim.namespace, it.claim.ends) == (claim.kind, claim.namespace, claim.name)
        and it.since == standing.until < standing.by_itself
    ]
    proof, extra = _proof(standing)
    return Emergency(
        standing=standing,
        review=reviewed(head, standing),
        active=standing.holds(now),
        ended_by=enders[0].person if enders else None,
        proof=proof,
        extra=extra,
        effects=tuple(_effect(flag, standing, state) for flag in flags[:MOST_FLAGS]),
        flags=len(flags),
    )


def _flags(standing: Standing, state: State) -> list[str]:
    """Name the flags that an emergency reached: for a rollback those that followed by a prerequisite as well."""
    claim = standing.claim
    if (scope := claim.freezes) is not None:
        served = state.catalogue.flags
        return sorted(it for it in served if scope.covers(it) and claim.environment in served[it].environments)
    flag = str(claim.flag)
    followed = overridden(Serving(claim.environment, state, {}), {flag: claim.incident})
    return [flag, *sorted(followed.keys() - {flag})]


def _effect(flag: str, standing: Standing, state: State) -> Effect:
    definition = state.definition(flag)
    if definition is None:
        return Effect(flag, "unknown", "unknown", "nothing: there was no such flag", "nothing")
    try:
        resolved = state.resolve(flag, standing.claim.environment)
    except CompileError:
        resolved = None
    label = on_or_off(resolved)
    before = f"nothing in {standing.claim.environment}" if resolved is None else summary(resolved, label)
    safe = f"{label(definition.safe_variant)} for everyone (the safe variant)"
    during = "the same, and no change took effect" if standing.claim.freezes is not None else safe
    return Effect(flag, definition.risk_tier, definition.owner, before, during)


def _proof(standing: Standing) -> tuple[str, tuple[tuple[str, str], ...]]:
    proof = standing.proof
    if proof.kind != RECEIPT_TYPE:
        keys = ", ".join(sorted({it.keyid for it in proof.signatures}))
        return f"a signature by their own key {keys}", ()
    body: Mapping[str, object] = json.loads(proof.payload)
    extra = body.get("extra")
    told = extra.items() if isinstance(extra, dict) else ()
    found = tuple((str(key), ", ".join(map(str, it)) if isinstance(it, list) else str(it)) for key, it in sorted(told))
    return f"an admission receipt for the user {body.get('username')}", found
