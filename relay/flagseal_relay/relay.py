"""The relay itself: keeps the newest verified snapshot at hand, whatever happens to the way it comes.

Refreshing blocks and takes its time (network, signatures, compiling), so it runs in a thread of its own, one refresh
at a time. The event loop's thread alone swaps the book, in one assignment between two requests.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Final

from flagseal.model.errors import FlagsealError
from flagseal.snapshot.follow import Follower
from flagseal_relay.book import Book
from flagseal_relay.events import Event, Hub
from flagseal_relay.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagseal_relay.source import Files, FlagSource, Outcome, View

_LOG: Final = logging.getLogger("flagseal.relay")
_TICK: Final = 1.0
"""Seconds between two looks at whether the snapshot has become stale, which happens without any refresh."""
_LAST_REFRESH: Final = 5.0
"""Seconds for which stopping waits for a refresh that is under way."""


class Relay:
    """Hold the flags of one environment for the door to answer from.

    Args:
        source: Verifies snapshots; the only place flags come from.
        files: The TUF repository's files, given out unchanged to clients that verify for themselves; None gives none.
        poll: Seconds between two looks for something newer; a notice (:meth:`notify`) does not wait for it.
        upstream: The version stream of the relay that the source reads from, so that news come at once
            (:func:`flagseal.snapshot.follow.events_beside`); None follows nobody.
        jitter: Share of ``poll`` by which each wait differs at random, so that many relays do not ask as one.
        clock: Unix seconds.
        hub: Makes the version stream; for other limits than the usual.
    """

    def __init__(
        self,
        source: FlagSource,
        *,
        files: Files | None = None,
        poll: float = 5.0,
        upstream: str | None = None,
        jitter: float = 0.1,
        clock: Callable[[], float] = time.time,
        hub: Callable[[Metrics], Hub] = Hub,
    ) -> None:
        self.files = files
        self.metrics = Metrics()
        self.hub = hub(self.metrics)
        self.book: Book | None = None
        self._source = source
        self._poll = poll
        self._upstream = upstream
        self._jitter = jitter
        self._clock = clock
        self._random = random.Random()  # noqa: S311 (spreads load, hides nothing)
        self._reason = "nothing was looked for yet"
        self._refusal: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None
        self._refreshing: Future[Outcome] | None = None
        self._ready = threading.Event()
        self._followers: list[Callable[[], object]] = []

    @property
    def unready(self) -> str | None:
        """Why no flag can be answered yet; None once one can."""
        return None if self.book is not None else self._reason

    @property
    def refusal(self) -> str | None:
        """Why the last look for something newer failed; None if it did not."""
        return self._refusal

    def wait_until_ready(self, timeout: float) -> bool:
        """Wait, in another thread than the relay's, until flags can be answered.

        Args:
            timeout: Seconds.
        """
        return self._ready.wait(timeout)

    def notify(self) -> None:
        """Say that something newer is out, so that it is fetched at once; from any thread, at any time."""
        loop, wake = self._loop, self._wake
        if loop is None or wake is None:
            return  # Not running: the first thing it does when it starts is to look.
        try:
            loop.call_soon_threadsafe(wake.set)
        except RuntimeError:
            return  # The loop has just been closed.

    def follow(self, told: Callable[[], object]) -> None:
        """Have something called in the relay's thread each time :attr:`book` answers otherwise; it must not block."""
        self._followers = [*self._followers, told]

    def unfollow(self, told: Callable[[], object]) -> None:
        """Have it called no more."""
        self._followers = [one for one in self._followers if one != told]

    async def run(self) -> None:
        """Keep up with the source until cancelled."""
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        watch = asyncio.create_task(self._watch_staleness())
        # One thread: a client's cache directory has one user at a time.
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="flagseal-refresh")
        follower = None if self._upstream is None else Follower(self._upstream, self.notify)
        if follower is not None:
            follower.start()
        try:
            self._adopt()  # What was verified before a restart is served before anybody is asked.
            while True:
                self._wake.clear()
                await self._refresh(executor)
                await self._pause()
        finally:
            watch.cancel()
            self._loop = self._wake = None
            if follower is not None:
                await asyncio.to_thread(follower.stop)
            # Whoever stops the relay closes the source next, and must not do so in the middle of a refresh.
            if self._refreshing is not None:
                await asyncio.to_thread(wait, [self._refreshing], _LAST_REFRESH)
            executor.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """End what is held open for listeners; call it in the event loop's thread."""
        self.hub.close()

    async def _pause(self) -> None:
        spread = self._poll * self._jitter
        delay = self._poll + self._random.uniform(-spread, spread)
        assert self._wake is not None  # noqa: S101 (set by run, which is the only caller)
        try:
            await asyncio.wait_for(self._wake.wait(), delay)
        except TimeoutError:
            return

    async def _refresh(self, executor: ThreadPoolExecutor) -> None:
        self.metrics.refreshes.count += 1
        try:
            self._refreshing = executor.submit(self._source.refresh)
            outcome = await asyncio.wrap_future(self._refreshing)
        except FlagsealError as error:
            self._refused(error.code, _sentence(error.message, error.remedy))
        except Exception:  # noqa: BLE001 (the edge of the process)
            # Whatever goes wrong here, the last good snapshot goes on being served.
            _LOG.exception("refresh failed", extra={"event": "refresh-failed"})
            self._refused("Unexpected", "the refresh failed in a way nobody foresaw; the log has it")
        else:
            if outcome.reason is None:
                self._accepted()
            else:
                self._refused(outcome.reason, _sentence(outcome.message or outcome.reason, outcome.remedy))
        self._adopt()

    def _accepted(self) -> None:
        if self._refusal is not None:
            _LOG.info("updates verify again", extra={"event": "refresh-recovered", "after": self._refusal})
        self._refusal = None
        self._reason = "the source has no snapshot yet"

    def _refused(self, code: str, details: str) -> None:
        self.metrics.refused(code)
        if code != self._refusal:  # Each poll meets the same refusal: the log says it once, the metric counts.
            _LOG.warning(
                "update refused, the last good snapshot stays: %s",
                details,
                extra={"event": "refresh-refused", "reason": code, "version": self.book and self.book.view.version},
            )
        self._refusal = code
        self._reason = details

    async def _watch_staleness(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            self._adopt()

    def _adopt(self) -> None:
        """Take over what the source holds, if it differs from what is served."""
        view = self._source.current
        if view is None:
            return
        book, stale = self.book, view.stale
        if book is not None and book.view is view and book.stale == stale:
            return
        self._swap(Book(view, stale=stale, metrics=self.metrics, previous=book), book)

    def _swap(self, book: Book, before: Book | None) -> None:
        self.book = book
        self._ready.set()
        if before is not None and before.tag == book.tag:
            return
        self.hub.publish(Event.of(book))
        for told in self._followers:
            told()
        facts = {"event": "snapshot", "version": book.view.version, "sequence": book.view.sequence, "stale": book.stale}
        _LOG.log(
            logging.WARNING if book.stale else logging.INFO,
            "serving snapshot version %d%s",
            book.view.version,
            ", which is stale" if book.stale else "",
            extra=facts,
        )
        if book.ambiguous:
            _LOG.error(
                "keys served by more than one namespace are not answered: %s",
                ", ".join(sorted(book.ambiguous)),
                extra={"event": "ambiguous-keys", "keys": sorted(book.ambiguous)},
            )

    def gauges(self) -> list[tuple[str, str, float]]:
        """Give what the relay knows about itself as (name, meaning, value)."""
        gauges = [
            ("ready", "1 once a verified snapshot is loaded.", float(self.book is not None)),
            ("event_subscribers", "Open event streams.", float(len(self.hub))),
            ("sync_subscribers", "Open flagd sync streams.", self.metrics.sync_subscribers.count),
            (
                "refresh_failing",
                "1 while updates do not verify or cannot be fetched.",
                float(self._refusal is not None),
            ),
        ]
        if self.book is not None:
            view = self.book.view
            gauges += [
                ("snapshot_version", "Version of the snapshot served.", view.version),
                ("snapshot_sequence", "Sequence number of the accepted head served.", view.sequence),
                ("snapshot_stale", "1 if the snapshot could not be refreshed in time.", float(self.book.stale)),
                ("staleness_seconds", "Seconds since the snapshot expired; 0 while it has not.", self._staleness(view)),
                ("flags", "Flags served.", len(self.book)),
            ]
        return gauges

    def _staleness(self, view: View) -> float:
        return max(0.0, self._clock() - view.expires.timestamp())


def _sentence(message: str, remedy: str) -> str:
    return f"{message.rstrip('.')}. {remedy}".rstrip()
