"""What runs while an operator is the active one: watch, build, publish, report.

::

    API server ─events─► Watcher ─► Inventory ─► ClusterSource ─► Engine ─► store
                                        │                            │
                                        ├──────► Reporter ◄──────────┤ ─► StatusWriter ─► API server
                                        └──────► GitDelivery ◄───────┘ ─► API server
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from flagseal.history import reviewed
from flagseal.model.canonical import canonical_json
from flagseal.model.errors import FlagsealError
from flagseal_operator.admission.known import Known
from flagseal_operator.beside import Beside
from flagseal_operator.cluster_source import ClusterSource
from flagseal_operator.emergency_source import KINDS, ClusterEmergencies
from flagseal_operator.engine import LARGE, Engine
from flagseal_operator.git_delivery import GitDelivery
from flagseal_operator.inventory import Inventory
from flagseal_operator.kube import Kube
from flagseal_operator.runner import Runner
from flagseal_operator.status.emergency import emergency_status
from flagseal_operator.status.reporter import Reporter, Update
from flagseal_operator.status.writer import StatusWriter
from flagseal_operator.watching import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kubernetes.client import Configuration

    from flagseal.approval.trust import Trust
    from flagseal.emergency import Standing
    from flagseal.snapshot.publish import Publisher
    from flagseal_operator.engine import Found, Step
    from flagseal_operator.git_delivery import GitOptions

_LOG: Final = logging.getLogger("flagseal.operator")
SYNC_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Vitals:
    """How an active operator is.

    Attributes:
        published: Version of the snapshot that lies in the store; None before the first step.
        sequence: Of the head in it.
        expires: When its timestamp expires.
        failure: Why nothing can be published; None if it can.
        resources: How many are known.
        unreported: Statuses that wait to be written.
        missing: Documents that are approved and declared by no resource.
        steps: How many steps were taken.
        step_seconds: How long the last one took.
    """

    published: int | None = None
    sequence: int | None = None
    expires: datetime | None = None
    failure: FlagsealError | None = None
    resources: int = 0
    unreported: int = 0
    missing: int = 0
    steps: int = 0
    step_seconds: float = 0.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Active:
    """Everything that only the active operator does.

    Args:
        configure: Gives how to reach the API server.
        publisher: Where snapshots go.
        trust: What ``trust.json`` says.
        namespaces: Where to look; none for the whole cluster.
        clock: Gives the time in UTC.
        require: Called before anything is decided or signed; raises where nothing may be.
        git: Where the git source works; None to leave FlagRepositories alone.
    """

    def __init__(
        self,
        configure: Callable[[], Configuration],
        publisher: Publisher,
        trust: Trust,
        *,
        namespaces: Sequence[str] = (),
        clock: Callable[[], datetime] = _utc_now,
        require: Callable[[], None] = lambda: None,
        git: GitOptions | None = None,
    ) -> None:
        self._publisher, self._trust = publisher, trust
        self.inventory = Inventory()
        self.kube = Kube.of(configure())
        self.source = ClusterSource(self.inventory, trust, most=LARGE)
        self._emergencies = ClusterEmergencies(self.inventory, trust.environment)
        self._beside: Beside[Found] = Beside(self._wake, revision=lambda: self.inventory.revision)
        self.engine = Engine(
            self.source, publisher, trust, clock=clock, emergencies=self._emergencies, beside=self._beside
        )
        self._clock = clock
        self._require = require
        self._writer = StatusWriter(self.kube, self.inventory, clock)
        self._reporter = Reporter(self.inventory, trust, self._writer.is_said)
        self._watcher = Watcher(configure, self.kube, self.inventory, namespaces=namespaces, told=self._wake)
        self._runner = Runner(self.engine, watch=self._watched, stepped=self._stepped, failed=self._failed, clock=clock)
        self._git = GitDelivery(self.kube, self.inventory, trust, self._writer, git, clock) if git else None
        self._last: Step | None = None
        self._known: tuple[Step, Known] | None = None
        self._started = time.perf_counter()
        self._vitals = Vitals()

    def start(self) -> None:
        """Start watching, and build as soon as everything was seen once.

        Raises:
            KubeError: The API server cannot be asked.
        """
        self._watcher.start()
        self._writer.start()
        self._runner.start()
        if self._git is not None:
            self._git.start()

    def stop(self) -> None:
        """Let the step under way end, and stop."""
        if self._git is not None:
            self._git.stop()
        self._runner.stop()
        self._watcher.stop()
        self._writer.stop()

    @property
    def trust_changed(self) -> bool:
        """Whether a ceremony has changed what this one began with: then another has to begin, from the new trust."""
        return self._publisher.trust not in {None, self._trust}

    @property
    def running(self) -> bool:
        """Whether every part still runs."""
        return self._watcher.running and self._runner.running

    @property
    def building(self) -> bool:
        """Whether it may still publish."""
        return self._runner.running

    @property
    def vitals(self) -> Vitals:
        """How it is at the moment."""
        return replace(self._vitals, resources=len(self.inventory), unreported=len(self._writer))

    @property
    def known(self) -> Known | None:
        """What admission needs of the last step; None before the first."""
        step, known = self._last, self._known
        if step is None:
            return None
        if known is None or known[0].head is not step.head:
            known = self._known = (step, Known.of(step.head, step.emergencies))
        elif known[0] is not step:
            known = self._known = (step, replace(known[1], emergencies=step.emergencies))
        return known[1]

    def _wake(self) -> None:
        self._runner.wake()

    def _watched(self) -> str:
        # The first step waits until everything was seen: what is there must not be taken for missing.
        if not self._watcher.synced and not self._watcher.wait_until_synced(SYNC_SECONDS):
            raise FlagsealError(
                "The resources of the cluster are not read yet.", code="NotSynced", remedy="Look after the API server."
            )
        self._require()
        self._started = time.perf_counter()
        return f"{self.inventory.revision} {self._beside.turn}"

    def _stepped(self, step: Step) -> None:
        took = time.perf_counter() - self._started
        self._last = step
        if self._git is not None:
            self._git.wake(step.head)
        missing = self._report(step, None)
        self._vitals = Vitals(
            step.published.version,
            step.published.sequence,
            step.published.expires,
            step.held,
            len(self.inventory),
            len(self._writer),
            missing,
            self._vitals.steps + 1,
            took,
        )

    def _failed(self, error: FlagsealError) -> None:
        last = self._vitals
        self._vitals = Vitals(
            last.published, last.sequence, last.expires, error, len(self.inventory), len(self._writer), last.missing
        )
        if self._last is not None:
            self._report(self._last, error)
        elif self._git is not None and error.code in {"GenesisMissing", "HistoryIncomplete"}:
            self._git.wake(None)

    def _report(self, step: Step, failure: FlagsealError | None) -> int:
        """Compute what is to be said after a step, and have it written; say what is missing."""
        offered = self.source.offered()
        now = self._clock()
        picture = self._reporter.picture(
            step.head,
            offered,
            version=step.published.version,
            now=now,
            serving=step.serving,
            refused=step.refused,
            emergencies=step.emergencies,
            overridden=_overridden(step, now),
            failure=failure or step.held,
        )
        self._writer.put([*self._reporter.updates(picture, offered), *self._of_emergencies(step, now)])
        missing = self._reporter.missing(picture)
        if len(missing) != self._vitals.missing and missing:
            _LOG.warning(
                "%d documents are approved, in force, and declared by no resource: %s", len(missing), missing[0]
            )
        return len(missing)

    def _of_emergencies(self, step: Step, now: datetime) -> list[Update]:
        """Say of each claim what became of it, where that is not said already."""
        by_identity = {(it.claim.title, it.claim.spec): it for it in step.outcomes}
        updates = []
        for kind in KINDS:
            for ref, seen in self.inventory.of(kind).items():
                outcome = None
                refusal = self._emergencies.refused.get(ref)
                if refusal is None and isinstance(seen.content, dict):
                    title = "/".join(part for part in (ref.kind, ref.namespace, ref.name) if part is not None)
                    outcome = by_identity.get((title, canonical_json(seen.content.get("spec"))))
                if outcome is None and refusal is None:
                    continue  # of another environment, or newer than this step
                standing = None if outcome is None else outcome.standing
                review = None if standing is None else reviewed(step.head, standing)
                status = emergency_status(seen, outcome, refusal, now, review)
                if not self._writer.is_said(ref, status):
                    ready = status["conditions"][0]
                    updates.append(Update(ref, status, (ready["reason"], ready["message"])))
        return updates


def _overridden(step: Step, now: datetime) -> dict[str, str]:
    """Say of each flag that is rolled back by whom, why, and until when."""
    return {
        flag: (
            f"{it.person} rolled it back for {it.claim.incident} ({it.claim.reason}); everyone is served the safe"
            f" variant until {it.until:%Y-%m-%d %H:%M:%S UTC}. {_asked(step, it)}"
        )
        for it in step.emergencies.holding(now)
        if (flag := it.claim.rolls_back) is not None
    }


def _asked(step: Step, standing: Standing) -> str:
    review = reviewed(step.head, standing)
    return "Somebody else has to review it." if review is None else f"It was {review.text}."
