"""How well the newest flags are known, and which events tell the application of a change in that.

Three facts, and the SDK's status is the newest event's::

    ready     a verified snapshot is at hand
    stale     it has expired, and no newer one came          STALE    evaluation goes on, metadata say so
    refusal   what was published does not verify             ERROR    evaluation goes on with the last good one

A store that does not answer is no refusal: it becomes staleness, once the snapshot at hand has expired.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from openfeature.event import ProviderEvent

OUTAGES: Final = frozenset({"unreachable", "stale-metadata"})
"""Reasons of a failed refresh (:data:`flagseal.snapshot.refusal.Reason`) that need no attacker: nothing came."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the last look for something newer failed.

    Attributes:
        reason: A stable word (:data:`flagseal.snapshot.refusal.Reason`, an error's code, or ``unexpected``).
        message: The same in sentences, with a remedy.
    """

    reason: str
    message: str

    @classmethod
    def told(cls, reason: str, message: str, remedy: str) -> Trouble:
        """Make sentences of a message and a remedy."""
        return cls(reason, f"{message.rstrip('.')}. {remedy}".rstrip())

    @property
    def is_outage(self) -> bool:
        """Whether nothing came, as opposed to something bad."""
        return self.reason in OUTAGES


@dataclass(frozen=True, slots=True)
class Condition:
    """How well the newest flags are known.

    Attributes:
        ready: Whether flags can be answered.
        stale: Whether what they are answered from has expired.
        refusal: Why what was published is not taken; None if it is, or if nothing came.
    """

    ready: bool
    stale: bool = False
    refusal: str | None = None

    @classmethod
    def of(cls, *, ready: bool, stale: bool, trouble: Trouble | None) -> Condition:
        """Tell it from the facts. Before the first snapshot, an outage is what there is to tell."""
        bad = trouble is not None and not (ready and trouble.is_outage)
        return cls(ready, stale, trouble.reason if bad and trouble is not None else None)


def events_between(before: Condition, after: Condition) -> tuple[ProviderEvent, ...]:
    """Say which events lead from one condition to another; none if they are the same."""
    if before == after:
        return ()
    if not after.ready:
        return (ProviderEvent.PROVIDER_ERROR,) if after.refusal is not None else ()
    events = [] if before.ready else [ProviderEvent.PROVIDER_READY]
    if after.refusal is not None and after.refusal != before.refusal:
        events.append(ProviderEvent.PROVIDER_ERROR)
    if after.stale and not (before.ready and before.stale):
        events.append(ProviderEvent.PROVIDER_STALE)
    if events:
        return tuple(events)
    # Something ended. What is left is said again, since the SDK knows one status only: the last event's.
    if after.stale:
        return (ProviderEvent.PROVIDER_STALE,)
    return (ProviderEvent.PROVIDER_READY if after.refusal is None else ProviderEvent.PROVIDER_ERROR,)
