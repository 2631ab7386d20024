"""A Lease is got, kept, lost and let go; on clocks and a server that tests move."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.snapshot.marks import Mark
from flagseal_operator.election import Election, unique_identity
from flagseal_operator.lease import Terms, holder_of
from flagseal_operator.lease_marks import LeaseMarks
from tests.operator.leases import MemoryLease

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 90.0


class Hall:
    """Candidates for one Lease, on one clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.lease = MemoryLease()
        self.now = 0.0
        self.elections: list[Election] = []

    def enter(self, name: str) -> Election:
        """Have a candidate compete, who would wait for an hour for another to expire."""
        terms = Terms(name, duration=3600, deadline=10.0, pause=0.005)
        election = Election(self.lease, terms, clock=lambda: self.now)
        self.elections.append(election)
        election.start()
        return election

    def holder(self) -> str:
        """Name who holds the Lease."""
        return holder_of(self.lease.body or {})


@pytest.fixture
def hall() -> Iterator[Hall]:
    """A hall that is empty after the test."""
    hall = Hall()
    yield hall
    for election in hall.elections:
        election.stop()


def after_writes(hall: Hall, count: int) -> None:
    """Wait until the Lease was written some more times."""
    wanted, pause = hall.lease.writes + count, threading.Event()
    for _ in range(int(PATIENCE / 0.005)):
        if hall.lease.writes >= wanted:
            return
        pause.wait(0.005)
    pytest.fail("nobody writes the Lease")


def test_the_first_is_active_and_the_second_stands_by(hall: Hall) -> None:
    """However often both look."""
    first = hall.enter("first")
    assert first.wait_held(PATIENCE)
    second = hall.enter("second")
    after_writes(hall, 20)
    assert (first.active, second.active, hall.holder()) == (True, False, "first")
    assert second.holder == "first"


def test_whoever_lets_go_is_followed_at_once(hall: Hall) -> None:
    """An hour would have to pass otherwise."""
    first = hall.enter("first")
    assert first.wait_held(PATIENCE)
    second = hall.enter("second")
    first.stop()
    assert second.wait_held(PATIENCE)
    assert (first.ended, first.active, hall.holder()) == (True, False, "second")


def test_a_holder_that_cannot_renew_ends_by_its_own_clock(hall: Hall) -> None:
    """It knows without being told; and it says why."""
    first = hall.enter("first")
    assert first.wait_held(PATIENCE)
    hall.lease.down = True
    hall.now = 9.9
    assert not first.wait_ended(0.1)
    hall.now = 10.0
    assert first.wait_ended(PATIENCE)
    assert first.failure is not None
    assert (first.failure.code, first.active) == ("LeaseUnavailable", False)


def test_a_renewal_that_is_late_and_finds_the_lease_its_own_goes_on(hall: Hall) -> None:
    """A process that was suspended for a moment need not begin anew; while it was, it did not count as active."""
    first = hall.enter("first")
    assert first.wait_held(PATIENCE)
    hall.now = 50.0
    after_writes(hall, 2)
    assert first.active
    assert not first.ended


def test_a_holder_that_finds_another_ends_and_leaves_it_alone(hall: Hall) -> None:
    """The store's fence has decided meanwhile; who is active now is not disturbed."""
    first = hall.enter("first")
    assert first.wait_held(PATIENCE)
    usurped: dict[str, Any] = {**(hall.lease.get() or {}), "spec": {"holderIdentity": "other"}}
    with hall.lease._lock:
        hall.lease.body = usurped
    assert first.wait_ended(PATIENCE)
    first.stop()
    assert (hall.holder(), first.holder) == ("other", "other")


def test_marks_that_are_written_between_look_and_renewal_do_not_disturb(hall: Hall) -> None:
    """Both live in one object; each keeps what the other wrote."""
    first = hall.enter("first")
    assert first.wait_held(PATIENCE)
    marks = LeaseMarks(hall.lease)
    for number in range(1, 50):
        marks.reach(Mark(number, number, number))
    after_writes(hall, 3)
    assert first.active
    assert LeaseMarks(hall.lease).read() == Mark(49, 49, 49)


def test_a_candidate_waits_for_a_server_that_does_not_answer(hall: Hall) -> None:
    """It says so, and is active once the server is back."""
    hall.lease.down = True
    first = hall.enter("first")
    for _ in range(int(PATIENCE / 0.05)):
        assert not first.wait_held(0.05)
        if first.failure is not None:
            break
    assert first.failure is not None
    hall.lease.down = False
    assert first.wait_held(PATIENCE)
    after_writes(hall, 1)
    assert first.failure is None


@pytest.mark.parametrize("loss", ["wiped", "made anew", "put back"])
def test_a_lease_that_is_lost_under_its_holder_ends_it(hall: Hall, loss: str) -> None:
    """The cluster begins anew, or is an older one: what the holder has seen of it is worth nothing."""
    first = hall.enter("first")
    assert first.wait_held(PATIENCE)
    after_writes(hall, 3)
    with hall.lease._lock:
        there = hall.lease.get() or {}
        older = {**there["metadata"], "resourceVersion": "1"}
        another = {**there["metadata"], "uid": "another"}
        hall.lease.body = {
            "wiped": None,
            "made anew": {**there, "metadata": another},
            "put back": {**there, "metadata": older},
        }[loss]
    assert first.wait_ended(PATIENCE)
    assert not first.active


def test_an_election_that_breaks_ends_the_holder(hall: Hall) -> None:
    """Nobody may go on as active when nobody renews."""
    first = hall.enter("first")
    assert first.wait_held(PATIENCE)

    def broken() -> None:
        raise RuntimeError("a mistake of ours")

    hall.lease.before_put = broken
    assert first.wait_ended(PATIENCE)
    hall.lease.before_put = lambda: None


def test_names_are_never_used_twice() -> None:
    """A restarted process is somebody else."""
    assert len({unique_identity("pod") for _ in range(100)}) == 100
