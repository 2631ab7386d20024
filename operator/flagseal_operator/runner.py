"""A thread that steps an engine whenever there may be something to do."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from flagseal.model.errors import FlagsealError

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagseal_operator.engine import Engine, Step

_LOG = logging.getLogger("flagseal.runner")

POLL_SECONDS: Final = 0.25
"""How often the repository is asked whether its refs moved; one call of git."""

REFRESH_SECONDS: Final = 20.0
RETRY_SECONDS: Final = 2.0


class Runner:
    """Step when the watched value changes, when something that waited takes effect, and after a failure.

    Args:
        engine: What is stepped; used from the runner's thread only.
        watch: Gives a value that changes whenever there may be something new; cheap.
        published: Called after each step that changed what is published.
    """

    def __init__(self, engine: Engine, *, watch: Callable[[], str], published: Callable[[], None]) -> None:
        self._engine = engine
        self._watch = watch
        self._published = published
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flagseal-builder", daemon=True)
        self._failure: FlagsealError | None = None

    @property
    def failure(self) -> FlagsealError | None:
        """Why the last step failed, or what holds the head; None once one went well."""
        return self._failure

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Let the step under way end, and stop.

        Args:
            timeout: Seconds to wait for it.
        """
        self._stop.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        seen: str | None = None
        due: datetime | None = None
        refreshed = datetime.now(UTC)
        while not self._stop.is_set():
            pause = POLL_SECONDS
            try:
                state, now = self._watch(), datetime.now(UTC)
                if state != seen or (due is not None and now >= due):
                    step = self._step()
                    seen, due, self._failure = state, step.next_change, step.held
                if (now - refreshed).total_seconds() >= REFRESH_SECONDS:
                    self._engine.refresh()
                    refreshed = now
            except FlagsealError as error:
                # Who hosts the runner says it to people: it knows whether it was said before.
                _LOG.info("%s: %s", error.code, error.message)
                self._failure, seen, pause = error, None, RETRY_SECONDS
            except Exception as error:  # noqa: BLE001 (the edge of a thread)
                # What is served goes on being served, whatever building does.
                _LOG.exception("building failed")
                self._failure = FlagsealError(f"building failed: {error!r}", code="Internal")
                seen, pause = None, RETRY_SECONDS
            self._stop.wait(pause)

    def _step(self) -> Step:
        step = self._engine.step()
        if step.published.changed:
            _LOG.info("published head %d as snapshot %d", step.published.sequence, step.published.version)
        self._published()
        return step
