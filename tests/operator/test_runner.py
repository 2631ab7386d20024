"""The thread that steps an engine, and signs again what is due."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from flagseal_operator import runner as runner_module
from flagseal_operator.runner import Runner

if TYPE_CHECKING:
    import pytest

PATIENCE = 90.0


class Counting:
    """An engine that publishes nothing, and counts."""

    def __init__(self) -> None:
        self.refreshed = threading.Semaphore(0)

    def step(self) -> Any:  # noqa: ANN401 (a step that says that nothing is to come)
        """Step."""
        published = type("Published", (), {"changed": False})()
        return type("Step", (), {"published": published, "next_change": None, "held": None})()

    def refresh(self) -> None:
        """Sign again."""
        self.refreshed.release()


def test_a_clock_that_is_set_back_delays_no_signing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are measured by a clock that nobody sets."""
    monkeypatch.setattr(runner_module, "REFRESH_SECONDS", 0.01)
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 0.01)
    now = [datetime(2026, 11, 25, 12, tzinfo=UTC)]

    def back() -> datetime:
        now[0] -= timedelta(hours=1)
        return now[0]

    engine = Counting()
    runner = Runner(engine, watch=lambda: "", stepped=lambda _: None, clock=back)  # type: ignore[arg-type]
    runner.start()
    try:
        for _ in range(3):
            assert engine.refreshed.acquire(timeout=PATIENCE)
    finally:
        runner.stop()
