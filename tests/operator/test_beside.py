"""What takes long is found beside: the loop goes on, is told, and takes nothing that is not what it asks about."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from flagseal_operator.beside import Beside

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
PATIENCE = 60.0


class Slow:
    """Something that is found once it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.told = threading.Event()
        self.beside: Beside[str] = Beside(self.told.set, patience=0.001)

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


def test_after_what_took_long_it_is_worth_while_to_ask_again() -> None:
    """Something may have come since it was asked for."""
    slow = Slow()
    slow.beside.ask(1, NOW, slow.find)
    slow.give()
    before = slow.beside.turn
    slow.beside.ask(1, NOW, slow.find)
    assert slow.beside.turn != before


@pytest.mark.parametrize(("key", "now"), [(2, NOW), (1, NOW - timedelta(seconds=1))])
def test_an_answer_about_something_else_or_of_a_time_to_come_is_thrown_away(key: int, now: datetime) -> None:
    """Another publisher moved the head, or the clock was set back."""
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
