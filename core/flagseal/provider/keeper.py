"""What happens behind the application's back: fetch, verify, listen for news, watch the clock, tell of changes.

Three threads, none of which an evaluation waits for::

    flagseal-refresh   looks for something newer, at once when there is news, otherwise every few seconds
    flagseal-follow    listens to the relay's version stream (:mod:`flagseal.snapshot.follow`)
    flagseal-watch     takes over what was verified, and what time alone brings about, while a refresh hangs
"""

from __future__ import annotations

import atexit
import logging
import os
import random
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import ErrorCode

from flagseal.model.errors import FlagsealError
from flagseal.provider.caching import open_in_place
from flagseal.provider.condition import Condition, Trouble, events_between
from flagseal.provider.view import View, changed_flags

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flagseal.provider.caching import CachePlace
    from flagseal.snapshot.client import SnapshotClient
    from flagseal.snapshot.follow import Follower
    from flagseal.snapshot.verified import Verified

_LOG: Final = logging.getLogger("flagseal.provider")
_TICK: Final = 1.0
"""Seconds between two looks at the clock."""
_SETTLING: Final = 0.25
"""Seconds of silence after initialising: the SDK says READY or ERROR itself when that returns, and what was said before
would be forgotten over it."""
_BREATH: Final = 0.1
"""Seconds between a refresh and one that news asks for: whoever holds the relay may say as often as they like that
there is news, and must not keep an application busy with it."""
_EAGER: Final = 0.5
"""Seconds before the second look, as long as nothing is at hand; doubled each time, up to the poll."""
_LAST_SECONDS: Final = 2.0
"""Seconds for which the end of the process waits."""
_WORRIED: Final = 10.0
"""Most seconds between two looks while what is at hand is stale, or the last look failed, however seldom the poll."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to keep up to date.

    Attributes:
        opened: Opens a verifying client in a directory of its own.
        followed: Makes the follower of the relay's stream; None where there is none.
        namespaces: Which are served; None for all.
        cache: Where clients' directories are made; None for temporary ones.
        poll: Most seconds between two looks.
    """

    opened: Callable[[Path], SnapshotClient]
    followed: Callable[[Callable[[], object]], Follower | None]
    namespaces: frozenset[str] | None
    cache: Path | None
    poll: float


class Keeper:
    """Keep a view up to date until stopped; not to be started twice.

    Args:
        plan: How.
        serve: Takes each new view.
        emit: Takes each event.
        inherited: What a parent process served, until there is something newer.
        seed: The parent's cache.
    """

    def __init__(
        self,
        plan: Plan,
        serve: Callable[[View], object],
        emit: Callable[[ProviderEvent, ProviderEventDetails], object],
        *,
        inherited: View | None = None,
        seed: Path | None = None,
    ) -> None:
        self._plan = plan
        self._serve = serve
        self._emit = emit
        self._seed = seed
        self.view = inherited
        self.trouble: Trouble | None = None
        self.settled = threading.Event()
        """Set once the first look for something newer is over and there is something to serve, or when stopped."""
        self._client: SnapshotClient | None = None
        self._place: CachePlace | None = None
        self._follower: Follower | None = None
        self._owner = os.getpid()
        self._adopting = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._random = random.Random()  # noqa: S311 (spreads load, hides nothing)
        self._speaks_from = float("inf")
        self._told = Condition(ready=inherited is not None)
        self._told_view = inherited
        self._threads = [
            threading.Thread(target=self._refresh_on, name="flagseal-refresh", daemon=True),
            threading.Thread(target=self._watch_on, name="flagseal-watch", daemon=True),
        ]

    @property
    def place(self) -> Path | None:
        """The directory of its client."""
        return self._place.path if self._place is not None else None

    @property
    def following(self) -> bool:
        """Whether the relay's stream is open just now."""
        return self._follower is not None and self._follower.connected

    def open(self) -> None:
        """Open the client, and serve at once what it verified before.

        Raises:
            FlagsealError: Its directory, root or source cannot be used.
        """
        self._client, self._place = open_in_place(self._plan.cache, self._seed, self._plan.opened)
        self._adopt()

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()
        self._follower = self._plan.followed(self.notify)
        if self._follower is not None:
            self._follower.start()

        atexit.register(self._at_exit)
        # A child of multiprocessing ends by ways of its own. Whoever is one has that module already.
        pool = sys.modules.get("multiprocessing.util")
        if pool is not None:
            pool.Finalize(None, self._at_exit, exitpriority=0)

    def announce(self, *, ready: bool) -> None:
        """Begin to tell of changes: what the SDK says of the start itself is known.

        Args:
            ready: Whether it says READY.
        """
        with self._adopting:
            self._told = Condition(ready=ready, refusal=None if ready or self.trouble is None else self.trouble.reason)
            self._told_view = self.view if ready else None
            self._speaks_from = time.monotonic() + _SETTLING

    def notify(self) -> None:
        """Say that something newer is out; from any thread."""
        self._wake.set()

    def stop(self, timeout: float) -> None:
        """Stop, and let go of the cache. A refresh that hangs in the network does so itself when that gives up.

        Args:
            timeout: Most seconds to wait.
        """
        deadline = time.monotonic() + timeout
        atexit.unregister(self._at_exit)
        self._stop.set()
        self._wake.set()
        self.settled.set()
        if self._follower is not None:
            self._follower.stop(timeout)
        for thread in self._threads:
            if thread.ident is not None and thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        if self._threads[0].ident is None:
            self._close()

    def _at_exit(self) -> None:
        """Leave nothing behind where nobody said stop. A forked process has no say in what is its parent's."""
        if os.getpid() == self._owner and not self._stop.is_set():
            self.stop(_LAST_SECONDS)
            if self._place is not None:
                self._place.leave()

    # In the thread that refreshes

    def _refresh_on(self) -> None:
        eager = min(_EAGER, self._plan.poll)
        try:
            while not self._stop.is_set():
                self._wake.clear()
                self._refresh()
                self._adopt()
                if self.view is not None:
                    self.settled.set()
                if self.view is None:
                    delay, eager = min(self._plan.poll, eager), eager * 2
                else:
                    delay = self._until_next(self.view.verified)
                if self._wake.wait(delay * self._random.uniform(0.9, 1.1)):
                    self._stop.wait(_BREATH)
        finally:
            self._close()

    def _until_next(self, verified: Verified) -> float:
        """Give the seconds until the next look.

        Streams tell of new versions only: that a timestamp was signed again has to be found before the old one expires.
        """
        left = (verified.expires - verified.clock()).total_seconds()
        worried = left <= 0 or self.trouble is not None
        return min(self._plan.poll, _WORRIED if worried else max(_EAGER, left / 2))

    def _refresh(self) -> None:
        try:
            if self._client is None:
                self.open()
            assert self._client is not None  # noqa: S101 (open gives one, or raises)
            done = self._client.refresh()
        except FlagsealError as error:
            self._look_failed(Trouble.told(error.code, error.message, error.remedy))
        except Exception as error:  # noqa: BLE001 (the edge of a thread)
            # Whatever goes wrong here, the last good snapshot goes on being served.
            _LOG.exception("looking for a newer snapshot failed in a way nobody foresaw")
            self._look_failed(Trouble("unexpected", f"{type(error).__name__}; the log has it"))
        else:
            if done.reason is None:
                self.trouble = None
            else:
                self._look_failed(Trouble.told(done.reason, done.message, done.remedy))

    def _look_failed(self, trouble: Trouble) -> None:
        if self.trouble is None or self.trouble.reason != trouble.reason:  # Each look meets the same; say it once.
            level = logging.INFO if trouble.is_outage else logging.WARNING
            _LOG.log(level, "no newer snapshot (%s): %s", trouble.reason, trouble.message)
        self.trouble = trouble

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()
        if self._place is not None:
            self._place.leave()

    # In any of the threads

    def _watch_on(self) -> None:
        while not self._stop.wait(_TICK):
            try:
                self._adopt()
            except Exception:  # noqa: BLE001 (the edge of a thread)
                _LOG.exception("watching the clock failed in a way nobody foresaw")

    def _adopt(self) -> None:
        """Take over what was verified, if it differs from what is served, and tell what is to be told."""
        with self._adopting:
            if self._stop.is_set():
                return
            client, view = self._client, self.view
            verified = client.current if client is not None else None
            if verified is None:
                verified = view.verified if view is not None else None
            if verified is not None:
                stale = verified.stale
                if view is None or view.verified is not verified:
                    self._swap(View.of(verified, self._plan.namespaces, stale=stale), view)
                elif view.stale != stale:
                    self._swap(view.aged(stale=stale), view)
            if time.monotonic() >= self._speaks_from:
                self._tell()

    def _swap(self, view: View, before: View | None) -> None:
        self.view = view
        self._serve(view)
        if view.stale and (before is None or not before.stale):
            _LOG.warning("snapshot %d is stale: it expired at %s", view.verified.version, view.verified.expires)
        if view.missing and (before is None or before.missing != view.missing):
            _LOG.warning("namespaces that the snapshot does not have: %s", ", ".join(sorted(view.missing)))
        if view.ambiguous and (before is None or before.ambiguous != view.ambiguous):
            _LOG.error("keys served by more than one namespace are not answered: %s", ", ".join(sorted(view.ambiguous)))

    def _tell(self) -> None:
        view, trouble = self.view, self.trouble
        told, told_view = self._told, self._told_view
        self._told = Condition.of(ready=view is not None, stale=view is not None and view.stale, trouble=trouble)
        self._told_view = view
        if view is not None and told_view is not None and view.verified is not told_view.verified:
            changed = changed_flags(told_view, view)
            if changed:
                self._say(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, view, None, list(changed))
        for event in events_between(told, self._told):
            self._say(event, view, trouble if event is not ProviderEvent.PROVIDER_READY else None)

    def _say(
        self, event: ProviderEvent, view: View | None, trouble: Trouble | None, changed: list[str] | None = None
    ) -> None:
        facts: dict[str, bool | str | int | float] = {}
        if view is not None:
            verified = view.verified
            facts = {"version": verified.version, "sequence": verified.sequence, "environment": verified.environment}
            facts["stale"] = view.stale
        message = None
        if trouble is not None:
            facts["reason"] = trouble.reason
            message = f"{trouble.reason}: {trouble.message}"
        elif event is ProviderEvent.PROVIDER_STALE and view is not None:
            message = f"the snapshot expired at {view.verified.expires.isoformat()}, and none newer came"
        code = ErrorCode.GENERAL if event is ProviderEvent.PROVIDER_ERROR else None
        try:
            self._emit(event, ProviderEventDetails(changed, message, code, facts))
        except Exception:  # noqa: BLE001 (the SDK's, and beyond it whatever an application hung into it)
            # The SDK cannot take events once the interpreter is going down; that must not end the thread before.
            _LOG.debug("an event could not be told", exc_info=True)
