"""The thread that gets a Lease, keeps it, and says when it is lost.

::

    start ──► waiting ──► held ──► ended        ended: lost to another, not renewed in time, wiped, or stopped
                 └───────────────────┘

A candidate is active once: after it has lost, the process ends and a new one begins with nothing in memory.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flagseal_operator.lease import Candidate, holder_of, is_another_history
from flagseal_operator.lease_api import LeaseChanged, LeaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flagseal.model.errors import FlagsealError
    from flagseal_operator.lease import Terms
    from flagseal_operator.lease_api import Leases

_LOG = logging.getLogger("flagseal.election")

_MOST_COLLISIONS = 8


def unique_identity(name: str) -> str:
    """Give a process a name of its own: the pod's (or machine's), and chance."""
    return f"{name}_{secrets.token_hex(4)}"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Election:
    """Compete for a Lease.

    Args:
        leases: The Lease.
        terms: How to compete.
        clock: A clock that only runs forward, in seconds.
        wall: The time in UTC, for people who read the Lease.
    """

    def __init__(
        self,
        leases: Leases,
        terms: Terms,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._leases = leases
        self._clock = clock
        self._wall = wall
        self._candidate = Candidate(terms)
        self._failure: FlagsealError | None = None
        self._holder = ""
        self._written: Mapping[str, Any] | None = None
        self._stop = threading.Event()
        self._held = threading.Event()
        self._ended = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="flagseal-election", daemon=True)

    @property
    def identity(self) -> str:
        """This candidate's name."""
        return self._candidate.terms.identity

    @property
    def holder(self) -> str:
        """Who held the Lease when it was last seen; empty if nobody did."""
        return self._holder

    @property
    def failure(self) -> FlagsealError | None:
        """Why the Lease could not be read or written at the last try; None once that went well."""
        return self._failure

    @property
    def active(self) -> bool:
        """Whether this process holds the Lease now, by its clock: false also while a renewal is overdue."""
        return self._held.is_set() and not self._ended.is_set() and self._candidate.holds(self._clock())

    @property
    def ended(self) -> bool:
        """Whether this process will not be active any more: what it does as the active one must end."""
        return self._ended.is_set()

    @property
    def silenced(self) -> bool:
        """Whether it ended because nobody answered: as far as is known nobody else is active."""
        failure = self._failure
        unanswered = failure is not None and failure.code == LeaseError.code
        return self._ended.is_set() and unanswered and self._holder == self.identity and not self._stop.is_set()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wait_held(self, timeout: float | None = None) -> bool:
        """Wait until the Lease is held or this candidate has ended.

        Args:
            timeout: Most seconds to wait.

        Returns:
            Whether it is held.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._held.is_set() or self._ended.is_set(), timeout)
        return self._held.is_set() and not self._ended.is_set()

    def wait_ended(self, timeout: float | None = None) -> bool:
        """Wait until this candidate has ended.

        Args:
            timeout: Most seconds to wait.

        Returns:
            Whether it has.
        """
        return self._ended.wait(timeout)

    def stop(self, timeout: float = 10.0) -> None:
        """Let go of the Lease, so that the next takes over at once. Call it after all activity has ended.

        Args:
            timeout: Seconds to wait for the thread.
        """
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            while not self._stop.is_set() and self._look():
                self._stop.wait(self._candidate.terms.pause)
            # Whoever cannot say goodbye is not waited for longer than one who was killed.
            with contextlib.suppress(LeaseError):
                self._release()
        except Exception:  # noqa: BLE001 (the edge of a thread)
            # Without this thread nobody renews: the process must not go on as if somebody did.
            _LOG.exception("the election failed")
        finally:
            with self._changed:
                self._ended.set()
                self._changed.notify_all()

    def _look(self) -> bool:
        """Look once, and take or renew if that is possible; say whether to go on."""
        try:
            self._attempt()
            self._failure = None
        except LeaseError as error:
            if self._failure is None or self._failure.message != error.message:
                _LOG.warning("%s", error.message)
            self._failure = error
        if not self._held.is_set():
            return True
        if not self._candidate.holds(self._clock()):
            _LOG.error("the Lease is lost%s", f" to {self._holder}" if self._holder not in ("", self.identity) else "")
            return False
        return True

    def _attempt(self) -> None:
        for _ in range(_MOST_COLLISIONS):
            lease = self._leases.get()
            if self._held.is_set() and is_another_history(self._written, lease):
                _LOG.error("the Lease is not the one that was held: the cluster's memory was lost, or put back")
                self._candidate = self._candidate.deposed()
                return
            self._candidate = self._candidate.saw(lease, self._clock())
            self._holder = "" if lease is None else holder_of(lease)
            sent = self._clock()
            claim = self._candidate.claim(lease, sent, self._wall())
            if claim is None:
                return
            try:
                self._written = self._leases.put(claim)
            except LeaseChanged:
                # A mark was written, or another was faster: the next look tells which.
                continue
            self._candidate = self._candidate.wrote(sent)
            self._hold()
            return

    def _hold(self) -> None:
        self._holder = self.identity
        if self._held.is_set():
            return
        _LOG.info("active as %s", self.identity)
        with self._changed:
            self._held.set()
            self._changed.notify_all()

    def _release(self) -> None:
        if not self._candidate.holds(self._clock()):
            return
        for _ in range(_MOST_COLLISIONS):
            freed = self._candidate.release(self._leases.get(), self._wall())
            if freed is None:
                return
            try:
                self._leases.put(freed)
            except LeaseChanged:
                continue
            _LOG.info("the Lease is released")
            return
