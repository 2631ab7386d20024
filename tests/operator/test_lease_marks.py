"""Marks in a Lease: memory outside the store, which never falls, whoever else writes the Lease."""

from __future__ import annotations

import threading

import pytest

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.marks import Mark
from flagseal_operator.lease_marks import ANNOTATION, LeaseMarks, mark_of
from tests.operator.leases import MemoryLease

HELD = {"metadata": {"resourceVersion": "0", "annotations": {"team": "platform"}}, "spec": {"holderIdentity": "first"}}


def held() -> MemoryLease:
    """A Lease that somebody holds and somebody annotated."""
    lease = MemoryLease(HELD)
    lease._version = 0
    return lease


def test_nothing_was_ever_published_where_there_is_no_mark() -> None:
    """No Lease, or one without."""
    assert LeaseMarks(MemoryLease()).read() == Mark(-1, 0, 0)
    assert LeaseMarks(held()).read() == Mark(-1, 0, 0)


def test_a_mark_rises_and_never_falls() -> None:
    """Each part by itself, across operators."""
    lease = held()
    LeaseMarks(lease).reach(Mark(5, 7, 9))
    LeaseMarks(lease).reach(Mark(4, 8, 1))
    assert LeaseMarks(lease).read() == Mark(5, 8, 9)


def test_one_who_was_deposed_cannot_lower_it() -> None:
    """It remembers less than the Lease does by now."""
    lease = held()
    deposed, active = LeaseMarks(lease), LeaseMarks(lease)
    deposed.reach(Mark(1, 1, 1))
    active.reach(Mark(9, 9, 9))
    deposed.reach(Mark(2, 2, 2))
    assert mark_of(lease.get()) == Mark(9, 9, 9)
    assert deposed.read() == Mark(9, 9, 9)


def test_what_else_the_lease_holds_stays() -> None:
    """Who is active, and other people's annotations."""
    lease = held()
    LeaseMarks(lease).reach(Mark(1, 1, 1))
    assert lease.body is not None
    assert lease.body["spec"] == HELD["spec"]
    assert lease.body["metadata"]["annotations"]["team"] == "platform"


def test_a_mark_that_does_not_rise_is_not_written() -> None:
    """Steps that publish nothing cost the API server nothing."""
    lease = held()
    marks = LeaseMarks(lease)
    marks.reach(Mark(1, 1, 1))
    marks.reach(Mark(1, 1, 1))
    assert lease.writes == 1


def test_somebody_who_is_faster_loses_nothing() -> None:
    """Read again, raised again, written again."""
    lease = held()
    rival, marks = LeaseMarks(lease), LeaseMarks(lease)

    def faster() -> None:
        lease.before_put = lambda: None
        rival.reach(Mark(3, 30, 3))

    lease.before_put = faster
    marks.reach(Mark(7, 7, 7))
    assert mark_of(lease.get()) == marks.read() == Mark(7, 30, 7)


def test_many_who_raise_it_lose_nothing() -> None:
    """The highest of each part is what stays."""
    lease = held()

    def raise_to(mark: Mark) -> None:
        LeaseMarks(lease).reach(mark)

    threads = [threading.Thread(target=raise_to, args=(Mark(number, 8 - number, number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mark_of(lease.get()) == Mark(7, 8, 7)


def test_a_mark_that_is_owed_is_paid_before_anything_else_is_published() -> None:
    """The snapshot is out, the server did not answer: until it does nothing may be read, and so nothing published."""
    lease = held()
    marks = LeaseMarks(lease)
    marks.reach(Mark(1, 1, 1))
    lease.down = True
    for call in (lambda: marks.reach(Mark(2, 2, 2)), marks.read):
        with pytest.raises(SnapshotError) as refused:
            call()
        assert refused.value.code == "MarkUnwritable"
        assert refused.value.remedy
    lease.down = False
    assert marks.read() == Mark(2, 2, 2)
    assert mark_of(lease.get()) == Mark(2, 2, 2)


def test_a_server_that_is_away_stops_nobody_who_owes_nothing() -> None:
    """What is published can be signed again while the API server restarts, as long as the mark was read."""
    lease = held()
    marks = LeaseMarks(lease)
    assert marks.read() == Mark()
    lease.down = True
    assert marks.read() == Mark()
    with pytest.raises(SnapshotError) as refused:
        LeaseMarks(lease).read()
    assert refused.value.code == "MarkUnreadable"


def test_a_lease_that_is_gone_gets_its_mark_back() -> None:
    """Its object was deleted while the operator ran: what is remembered is written with the next rise."""
    lease = held()
    marks = LeaseMarks(lease)
    marks.reach(Mark(5, 5, 5))
    lease.body = None
    marks.reach(Mark(5, 5, 6))
    assert LeaseMarks(lease).read() == Mark(5, 5, 6)


@pytest.mark.parametrize(
    "damage", ["", "{}", '{"sequence": 1, "snapshot": "x", "timestamp": 1}', "[1]", '{"sequence": 1e999}', "null"]
)
def test_a_damaged_mark_holds_everything(damage: str) -> None:
    """Guessing would be to forget what was published."""
    lease = MemoryLease({"metadata": {"resourceVersion": "0", "annotations": {ANNOTATION: damage}}})
    for call in (LeaseMarks(lease).read, lambda: LeaseMarks(lease).reach(Mark(1, 1, 1))):
        with pytest.raises(SnapshotError) as refused:
            call()
        assert refused.value.code == "MarkUnreadable"
        assert refused.value.remedy
    assert lease.writes == 0
