"""A Lease in memory, with the API server's optimistic concurrency, that can be made to fail."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any

from flagseal_operator.lease_api import LeaseChanged, LeaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class MemoryLease:
    """One Lease for all candidates of a test.

    Attributes:
        body: What is stored; None if nothing is.
        down: Whether the server answers nobody.
        before_put: Called before each write, as somebody who is faster.
        writes: How many writes went through.
    """

    def __init__(self, body: Mapping[str, Any] | None = None) -> None:
        self.body: dict[str, Any] | None = None if body is None else copy.deepcopy(dict(body))
        self.down = False
        self.before_put: Callable[[], None] = lambda: None
        self.writes = 0
        self._version = 0
        self._lock = threading.RLock()

    def get(self) -> dict[str, Any] | None:
        """Read."""
        with self._lock:
            self._check()
            return copy.deepcopy(self.body)

    def put(self, lease: Mapping[str, Any]) -> dict[str, Any]:
        """Write what was read, if nobody else did."""
        self.before_put()
        with self._lock:
            self._check()
            there = None if self.body is None else self.body["metadata"]["resourceVersion"]
            if (lease.get("metadata") or {}).get("resourceVersion") != there:
                raise LeaseChanged("409 Conflict")
            self._version += 1
            self.writes += 1
            metadata = {**(lease.get("metadata") or {}), "resourceVersion": str(self._version)}
            self.body = copy.deepcopy({**lease, "metadata": metadata})
            return copy.deepcopy(self.body)

    def _check(self) -> None:
        if self.down:
            raise LeaseError("no answer from the API server")
