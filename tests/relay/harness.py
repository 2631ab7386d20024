"""A relay on a real port, fed from memory instead of a store: what is asked and answered is real HTTP.

The chain from a signed store to an answer is ``test_verified_chain.py``'s; here the snapshots are what a test says.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from flagseal.evaluation import FlagSet
from flagseal_relay.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flagseal.snapshot.verified import SafeAnswer
    from flagseal_relay.source import Files, Outcome, View

AS_OF = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)

FLAGS: dict[str, Any] = {
    "static": {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on", "targeting": {}},
    "targeted": {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
        "targeting": {"if": [{"===": [{"var": "org"}, "acme"]}, "on", None]},
        "metadata": {"owner": "team-payments"},
    },
    "undecided": {
        "state": "ENABLED",
        "variants": {"on": True},
        "defaultVariant": None,
        "targeting": {"if": [{"===": [{"var": "org"}, "acme"]}, "on", None]},
    },
    "disabled": {"state": "DISABLED", "variants": {"on": True}, "defaultVariant": "on"},
    "unknown-variant": {
        "state": "ENABLED",
        "variants": {"on": True},
        "defaultVariant": "on",
        "targeting": {"if": [True, "nowhere"]},
    },
    "malformed": {
        "state": "ENABLED",
        "variants": {"on": True},
        "defaultVariant": "on",
        "targeting": {"$ref": "nothing-here"},
    },
    "whole-float": {"state": "ENABLED", "variants": {"one": 1.0}, "defaultVariant": "one"},
    "zero": {"state": "ENABLED", "variants": {"none": 0}, "defaultVariant": "none"},
    "empty-text": {"state": "ENABLED", "variants": {"none": ""}, "defaultVariant": "none"},
    "limits": {"state": "ENABLED", "variants": {"small": {"seats": 5}}, "defaultVariant": "small"},
    "by-version": {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
        "targeting": {"if": [{"sem_ver": [{"var": "app"}, ">=", "1.2.0"]}, "on", "off"]},
    },
}
"""One flag for each row of the table of answers."""


@dataclass(frozen=True)
class MemoryNamespace:
    """A namespace as a verified snapshot would hold it."""

    flag_set: FlagSet
    etag: str
    flags: bytes
    safe_answers: Mapping[str, SafeAnswer] = field(default_factory=dict)
    access: bytes = b""

    @classmethod
    def of(
        cls, flags: Mapping[str, Any], name: str = "payments", clock: Callable[[], float] = time.time
    ) -> MemoryNamespace:
        """Load flags as the client does."""
        document = json.dumps({"flags": flags, "metadata": {"flagSetId": name, "environment": "production"}})
        return cls(FlagSet.load(document, clock=clock), f"{name}:{hash(document)}", document.encode())


@dataclass(frozen=True)
class MemoryView:
    """A verified snapshot."""

    namespaces: Mapping[str, MemoryNamespace]
    version: int = 1
    sequence: int = 1
    environment: str = "production"
    as_of: datetime = AS_OF
    stale: bool = False
    past_limit: frozenset[str] = frozenset()
    expires: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(minutes=10))

    def out_of_date(self, seconds: float) -> MemoryView:
        """Give the same snapshot, expired some time ago."""
        return replace(self, stale=True, expires=datetime.now(UTC) - timedelta(seconds=seconds))


def view(flags: Mapping[str, Any] = FLAGS, *, version: int = 1) -> MemoryView:
    """Give a snapshot of one namespace."""
    return MemoryView({"payments": MemoryNamespace.of(flags)}, version=version, sequence=version)


@dataclass(frozen=True)
class Refreshed:
    """What a refresh came to."""

    reason: str | None = None
    message: str = ""
    remedy: str = ""


class MemorySource:
    """A source whose snapshots and failures a test sets."""

    def __init__(self, current: View | None = None) -> None:
        self.coming = current
        self.current: View | None = None
        self.failure: BaseException | str | None = None
        self.on_refresh: Callable[[], object] = lambda: None

    def refresh(self) -> Outcome:
        """Take over what is coming, or fail as told; ``on_refresh`` runs in the middle, when the store was read."""
        coming = self.coming
        self.on_refresh()
        if isinstance(self.failure, BaseException):
            raise self.failure
        if self.failure is not None:
            return Refreshed(self.failure)
        self.current = coming
        return Refreshed()


def make_relay(source: MemorySource, *, poll: float = 0.05, files: Files | None = None) -> Relay:
    """Give a relay that looks for news often enough for a test."""
    return Relay(source, poll=poll, files=files)


def evaluation_body(**context: object) -> bytes:
    """Give the body of an evaluation request."""
    return json.dumps({"context": context}).encode()
