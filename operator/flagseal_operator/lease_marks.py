"""The publisher's memory in a cluster: an annotation of the Lease, beside who is active.

::

    metadata:
      annotations:
        flagseal.dev/mark: '{"sequence":12,"snapshot":14,"timestamp":9021}'
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.marks import Mark
from flagseal_operator.lease_api import LeaseChanged, LeaseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flagseal_operator.lease_api import Leases

ANNOTATION: Final = "flagseal.dev/mark"

_MOST_ATTEMPTS = 16


class LeaseMarks:
    """Keep the mark in a Lease's annotations; see :class:`flagseal.snapshot.marks.Marks`.

    The Lease is read once, at the first use: make one after becoming active. From then on the mark is remembered, and
    written whenever it rises, whoever wrote the Lease meanwhile (an election renews it every second). A mark that
    could not be written is owed: nothing is read from here, and so nothing published, before it is.

    Used by one publisher, which calls from one thread at a time.

    Args:
        leases: The Lease.
    """

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
        self._known: Mark | None = None
        self._owed = False

    @property
    def known(self) -> Mark | None:
        """The highest mark of this process, written or owed; None if it has read none."""
        return self._known

    def read(self) -> Mark:
        """Give the highest mark; see :meth:`flagseal.snapshot.marks.Marks.read`."""
        if self._known is None:
            try:
                self._known = mark_of(self._leases.get())
            except LeaseError as error:
                raise SnapshotError(error.message, code="MarkUnreadable", remedy=error.remedy) from error
        elif self._owed:
            self._write(self._known)
        return self._known

    def reach(self, mark: Mark) -> None:
        """Raise the mark; see :meth:`flagseal.snapshot.marks.Marks.reach`."""
        before = self.read()
        self._known = before.raised(mark)
        if self._known != before:
            self._write(self._known)

    def _write(self, mark: Mark) -> None:
        self._owed = True
        try:
            self._known = self._raised(mark)
        except LeaseError as error:
            raise SnapshotError(
                f"the mark cannot be written: {error.message}",
                code="MarkUnwritable",
                remedy=error.remedy or "Nothing more is published until it can; the snapshot itself is published.",
            ) from error
        self._owed = False

    def _raised(self, mark: Mark) -> Mark:
        """Write a mark at least as high into whatever the Lease is by now."""
        changed: LeaseChanged | None = None
        for _ in range(_MOST_ATTEMPTS):
            lease = self._leases.get()
            there = mark_of(lease)
            raised = there.raised(mark)
            if raised == there:
                return raised
            try:
                self._leases.put(_with_mark(lease, raised))
            except LeaseChanged as error:
                changed = error
                continue
            return raised
        raise LeaseError("others keep changing the Lease", remedy="Look who writes it.") from changed


def give_up(leases: Leases, now: datetime) -> Mark:
    """Write into the Lease that what was published is lost for good; the next active operator goes on from there.

    Raises:
        LeaseError: It cannot be read or written, or changes all the time.
        SnapshotError: ``MarkUnreadable``.
    """
    for _ in range(_MOST_ATTEMPTS):
        lease = leases.get()
        mark = mark_of(lease).given_up(now)
        try:
            leases.put(_with_mark(lease, mark))
        except LeaseChanged:
            continue
        return mark
    raise LeaseError("others keep changing the Lease", remedy="Stop the operator first.")


def mark_of(lease: Mapping[str, Any] | None) -> Mark:
    """Read the mark of a Lease; the lowest if it has none.

    Raises:
        SnapshotError: ``MarkUnreadable``: there is one, and it is damaged. To guess would be to forget.
    """
    text = _annotations(lease).get(ANNOTATION)
    if text is None:
        return Mark()
    try:
        return Mark.of(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise SnapshotError(
            f"the Lease's annotation {ANNOTATION} cannot be read: {text!r}",
            code="MarkUnreadable",
            remedy="Write back what it was, or, if you are sure that the store was not rolled back, remove it;"
            " then restart the operator.",
        ) from error


def _with_mark(lease: Mapping[str, Any] | None, mark: Mark) -> dict[str, Any]:
    lease = lease or {}
    text = json.dumps(mark.body(), separators=(",", ":"))
    metadata = {**(lease.get("metadata") or {}), "annotations": {**_annotations(lease), ANNOTATION: text}}
    return {**lease, "metadata": metadata}


def _annotations(lease: Mapping[str, Any] | None) -> dict[str, str]:
    return dict(((lease or {}).get("metadata") or {}).get("annotations") or {})
