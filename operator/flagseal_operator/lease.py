"""Who is active, decided from a Lease (``coordination.k8s.io/v1``) and one's own clock alone.

::

    absent, released, or unchanged for its duration ──► claim ──written──► held until sent + deadline
    changed since it was last seen                  ──► wait                └── renew, every second or so

No instant in a Lease is compared with a clock here: clocks of two machines differ. What counts is how long a Lease
has stood still before one's own eyes. Whoever holds it stops believing so before anybody else may take it: the
deadline counts from before a renewal is sent, the duration from after it was seen, and is the longer of the two.
That holds while the clocks run equally fast; if they do not, or a process sleeps through its deadline, two may be
active at once, and the store's fence decides (:mod:`flagseal.snapshot.publish`).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

RELEASED_SECONDS: Final = 1
"""Duration written by who lets go: the API asks for one, and nobody waits for it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How one candidate competes.

    Attributes:
        identity: Names this process, and no other that ever ran: a name that a restarted process has again would let
            it pass for the one before.
        duration: Whole seconds that a Lease must stand still before another candidate takes it.
        deadline: Seconds after which a holder that could not renew is none any more; less than ``duration``.
        pause: Seconds between two looks; a fraction of ``deadline``.
    """

    identity: str
    duration: int = 8
    deadline: float = 5.0
    pause: float = 1.0

    def __post_init__(self) -> None:
        if not self.identity or not 0 < self.pause < self.deadline < self.duration:
            raise ValueError(f"{self}: needs an identity, and 0 < pause < deadline < duration")


@dataclass(frozen=True, slots=True)
class Sighting:
    """When a Lease was first seen as it is.

    Attributes:
        spec: What it said; annotations do not count: a mark that is written late is no sign of life.
        since: The observer's own clock, in seconds, after the answer had arrived.
    """

    spec: Mapping[str, Any]
    since: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """What one candidate knows; every method gives the candidate that knows more.

    Attributes:
        terms: How it competes.
        sighting: The Lease as last seen; None if it was not there.
        until: The own clock's instant until which this candidate holds the Lease; None if it does not.
    """

    terms: Terms
    sighting: Sighting | None = None
    until: float | None = None

    def holds(self, now: float) -> bool:
        """Say whether this candidate may count on being the only one."""
        return self.until is not None and now < self.until

    def saw(self, lease: Mapping[str, Any] | None, now: float) -> Candidate:
        """Take note of a Lease.

        Args:
            lease: The object; None if there is none.
            now: The own clock, read after the answer arrived.
        """
        if lease is None:
            return replace(self, sighting=None)
        spec = spec_of(lease)
        sighting = self.sighting
        if sighting is None or sighting.spec != spec:
            sighting = Sighting(spec, now)
        mine = holder_of(lease) == self.terms.identity
        return replace(self, sighting=sighting, until=self.until if mine else None)

    def claim(self, lease: Mapping[str, Any] | None, now: float, wall: datetime) -> dict[str, Any] | None:
        """Give the Lease to be written, if it may be taken or renewed.

        Args:
            lease: The Lease that was just noted by :meth:`saw`.
            now: The own clock.
            wall: The time in UTC, for people who read the Lease.

        Returns:
            The object with everything in it that is not ours to change (resource version and marks included); None
            if another candidate holds it.
        """
        if not self._open(now):
            return None
        before = {} if lease is None else spec_of(lease)
        mine = before.get("holderIdentity") == self.terms.identity
        spec = {
            **before,
            "holderIdentity": self.terms.identity,
            "leaseDurationSeconds": self.terms.duration,
            "renewTime": _instant(wall),
        }
        if not mine or "acquireTime" not in before:
            spec["acquireTime"] = _instant(wall)
            spec["leaseTransitions"] = int(before.get("leaseTransitions") or 0) + (lease is not None)
        return _with_spec(lease, spec)

    def wrote(self, sent: float) -> Candidate:
        """Take note that a claim was accepted.

        Args:
            sent: The own clock, read before the claim was sent.
        """
        return replace(self, until=sent + self.terms.deadline)

    def deposed(self) -> Candidate:
        """Take note that it does not hold the Lease any more."""
        return replace(self, until=None)

    def release(self, lease: Mapping[str, Any] | None, wall: datetime) -> dict[str, Any] | None:
        """Give the Lease that says that nobody holds it; None if that is not for this candidate to say."""
        if lease is None or holder_of(lease) != self.terms.identity:
            return None
        freed = {"holderIdentity": "", "leaseDurationSeconds": RELEASED_SECONDS, "renewTime": _instant(wall)}
        return _with_spec(lease, {**spec_of(lease), **freed})

    def _open(self, now: float) -> bool:
        if self.sighting is None:
            return True
        spec = self.sighting.spec
        if not spec.get("holderIdentity") or spec["holderIdentity"] == self.terms.identity:
            return True
        return now >= self.sighting.since + float(spec.get("leaseDurationSeconds") or self.terms.duration)


def spec_of(lease: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a Lease says; empty if it says nothing."""
    return dict(lease.get("spec") or {})


def holder_of(lease: Mapping[str, Any]) -> str:
    """Name who holds a Lease; empty if nobody does."""
    return str(spec_of(lease).get("holderIdentity") or "")


def is_another_history(written: Mapping[str, Any] | None, lease: Mapping[str, Any] | None) -> bool:
    """Tell whether a cluster has lost its memory since a Lease was written there, or was put back to an older one.

    What was seen before would pass for newer than anything that happens there from now on (docs/adr/0085).

    Args:
        written: The Lease as it was after the last write; None if there was none.
        lease: As it was read later; None if there is none.
    """
    if written is None:
        return False
    if lease is None:
        return True
    before, after = written.get("metadata") or {}, lease.get("metadata") or {}
    if before.get("uid") != after.get("uid"):
        return True
    numbers = [str(it.get("resourceVersion", "")) for it in (before, after)]
    return all(it.isascii() and it.isdigit() for it in numbers) and int(numbers[1]) < int(numbers[0])


def _with_spec(lease: Mapping[str, Any] | None, spec: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(dict(lease)) if lease is not None else {}
    changed["spec"] = spec
    return changed


def _instant(wall: datetime) -> str:
    """Write an instant as ``MicroTime`` wants it: six digits, always."""
    return wall.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
