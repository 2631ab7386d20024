"""Sign again what is published while the API server answers nobody (docs/adr/0105).

::

    active ── Lease not renewed, and nobody answers ──► vigil ── an answer, or the end of patience ──► end
                                                          └── every few seconds: read the store, verify, sign if due

Nothing is accepted or built here: what lies in the store stays as it is, and clients go on knowing it for fresh.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from flagseal.model.errors import FlagsealError
from flagseal_operator.lease_api import LeaseError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from flagseal.snapshot.marks import Mark
    from flagseal.snapshot.publish import Published, Publisher
    from flagseal_operator.lease_api import Leases

_LOG: Final = logging.getLogger("flagseal.vigil")

PATIENCE: Final = timedelta(minutes=30)
"""How long what is published is signed again without anybody to ask, unless somebody says otherwise."""

_LOOK_SECONDS: Final = 1.0
_SIGN_SECONDS: Final = 5.0


class MemoryMarks:
    """Remember how far publishing had got, in this process alone; see :class:`flagseal.snapshot.marks.Marks`.

    Args:
        mark: Where it had got to.
    """

    def __init__(self, mark: Mark) -> None:
        self._mark = mark

    def read(self) -> Mark:
        """Give the mark."""
        return self._mark

    def reach(self, mark: Mark) -> None:
        """Raise the mark."""
        self._mark = self._mark.raised(mark)


@dataclass
class Vigil:
    """One time without an API server.

    Attributes:
        publisher: With marks that need no API server.
        lease: Looked at to notice that the API server is back.
        require: Raises where nothing may be signed.
        patience: How long it goes on.
        published: What lay in the store at the last look; None before the first.
        failure: Why it could not be signed again; None if it could.
        clock: A clock that only runs forward, in seconds.
    """

    publisher: Publisher
    lease: Leases
    require: Callable[[], None]
    patience: timedelta = PATIENCE
    published: Published | None = None
    failure: FlagsealError | None = None
    clock: Callable[[], float] = time.monotonic

    def keep(self, stop: threading.Event) -> None:
        """Sign again what is due until the API server answers, patience ends, or the process is to end.

        Args:
            stop: Set where the process is to end.
        """
        begun = due = self.clock()
        _LOG.warning("the API server answers nobody: what is published is signed again for up to %s", self.patience)
        while not stop.is_set() and self.clock() - begun < self.patience.total_seconds() and not self.is_over():
            if self.clock() >= due:
                due = self.clock() + _SIGN_SECONDS
                self.sign()
            stop.wait(_LOOK_SECONDS)

    def sign(self) -> None:
        """Sign again what is due, once."""
        try:
            self.require()
            self.published = self.publisher.refresh()
            self.failure = None
        except FlagsealError as error:
            if self.failure is None or self.failure.code != error.code:
                _LOG.warning("%s: %s", error.code, error.message)
            self.failure = error

    def is_over(self) -> bool:
        """Say whether the API server answers again: whoever is active then signs."""
        try:
            self.lease.get()
        except LeaseError as error:
            # A refusal is an answer too.
            return error.code != LeaseError.code
        return True
