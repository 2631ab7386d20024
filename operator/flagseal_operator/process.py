"""The operator's process: stands by until it holds the Lease, is active once, and ends.

::

    health, webhooks ───────────────────────────────────────────► always
    election ── waiting ──► held ──► Active: watch, build, publish, report ──► lost or told to stop ──► end
                                        └─ nobody answers ──► Vigil: sign again ──► answered, or patience ends ──► end

One who has lost ends, and what restarts it gives the next a clean memory; the store's fence decides between two that
both believe to be active (docs/adr/0086).
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from flagseal.model.errors import FlagsealError
from flagseal.snapshot.ceremony import trusted
from flagseal.snapshot.publish import Publisher, utc_now
from flagseal_operator.active import Active
from flagseal_operator.admission.service import Admission
from flagseal_operator.election import Election
from flagseal_operator.health import Health, HealthServer
from flagseal_operator.lease_api import LeaseApi
from flagseal_operator.lease_marks import LeaseMarks
from flagseal_operator.second_clock import SecondClock
from flagseal_operator.vigil import PATIENCE, MemoryMarks, Vigil

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from kubernetes.client import Configuration
    from securesystemslib.signer import Signer

    from flagseal.snapshot.compose import Lifetimes
    from flagseal.snapshot.marks import Mark, Marks
    from flagseal.snapshot.store import Store
    from flagseal_operator.active import Vitals
    from flagseal_operator.admission.known import Known
    from flagseal_operator.admission.service import WebhookOptions
    from flagseal_operator.git_delivery import GitOptions
    from flagseal_operator.lease import Terms

_LOG: Final = logging.getLogger("flagseal.operator")
_TICK: Final = 0.25
_LINGER_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Options:
    """What a process is told.

    Attributes:
        store: Where snapshots go.
        root: The pinned root.
        online: Opens the online key; asked when it becomes active, since keys are rotated while it stands by.
        configure: Gives how to reach the API server.
        terms: How it competes for the Lease.
        lease: Namespace and name of the Lease.
        namespaces: Where to look; none for the whole cluster.
        host: Where health is told.
        port: The same; 0 takes a free one.
        git: Where the git source works; None to leave FlagRepositories alone.
        webhooks: What the webhooks are told; None to serve none.
        clock: Gives the time in UTC.
        lifetimes: How long signatures hold; as it is usual if None.
        patience: How long what is published is signed again while the API server answers nobody.
    """

    store: Store
    root: bytes
    online: Callable[[], Signer]
    configure: Callable[[], Configuration]
    terms: Terms
    lease: tuple[str, str] = ("flagseal-system", "flagseal-operator")
    namespaces: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 0
    git: GitOptions | None = None
    webhooks: WebhookOptions | None = None
    clock: Callable[[], datetime] = utc_now
    lifetimes: Lifetimes | None = None
    patience: timedelta = PATIENCE


@dataclass
class Process:
    """One run of the operator.

    Attributes:
        options: What it was told.
    """

    options: Options
    active: Active | None = None
    admission: Admission | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _election: Election | None = None
    _started: bool = False
    _second_clock: SecondClock = field(default_factory=SecondClock)
    _vigil: Vigil | None = None

    def stop(self) -> None:
        """Have :meth:`run` end; from any thread or signal handler."""
        self._stop.set()

    def run(self, ready: Callable[[HealthServer], None] = lambda _: None) -> None:
        """Stand by, be active, end.

        Args:
            ready: Called once health is told.

        Raises:
            FlagsealError: It cannot go on; to be restarted.
        """
        options = self.options
        lease = LeaseApi(options.configure(), *options.lease, dated=self._second_clock.hear)
        election = self._election = Election(lease, options.terms)
        if options.webhooks is not None:
            self.admission = Admission(options.webhooks, options.store, options.root, self._known, clock=options.clock)
        health = HealthServer(options.host, options.port, self.health)
        health.start()
        try:
            if self.admission is not None:
                self.admission.start()
            ready(health)
            election.start()
            while not self._stop.is_set() and not election.wait_held(_TICK):
                if election.ended:
                    raise _lost(election)
                if self.admission is not None and self.admission.trust_changed:
                    raise _trust_changed()
            if not self._stop.is_set():
                self._be_active(election)
        finally:
            if self.active is not None:
                self.active.stop()
            election.stop()
            if self.admission is not None:
                # API servers hear a moment later than this process that it ends.
                time.sleep(_LINGER_SECONDS if self._stop.is_set() else 0)
                self.admission.stop()
            health.stop()

    def _known(self) -> Known | None:
        return None if self.active is None else self.active.known

    def _be_active(self, election: Election) -> None:
        options = self.options
        trust = trusted(options.store, options.root).trust
        if options.webhooks is not None and options.webhooks.desk.trust != trust:
            raise _trust_changed()
        marks = LeaseMarks(LeaseApi(options.configure(), *options.lease))
        publisher = self._publisher(marks)
        active = Active(
            options.configure,
            publisher,
            trust,
            namespaces=options.namespaces,
            clock=options.clock,
            require=self._require_clock,
            git=options.git,
        )
        # Set before it starts, so that a start that fails half-way is undone.
        self.active = active
        active.start()
        self._started = True
        started = time.monotonic()
        while not self._stop.wait(_TICK):
            if election.ended:
                if election.silenced and marks.known is not None:
                    self._keep(active, marks.known)
                if self._stop.is_set():
                    return
                raise _lost(election)
            if active.trust_changed:
                raise _trust_changed()
            if not active.running and time.monotonic() - started > _TICK:
                raise FlagsealError("Watching or building has ended.", code="PartEnded", remedy="The log says why.")

    def _keep(self, active: Active, mark: Mark) -> None:
        """End being active, and sign again what is published as long as the API server answers nobody."""
        active.stop()
        if active.building:
            return  # what it is at is not known, so nothing is signed beside it
        lease = LeaseApi(self.options.configure(), *self.options.lease)
        vigil = Vigil(self._publisher(MemoryMarks(mark)), lease, self._require_clock, self.options.patience)
        self._vigil = vigil
        vigil.keep(self._stop)

    def _publisher(self, marks: Marks) -> Publisher:
        options = self.options
        return Publisher(
            options.store,
            options.root,
            options.online(),
            marks=marks,
            clock=options.clock,
            lifetimes=options.lifetimes,
        )

    def _require_clock(self) -> None:
        self._second_clock.require_agreement(self.options.clock())

    def health(self) -> Health:
        """Say how it is."""
        found = self._health()
        return found if self.admission is None else replace(found, gauges={**found.gauges, **self.admission.gauges()})

    def _health(self) -> Health:
        active, election = self.active, self._election
        if self._vigil is not None:
            return _kept(self._vigil)
        if active is None:
            words = f"standing by; {(election.holder if election is not None else '') or 'nobody'} is active"
            if election is not None and (failure := election.failure) is not None:
                words = f"standing by, and cannot tell who is active: {failure.code}: {failure.message}"
            return Health(alive=True, ready=True, words=words, gauges={"active": ("1 while it is active.", 0.0)})
        vitals = active.vitals
        ready = vitals.published is not None
        words = "active"
        if not ready:
            words = "nothing is published from here yet"
        if vitals.failure is not None:
            words = f"{vitals.failure.code}: {vitals.failure.message}"
        # One that is about to start is not dead.
        return Health(alive=active.running or not self._started, ready=ready, words=words, gauges=_gauges(vitals))


def _gauges(vitals: Vitals) -> dict[str, tuple[str, float]]:
    expires = vitals.expires
    return {
        "active": ("1 while it is active.", 1.0),
        "snapshot_version": ("Version of the published snapshot.", float(vitals.published or 0)),
        "head_sequence": ("Sequence of the accepted head.", float(vitals.sequence or 0)),
        "timestamp_expires_seconds": ("Unix time at which it expires.", expires.timestamp() if expires else 0.0),
        "failing": ("1 while nothing can be published, or the head is held.", float(vitals.failure is not None)),
        "resources": ("Resources known.", float(vitals.resources)),
        "statuses_waiting": ("Statuses that wait to be written.", float(vitals.unreported)),
        "documents_missing": ("Approved documents that no resource declares.", float(vitals.missing)),
        "steps": ("Steps taken.", float(vitals.steps)),
        "last_step_seconds": ("How long the last step took.", vitals.step_seconds),
    }


def _kept(vigil: Vigil) -> Health:
    words = "The API server answers nobody: what is published is signed again, and nothing new is."
    if vigil.failure is not None:
        words += f" {vigil.failure.code}: {vigil.failure.message}"
    published = vigil.published
    gauges = {
        "active": ("1 while it is active.", 0.0),
        "keeping": ("1 while it only signs again what is published, for want of an API server.", 1.0),
        "failing": ("1 while nothing can be published, or the head is held.", 1.0),
    }
    if published is not None:
        gauges["snapshot_version"] = ("Version of the published snapshot.", float(published.version))
        gauges["head_sequence"] = ("Sequence of the accepted head.", float(published.sequence))
        gauges["timestamp_expires_seconds"] = ("Unix time at which it expires.", published.expires.timestamp())
    return Health(alive=True, ready=True, words=words, gauges=gauges)


def _lost(election: Election) -> FlagsealError:
    return FlagsealError(
        f"The Lease is lost{f' to {election.holder}' if election.holder else ''}.",
        code="LeaseLost",
        remedy="Nothing has to be done: another is active, and this process begins anew as its standby.",
    )


def _trust_changed() -> FlagsealError:
    return FlagsealError(
        "A ceremony has changed trust.json.",
        code="TrustChanged",
        remedy="Nothing has to be done: this process ends, and the next one begins with what it says now.",
    )
