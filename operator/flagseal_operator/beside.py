"""Something that may take long is found beside a loop that must not wait for it (docs/adr/0147)."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

PATIENCE: Final = 0.5
"""Seconds that the loop waits for what is found soon, as nearly everything is."""

FRESH: Final = timedelta(minutes=8)
"""How long ago an answer may have been asked for. What is accepted by an older one, clients would soon refuse: they
take ten minutes (``flagseal.snapshot.content.LATENESS``), and it is still to be published."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class _Asked(Generic[_Answer]):
    """What was asked, and when, and what there was to find it from."""

    key: object
    revision: object
    at: datetime
    future: Future[_Answer]

    def is_of(self, key: object, now: datetime) -> bool:
        """Tell whether its answer is one to that question, at that time."""
        return self.key == key and self.at <= now <= self.at + FRESH


class Beside(Generic[_Answer]):
    """Find one thing at a time, in a thread of its own. Used from one thread.

    Args:
        told: Called, in another thread, when something was found that had been waited for too long.
        patience: Seconds to wait for an answer before going on without it.
        revision: Gives a value that changes whenever there may be another answer.
    """

    def __init__(
        self, told: Callable[[], None], patience: float = PATIENCE, *, revision: Callable[[], object] = lambda: None
    ) -> None:
        self._told = told
        self._patience = patience
        self._revision = revision
        self._under_way: _Asked[_Answer] | None = None
        self._kept: tuple[_Asked[_Answer], datetime] | None = None
        self.turn = 0
        """Changes whenever it is worth while to ask again."""

    def ask(
        self,
        key: object,
        now: datetime,
        find: Callable[[], _Answer],
        *,
        lasts: Callable[[_Answer], timedelta] = lambda _: timedelta(),
    ) -> _Answer | None:
        """Give what is found; None if it takes long: then ask again when told.

        Args:
            key: What is asked about. An answer about something else is thrown away.
            now: The clock. An answer from later than that is thrown away: the clock was set back. So is one to what was
                asked longer than :data:`FRESH` ago.
            find: Finds it; its errors are raised here.
            lasts: Tells how long an answer that took long is given again as long as nothing changes.
        """
        under_way, kept, revision = self._under_way, self._kept, self._revision()
        if under_way is not None:
            if not under_way.future.done():
                return None
            self._under_way = None
            if under_way.is_of(key, now):
                if under_way.revision != revision:
                    self.turn += 1  # There may be more since it was asked.
                answer, self._kept = under_way.future.result(), None
                if lasts(answer):
                    self._kept = under_way, now + lasts(answer)
                return answer
        if kept is not None and (kept[0].key, kept[0].revision) == (key, revision) and kept[0].at <= now < kept[1]:
            return kept[0].future.result()
        future: Future[_Answer] = Future()
        threading.Thread(target=_answer, args=(future, find), name="flagseal-judge", daemon=True).start()
        try:
            return future.result(self._patience)
        except TimeoutError:
            if future.done():
                return future.result()  # It came as the wait ended; or the error is its own.
            self._under_way = _Asked(key, revision, now, future)
            future.add_done_callback(self._late)
            return None

    def last(self, key: object) -> _Answer | None:
        """Give an answer that lasted, however long ago, if nothing has changed since; None if there is none."""
        if self._kept is None or (self._kept[0].key, self._kept[0].revision) != (key, self._revision()):
            return None
        return self._kept[0].future.result()

    def _late(self, _: Future[_Answer]) -> None:
        self.turn += 1
        self._told()


def _answer(future: Future[_Answer], find: Callable[[], _Answer]) -> None:
    try:
        future.set_result(find())
    except BaseException as error:  # noqa: BLE001 (raised again where it is asked for)
        future.set_exception(error)
