"""The one builder: what was approved becomes what is published.

::

    Source ─advance─► history.accept ─► Head ─► history.build ─► Publisher
                                         ▲                          │
                                         └────────── load ──────────┘

Level-triggered: a step looks at what there is, not at what happened. A restart, a missed event or a step too many
therefore changes nothing. The host (``flagseal up``, the cluster's operator) decides when to step.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from flagseal.emergency import EMPTY, take
from flagseal.history import Advance, build, next_change, reviewed
from flagseal.history.freezing import let_go
from flagseal.model.errors import FlagsealError
from flagseal_operator.beside import FRESH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flagseal.approval.trust import Trust
    from flagseal.emergency import Emergencies, Offer, Outcome
    from flagseal.history import Acceptance, Build, Head, HistoryEntry
    from flagseal.history.overriding import Serving
    from flagseal.model.document import Document
    from flagseal.snapshot.publish import Published, Publisher
    from flagseal_operator.beside import Beside

_LOG = logging.getLogger("flagseal.engine")


class Source(Protocol):
    """Where statements and their content come from. Nothing is believed for coming from there."""

    def genesis_documents(self) -> Sequence[Document]:
        """Give the governed documents of the genesis commit."""
        ...

    def advance(self, head: Head, now: datetime) -> Advance:
        """Accept what can be accepted after a head."""
        ...

    def recover(self, now: datetime) -> Advance:
        """Rebuild the history from genesis, where nothing of it is published."""
        ...


class EmergencySource(Protocol):
    """Where claims of emergencies come from. Nothing is believed for coming from there."""

    def offers(self) -> Sequence[Offer]:
        """Give every claim that there is at the moment, taken before or not."""
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """What one step came to.

    Attributes:
        head: The accepted state.
        accepted: Statements accepted in it, in order.
        held: Why the source could not be followed; the head stays, and what it decides stays in effect.
        published: What lies in the store now.
        next_change: When to step again though nothing comes: something that waits takes effect, an emergency begins or
            ends, or the source was not followed to its end; None if nothing will.
        emergencies: What was proven, and holds or held.
        outcomes: What became of each claim of an emergency.
        serving: What each flag is served from.
        refused: What became of statements that build on the head and were not accepted, by id, as far as it is known.
    """

    head: Head
    accepted: tuple[HistoryEntry, ...]
    held: FlagsealError | None
    published: Published
    next_change: datetime | None
    emergencies: Emergencies = EMPTY
    outcomes: tuple[Outcome, ...] = ()
    serving: Serving | None = None
    refused: Mapping[str, Acceptance] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Position:
    """Where the engine stands: the head, what it was built to, and what the store does not have yet.

    Attributes:
        genesis: The genesis' documents, where the store has nothing at all.
    """

    head: Head
    build: Build | None
    unpublished: tuple[HistoryEntry, ...] = ()
    genesis: Sequence[Document] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """How far the source takes a head.

    Attributes:
        at: The clock when it was looked.
        advance: How far.
        held: Why the source could not be followed.
        build: What that comes to, where it was rehearsed; None where it was not.
    """

    at: datetime
    advance: Advance
    held: FlagsealError | None = None
    build: Build | None = None


LARGE: Final = 256
"""Documents that change at once, beyond which publishing them is rehearsed, and their statement judged only beside; and
beyond which a source that is asked beside should not be followed in one go: what it leads to grows old meanwhile."""

RETRY: Final = timedelta(minutes=1)
"""How long after a failure the source is looked at beside again, where nothing changes."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Engine:
    """Take the head as far as approvals reach, and publish what is in effect.

    Args:
        source: Where statements come from.
        publisher: Where snapshots go.
        trust: What ``trust.json`` says.
        clock: Gives the time in UTC.
        emergencies: Where claims of emergencies come from; what was taken before holds without it too.
        beside: Where statements are judged that take long, while emergencies are published; where there is none, each
            step takes as long as its statements do. The source must bear to be asked from two threads.
    """

    def __init__(
        self,
        source: Source,
        publisher: Publisher,
        trust: Trust,
        *,
        clock: Callable[[], datetime] = _utc_now,
        emergencies: EmergencySource | None = None,
        beside: Beside[Found] | None = None,
    ) -> None:
        self._source = source
        self._publisher = publisher
        self._trust = trust
        self._clock = clock
        self._emergencies = emergencies
        self._beside = beside
        self._position: _Position | None = None

    def step(self) -> Step:
        """Accept what can be accepted, and publish if anything in effect changed.

        Raises:
            FlagsealError: Nothing could be published (``StoreRolledBack`` and what else the publisher says). What is
                published stays as it was; the next step begins from it again.
        """
        now = self._clock()
        # Until it is published, nothing counts as reached: a step that fails is forgotten whole.
        position, self._position = self._position or self._load(now), None
        found = self._found(position, now)
        emergencies, outcomes = self._taken(position, found, now)
        looked = found.at.replace(microsecond=0)
        freezes = (it.since for it in emergencies.standings if it.claim.freezes is not None)
        if found.at < now and any(since >= looked for since in freezes):
            # It began while that was looked for: what is accepted by now is accepted under it.
            found = self._found(position, now)
            emergencies, outcomes = self._taken(position, found, now)
        known = EMPTY if position.build is None else position.build.emergencies
        head, accepted = found.advance.head, found.advance.entries
        for entry in accepted:
            _LOG.info("accepted statement %s", entry.envelope.statement.id)
        for standing in emergencies.standings:
            if known.find(standing.claim) is None:
                _LOG.warning("%s, proven to be by %s, holds from now on", standing.claim.title, standing.person)
        environment = self._trust.environment
        desired = self._built(position, found, now, emergencies)
        published = self._publisher.publish(desired, (*position.unpublished, *accepted), position.genesis)
        self._position = _Position(let_go(head, environment, desired.as_of, emergencies), desired)
        due = self._due(found, next_change(head, environment, now, emergencies), now)
        return Step(
            head, accepted, found.held, published, due, emergencies, outcomes, desired.basis.serving,
            found.advance.refused,
        )  # fmt: skip

    def refresh(self) -> Published | None:
        """Sign again what is due."""
        return self._publisher.refresh()

    def _taken(self, position: _Position, found: Found, now: datetime) -> tuple[Emergencies, tuple[Outcome, ...]]:
        known = EMPTY if position.build is None else position.build.emergencies
        offers = () if self._emergencies is None else self._emergencies.offers()
        head = found.advance.head
        organisation = head.policies.organisation
        return take(
            known, offers, organisation, self._trust, now=now, reviewed=lambda it: reviewed(head, it) is not None
        )

    def _found(self, position: _Position, now: datetime) -> Found:
        """Look how far the source takes the head; not at all, as long as that takes, where it is looked beside."""
        if self._beside is None:
            return self._look(position, now)
        head = position.head
        key = head.sequence, head.statement
        found = self._beside.ask(key, now, lambda: self._look(position, now), lasts=_lasts)
        if found is not None:
            return found
        # While the same is judged once more, the same is said of it.
        last = self._beside.last(key)
        return Found(now, Advance(head, ())) if last is None else replace(last, at=now)

    def _look(self, position: _Position, now: datetime) -> Found:
        try:
            advance = self._source.advance(position.head, now)
        except FlagsealError as error:
            return Found(now, Advance(position.head, ()), error)
        if self._beside is None or sum(len(entry.documents) for entry in advance.entries) <= LARGE:
            return Found(now, advance)
        entries = (*position.unpublished, *advance.entries)
        try:
            rehearsed = self._publisher.rehearse(advance.head, now, entries, position.genesis)
        except FlagsealError as error:
            # The head stays; overrides go out from there.
            return Found(now, Advance(position.head, ()), error)
        return Found(now, advance, build=rehearsed)

    def _due(self, found: Found, change: datetime | None, now: datetime) -> datetime | None:
        """Say when to step again: at once where there may be more to follow, soon after a failure."""
        if found.build is not None:
            return now
        if self._beside is None or found.held is None:
            return change
        return now + RETRY if change is None else min(change, now + RETRY)

    def _built(self, position: _Position, found: Found, now: datetime, emergencies: Emergencies) -> Build:
        environment, before = self._trust.environment, position.build
        if found.build is None:
            return build(found.advance.head, environment, now, previous=before, emergencies=emergencies)
        # Of this instant, and not of the rehearsal's: something else may have been published since.
        at = now if before is None else max(now, before.as_of)
        return build(found.advance.head, environment, at, previous=found.build, exact=True, emergencies=emergencies)

    def _load(self, now: datetime) -> _Position:
        """Go on from what is published, or from genesis by the whole chain."""
        content = self._publisher.load()
        if content is not None:
            return _Position(content.head, content.build)
        recovered = self._source.recover(now)
        return _Position(recovered.head, None, recovered.entries, self._source.genesis_documents())


def _lasts(found: Found) -> timedelta:
    """Say how long it counts what was found, where nothing changes: not at all where something is accepted by it."""
    if found.advance.entries:
        return timedelta()
    return FRESH if found.held is None else RETRY
