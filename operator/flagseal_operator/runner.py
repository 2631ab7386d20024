"""A thread that steps an engine whenever there may be something to do."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from flagseal.model.errors import FlagsealError

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagseal_operator.engine import Engine, Step

_LOG = logging.getLogger("flagseal.runner")

POLL_SECONDS: Final = 0.25
"""How often the watched value is looked at where nobody wakes the runner; one call of git."""

DEBOUNCE_SECONDS: Final = 0.015
"""How long more news are waited for once there are some: what comes together is built together."""

REFRESH_SECONDS: Final = 20.0
RETRY_SECONDS: Final = 2.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Runner:
    """Step when the watched value changes, when something that waited takes effect, and after a failure.

    Args:
        engine: What is stepped; used from the runner's thread only.
        watch: Gives a value that changes whenever there may be something new; cheap.
        stepped: Called after each step, in the runner's thread.
        failed: Called where a step failed, in the runner's thread.
        clock: Gives the time in UTC; what is due is due by it. Pauses are measured by a clock that nobody sets.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        watch: Callable[[], str],
        stepped: Callable[[Step], None],
        failed: Callable[[FlagsealError], None] | None = None,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._watch = watch
        self._stepped = stepped
        self._failed = failed or (lambda _: None)
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flagseal-builder", daemon=True)
        self._failure: FlagsealError | None = None

    @property
    def failure(self) -> FlagsealError | None:
        """Why the last step failed, or what holds the head; None once one went well."""
        return self._failure

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it still builds."""
        return self._thread.is_alive()

    def wake(self) -> None:
        """Have the watched value looked at now; from any thread."""
        self._wake.set()

    def stop(self, timeout: float = 10.0) -> None:
        """Let the step under way end, and stop.

        Args:
            timeout: Seconds to wait for it.
        """
        self._stop.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        seen: str | None = None
        due: datetime | None = None
        refreshed = time.monotonic()
        while not self._stop.is_set():
            pause = POLL_SECONDS
            try:
                state, now = self._watch(), self._clock()
                if state != seen or (due is not None and now >= due):
                    step = self._step()
                    seen, due, self._failure = state, step.next_change, step.held
                if time.monotonic() - refreshed >= REFRESH_SECONDS:
                    self._engine.refresh()
                    refreshed = time.monotonic()
            except FlagsealError as error:
                # Who hosts the runner says it to people: it knows whether it was said before.
                _LOG.info("%s: %s", error.code, error.message)
                self._failure, seen, pause = error, None, RETRY_SECONDS
                self._failed(error)
            except Exception as error:  # noqa: BLE001 (the edge of a thread)
                # What is served goes on being served, whatever building does.
                _LOG.exception("building failed")
                self._failure = FlagsealError(f"building failed: {error!r}", code="Internal")
                seen, pause = None, RETRY_SECONDS
                self._failed(self._failure)
            if self._wake.wait(pause) and not self._stop.wait(DEBOUNCE_SECONDS):
                self._wake.clear()

    def _step(self) -> Step:
        step = self._engine.step()
        if step.published.changed:
            _LOG.info("published head %d as snapshot %d", step.published.sequence, step.published.version)
        self._stepped(step)
        return step
