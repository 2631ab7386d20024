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
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from flagseal.emergency import EMPTY, take
from flagseal.history import Advance, build, next_change, reviewed
from flagseal.history.freezing import let_go
from flagseal.model.errors import FlagsealError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flagseal.approval.trust import Trust
    from flagseal.emergency import Emergencies, Offer, Outcome
    from flagseal.history import Build, Head, HistoryEntry
    from flagseal.history.overriding import Serving
    from flagseal.model.document import Document
    from flagseal.snapshot.publish import Published, Publisher

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
        next_change: When something that waits takes effect, or an emergency begins or ends; None if nothing will.
        emergencies: What was proven, and holds or held.
        outcomes: What became of each claim of an emergency.
        serving: What each flag is served from.
    """

    head: Head
    accepted: tuple[HistoryEntry, ...]
    held: FlagsealError | None
    published: Published
    next_change: datetime | None
    emergencies: Emergencies = EMPTY
    outcomes: tuple[Outcome, ...] = ()
    serving: Serving | None = None


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
    """

    def __init__(
        self,
        source: Source,
        publisher: Publisher,
        trust: Trust,
        *,
        clock: Callable[[], datetime] = _utc_now,
        emergencies: EmergencySource | None = None,
    ) -> None:
        self._source = source
        self._publisher = publisher
        self._trust = trust
        self._clock = clock
        self._emergencies = emergencies
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
        held: FlagsealError | None = None
        try:
            advanced = self._source.advance(position.head, now)
        except FlagsealError as error:
            advanced, held = Advance(position.head, ()), error
        head, accepted = advanced.head, advanced.entries
        for entry in accepted:
            _LOG.info("accepted statement %s", entry.envelope.statement.id)
        known = EMPTY if position.build is None else position.build.emergencies
        offers = () if self._emergencies is None else self._emergencies.offers()
        organisation = head.policies.organisation
        emergencies, outcomes = take(
            known, offers, organisation, self._trust, now=now, reviewed=lambda it: reviewed(head, it) is not None
        )
        for standing in emergencies.standings:
            if known.find(standing.claim) is None:
                _LOG.warning("%s, proven to be by %s, holds from now on", standing.claim.title, standing.person)
        environment = self._trust.environment
        desired = build(head, environment, now, previous=position.build, emergencies=emergencies)
        published = self._publisher.publish(desired, (*position.unpublished, *accepted), position.genesis)
        self._position = _Position(let_go(head, environment, desired.as_of, emergencies), desired)
        due = next_change(head, environment, now, emergencies)
        return Step(head, accepted, held, published, due, emergencies, outcomes, desired.basis.serving)

    def refresh(self) -> Published | None:
        """Sign again what is due."""
        return self._publisher.refresh()

    def _load(self, now: datetime) -> _Position:
        """Go on from what is published, or from genesis by the whole chain."""
        content = self._publisher.load()
        if content is not None:
            return _Position(content.head, content.build)
        recovered = self._source.recover(now)
        return _Position(recovered.head, None, recovered.entries, self._source.genesis_documents())
