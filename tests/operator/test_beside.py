"""What takes long is found beside: the loop goes on, is told, and takes nothing that is not what it asks about."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta

import pytest

from flagseal_operator import beside as beside_module
from flagseal_operator.beside import FRESH, Beside

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
PATIENCE = 60.0


class Slow:
    """Something that is found once it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.told = threading.Event()
        self.revision = 1
        self.beside: Beside[str] = Beside(self.told.set, patience=0.001, revision=lambda: self.revision)

    def find(self) -> str:
        """Find it."""
        assert self.let_go.wait(PATIENCE)
        return "found"

    def give(self) -> None:
        """Let it be found, and wait until that is told."""
        self.let_go.set()
        assert self.told.wait(PATIENCE)


def test_what_is_found_soon_is_given_at_once() -> None:
    """As if there were no thread at all."""
    beside: Beside[str] = Beside(lambda: None, patience=PATIENCE)
    assert beside.ask(1, NOW, lambda: "found") == "found"
    assert beside.turn == 0


def test_what_takes_long_is_gone_on_without_and_told_of() -> None:
    """It is asked for once, however often the loop comes by."""
    slow = Slow()
    assert slow.beside.ask(1, NOW, slow.find) is None
    assert slow.beside.ask(1, NOW, pytest.fail) is None
    before = slow.beside.turn
    slow.give()
    assert slow.beside.turn != before
    assert slow.beside.ask(1, NOW, pytest.fail) == "found"


@pytest.mark.parametrize("changed", [True, False])
def test_after_what_took_long_it_is_worth_while_to_ask_again_if_something_changed(*, changed: bool) -> None:
    """Otherwise what nobody accepts would be judged without end."""
    slow = Slow()
    slow.beside.ask(1, NOW, slow.find)
    slow.give()
    before = slow.beside.turn
    slow.revision += changed
    slow.beside.ask(1, NOW, slow.find)
    assert (slow.beside.turn != before) is changed


def test_an_answer_that_lasts_is_given_again_and_not_found_again() -> None:
    """As long as it is the same question, nothing changes, and it lasts."""
    slow = Slow()
    slow.beside.ask(1, NOW, slow.find)
    slow.give()
    hour = timedelta(hours=1)
    assert slow.beside.ask(1, NOW, pytest.fail, lasts=lambda _: hour) == "found"
    before = slow.beside.turn
    assert slow.beside.ask(1, NOW + hour / 2, pytest.fail) == "found"
    assert slow.beside.turn == before
    slow.beside = _patient(slow.beside)
    for key, now in ((2, NOW), (1, NOW + hour), (1, NOW - hour)):
        assert slow.beside.ask(key, now, lambda: "anew") == "anew"
    assert slow.beside.last(1) == "found"
    assert slow.beside.last(2) is None
    slow.revision += 1
    assert slow.beside.ask(1, NOW, lambda: "anew") == "anew"
    assert slow.beside.last(1) is None


def test_an_answer_that_comes_as_the_wait_ends_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait gave up, and it was there when that was looked at."""

    class Racing(Future[str]):
        def result(self, timeout: float | None = None) -> str:
            found = super().result(PATIENCE)
            if timeout is not None:
                raise TimeoutError
            return found

    monkeypatch.setattr(beside_module, "Future", Racing)
    beside: Beside[str] = Beside(lambda: None)
    assert beside.ask(1, NOW, lambda: "found") == "found"


@pytest.mark.parametrize(
    ("key", "now"), [(2, NOW), (1, NOW - timedelta(seconds=1)), (1, NOW + FRESH + timedelta(seconds=1))]
)
def test_an_answer_about_something_else_or_of_another_time_is_thrown_away(key: int, now: datetime) -> None:
    """Another publisher moved the head, the clock was set back, or clients would take it for too old."""
    slow = Slow()
    slow.beside.ask(1, NOW, slow.find)
    slow.give()
    slow.beside = _patient(slow.beside)
    assert slow.beside.ask(key, now, lambda: "anew") == "anew"


def test_an_error_is_raised_where_it_is_asked_for() -> None:
    """Soon or late."""
    slow = Slow()

    def fail() -> str:
        slow.find()
        raise TimeoutError

    assert slow.beside.ask(1, NOW, fail) is None
    slow.give()
    with pytest.raises(TimeoutError):
        slow.beside.ask(1, NOW, pytest.fail)


def _patient(beside: Beside[str]) -> Beside[str]:
    beside._patience = PATIENCE
    return beside
