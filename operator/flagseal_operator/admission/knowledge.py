"""Where admission knows the accepted state from: the active operator's last step, or what is published.

A standby watches nothing. It reads the store when it is asked, in a thread of its own, and keeps a few words of it.
Where that takes too long, nothing is refused for the state's sake: a receipt only says who asked.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import TYPE_CHECKING, Final

from flagseal.model.canonical import canonical_json
from flagseal.model.errors import FlagsealError
from flagseal.snapshot.layout import metadata_name
from flagseal.snapshot.marks import Mark
from flagseal.snapshot.publish import utc_now
from flagseal.snapshot.published import read_live
from flagseal_operator.admission.known import Known

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from datetime import datetime

    from flagseal.approval.trust import Trust
    from flagseal.snapshot.store import Store

_LOG: Final = logging.getLogger("flagseal.admission")
_TIMESTAMP: Final = metadata_name("timestamp")
AGAIN_SECONDS: Final = 30.0
"""How old what is known may be until a courtesy, which waits for nothing, has it read again."""


class Knowledge:
    """Know the accepted state. Safe to use from several threads.

    Args:
        store: Where it is published.
        root: The pinned root.
        live: Gives the active operator's own; None while this process is none, or has taken no step.
        clock: Gives the time in UTC.
    """

    def __init__(
        self,
        store: Store,
        root: bytes,
        live: Callable[[], Known | None],
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._root = root
        self._live = live
        self._clock = clock
        self._pool = ThreadPoolExecutor(1, "flagseal-knowledge")
        self._lock = threading.Lock()
        self._reading: Future[Known | None] | None = None
        self._read: tuple[bytes, Known] | None = None
        self._trust: Trust | None = None
        self._looked = -AGAIN_SECONDS

    def ask(self, patience: float) -> Known | None:
        """Give the state as it is now.

        Args:
            patience: Seconds to wait for it.

        Returns:
            None if it cannot be had in time.
        """
        if (known := self._live()) is not None:
            return known
        try:
            return self._look().result(patience)
        except NotYet:
            _LOG.info("the accepted state could not be read within %g s", patience)
            return None

    def peek(self) -> Known | None:
        """Give the state as it was known last, and wait for nothing."""
        if (known := self._live()) is not None:
            return known
        if time.monotonic() - self._looked >= AGAIN_SECONDS:
            self._look()
        return None if self._read is None else self._read[1]

    @property
    def trust(self) -> Trust | None:
        """What ``trust.json`` said when the store was read last; None if it never was."""
        return self._trust

    def close(self) -> None:
        """Read nothing any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _look(self) -> Future[Known | None]:
        """Have it read once for all who wait."""
        with self._lock:
            if self._reading is None or self._reading.done():
                self._looked = time.monotonic()
                self._reading = self._pool.submit(self._from_store)
            return self._reading

    def _from_store(self) -> Known | None:
        try:
            stored = self._store.get(_TIMESTAMP)
            if stored is None:
                return None
            version = _version_of(stored.data)
            if self._read is None or self._read[0] != version:
                live = read_live(self._store, self._root, Mark(), now=self._clock())
                self._trust = live.trusted.trust
                if live.content is None:
                    return None
                self._read = version, Known.of(live.content.head, live.content.build.emergencies)
            return self._read[1]
        except FlagsealError as error:
            _LOG.warning("the accepted state cannot be read: %s: %s", error.code, error.message)
        except Exception:  # noqa: BLE001 (the edge of a thread)
            _LOG.exception("reading the accepted state failed")
        return None


def _version_of(timestamp: bytes) -> bytes:
    """Find what changes with the snapshot, and not when the timestamp is signed again; nothing is believed for it."""
    try:
        return canonical_json(json.loads(timestamp)["signed"]["meta"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return timestamp
