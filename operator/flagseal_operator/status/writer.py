"""A few threads that write statuses, beside the builder: publishing never waits for them."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from flagseal.model.canonical import canonical_json
from flagseal_operator.kube import KubeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from flagseal_operator.inventory import Inventory
    from flagseal_operator.kube import Kube
    from flagseal_operator.resources import Ref
    from flagseal_operator.status.reporter import Update

_LOG: Final = logging.getLogger("flagseal.status")

_RETRY_SECONDS: Final = (0.2, 1.0, 5.0, 15.0)
_FOR_EVER: Final = frozenset({400, 422})
"""What the API server will refuse again: said once, and given up until the status changes."""


class StatusWriter:
    """Write the newest status of each resource, each until it is written.

    Args:
        kube: The API server.
        inventory: Knows the resources' uids, for events.
        clock: Gives the time in UTC.
        threads: How many write at once.
    """

    def __init__(self, kube: Kube, inventory: Inventory, clock: Callable[[], datetime], *, threads: int = 2) -> None:
        self._kube = kube
        self._inventory = inventory
        self._clock = clock
        self._waiting: dict[Ref, Update] = {}
        self._busy: dict[Ref, Update] = {}
        self._change = threading.Condition()
        self._ended = False
        self._threads = [
            threading.Thread(target=self._run, name=f"flagseal-status-{number}", daemon=True)
            for number in range(threads)
        ]
        self._said: set[tuple[str, int]] = set()
        self.written = 0
        self.failed = 0

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """Let the writes under way end; what still waits is computed again by whoever comes next."""
        with self._change:
            self._ended = True
            self._change.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout)

    def put(self, updates: Iterable[Update]) -> None:
        """Have statuses written; an older one of the same resource that still waits is dropped."""
        with self._change:
            for update in updates:
                self._waiting[update.ref] = update
            self._change.notify_all()

    def is_said(self, ref: Ref, status: dict[str, Any]) -> bool:
        """Tell whether a resource says this of itself, or is about to.

        What is known of a resource is older than what was just decided about it: a status that was put and is not
        written yet would come after this one.
        """
        with self._change:
            pending = self._waiting.get(ref) or self._busy.get(ref)
            if pending is not None:
                return pending.status == status
            seen = self._inventory.get(ref)
        return seen is not None and canonical_json(status) == seen.status

    def __len__(self) -> int:
        return len(self._waiting) + len(self._busy)

    def _run(self) -> None:
        while (update := self._take()) is not None:
            try:
                self._write(update)
            except Exception:  # noqa: BLE001 (the edge of a thread)
                _LOG.exception("%s: its status was not written", update.ref)
                self.failed += 1
            finally:
                with self._change:
                    del self._busy[update.ref]
                    self._change.notify_all()

    def _take(self) -> Update | None:
        with self._change:
            while not self._ended:
                for ref in self._waiting:
                    if ref not in self._busy:
                        self._busy[ref] = self._waiting.pop(ref)
                        return self._busy[ref]
                self._change.wait()
        return None

    def _write(self, update: Update) -> None:
        for pause in (*_RETRY_SECONDS, None):
            try:
                written = self._kube.write_status(update.ref, update.status)
            except KubeError as error:
                self._say(update, error)
                if error.status in _FOR_EVER or pause is None:
                    self.failed += 1
                    if error.status not in _FOR_EVER:
                        self._inventory.touch(update.ref)
                    return
                if self._outdated(update, pause):
                    return
                continue
            self.written += 1
            if written is not None:
                # At once, and not when the watch tells: until then the next step would judge by what was there before.
                self._inventory.see(update.ref.kind, None, written)
            self._said.clear()
            self._tell(update)
            return

    def _say(self, update: Update, error: KubeError) -> None:
        """Log a failure; one that thousands of statuses meet alike is said once."""
        kind = (update.ref.kind, error.status)
        if kind not in self._said:
            self._said.add(kind)
            _LOG.warning("%s: its status is not written: %s %s", update.ref, error.message, error.remedy)

    def _outdated(self, update: Update, pause: float) -> bool:
        """Wait before the next try; give up if a newer status has come meanwhile, or everything ends."""
        with self._change:
            return self._change.wait_for(lambda: self._ended or update.ref in self._waiting, pause)

    def _tell(self, update: Update) -> None:
        seen = self._inventory.get(update.ref)
        if update.message is None or seen is None:
            return
        reason, message = update.message
        ready = update.status["conditions"][0]["status"] == "True"
        try:
            now = self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")
            self._kube.event(update.ref, seen.uid, reason=reason, message=message, warning=not ready, now=now)
        except KubeError as error:
            # Events expire and are never the audit: losing one loses nothing.
            _LOG.info("%s: its event was not written: %s", update.ref, error.message)
