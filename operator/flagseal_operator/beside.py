"""Something that may take long is found beside a loop that must not wait for it (docs/adr/0147)."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

PATIENCE: Final = 0.5
"""Seconds that the loop waits for what is found soon, as nearly everything is."""

_Answer = TypeVar("_Answer")


class Beside(Generic[_Answer]):
    """Find one thing at a time, in a thread of its own. Used from one thread.

    Args:
        told: Called, in another thread, when something was found that had been waited for too long.
        patience: Seconds to wait for an answer before going on without it.
    """

    def __init__(self, told: Callable[[], None], patience: float = PATIENCE) -> None:
        self._told = told
        self._patience = patience
        self._under_way: tuple[object, datetime, Future[_Answer]] | None = None
        self.turn = 0
        """Changes whenever it is worth while to ask again."""

    def ask(self, key: object, now: datetime, find: Callable[[], _Answer]) -> _Answer | None:
        """Give what is found; None if it takes long: then ask again when told.

        Args:
            key: What is asked about. An answer about something else is thrown away.
            now: The clock. An answer from later than that is thrown away: the clock was set back.
            find: Finds it; its errors are raised here.
        """
        if self._under_way is not None:
            about, asked_at, future = self._under_way
            if not future.done():
                return None
            self._under_way = None
            if about == key and asked_at <= now:
                self.turn += 1  # There may be more since it was asked.
                return future.result()
        future = Future()
        threading.Thread(target=_answer, args=(future, find), name="flagseal-judge", daemon=True).start()
        try:
            return future.result(self._patience)
        except TimeoutError:
            if future.done():
                raise
            self._under_way = key, now, future
            future.add_done_callback(self._late)
            return None

    def _late(self, _: Future[_Answer]) -> None:
        self.turn += 1
        self._told()


def _answer(future: Future[_Answer], find: Callable[[], _Answer]) -> None:
    try:
        future.set_result(find())
    except BaseException as error:  # noqa: BLE001 (raised again where it is asked for)
        future.set_exception(error)
