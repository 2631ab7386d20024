"""Who may be active, on clocks that tests move."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagseal_operator.lease import Candidate, Terms, holder_of

if TYPE_CHECKING:
    from collections.abc import Iterator

WALL = datetime(2026, 11, 23, 10, tzinfo=UTC)
FIRST, SECOND = Terms("first"), Terms("second")
MARK = {"flagseal.dev/mark": "{}"}


def taken(terms: Terms = FIRST, lease: dict[str, Any] | None = None, *, at: float = 100.0) -> dict[str, Any]:
    """Give a Lease that a candidate has just taken."""
    claim = Candidate(terms).saw(lease, at).claim(lease, at, WALL)
    assert claim is not None
    return claim


def test_a_lease_that_is_not_there_is_created() -> None:
    """The first candidate of a cluster."""
    spec = taken()["spec"]
    assert spec == {
        "holderIdentity": "first",
        "leaseDurationSeconds": 8,
        "acquireTime": "2026-11-23T10:00:00.000000Z",
        "renewTime": "2026-11-23T10:00:00.000000Z",
        "leaseTransitions": 0,
    }


@pytest.mark.parametrize("spec", [None, {}, {"holderIdentity": ""}, {"leaseDurationSeconds": 3}])
def test_a_lease_that_nobody_holds_is_taken_at_once(spec: dict[str, Any] | None) -> None:
    """Released, or only made to keep a mark."""
    assert holder_of(taken(lease={"metadata": {"resourceVersion": "1"}, "spec": spec})) == "first"


def test_whoever_takes_it_keeps_what_else_is_in_it() -> None:
    """Resource version, marks, and fields that are not ours."""
    lease = {"metadata": {"resourceVersion": "7", "annotations": MARK}, "spec": {"preferredHolder": "x"}}
    claim = taken(lease=lease)
    assert claim["metadata"] == lease["metadata"]
    assert claim["spec"]["preferredHolder"] == "x"


def test_a_lease_that_moves_is_left_to_its_holder() -> None:
    """Every renewal starts the wait anew, however old its instants look from here."""
    standby, lease = Candidate(SECOND), taken()
    for number in range(10):
        at = 5.0 * number
        lease["spec"]["renewTime"] = f"2001-01-01T00:00:{number:02}.000000Z"
        standby = standby.saw(lease, at)
        assert standby.claim(lease, at, WALL) is None
        assert standby.claim(lease, at + 7.9, WALL) is None


def test_a_lease_that_stands_still_is_taken_after_its_duration() -> None:
    """Counted from when it was first seen so, by one's own clock."""
    lease = taken()
    standby = Candidate(SECOND).saw(lease, 50.0).saw(copy.deepcopy(lease), 57.0)
    claim = standby.claim(lease, 58.0, WALL)
    assert claim is not None
    assert (holder_of(claim), claim["spec"]["leaseTransitions"]) == ("second", 1)


def test_the_holders_own_duration_counts() -> None:
    """Two versions of an operator may differ in it."""
    lease = taken(Terms("first", duration=30))
    standby = Candidate(SECOND).saw(lease, 0.0)
    assert standby.claim(lease, 29.9, WALL) is None
    assert standby.claim(lease, 30.0, WALL) is not None


def test_a_mark_is_no_sign_of_life() -> None:
    """Annotations change, and the wait goes on."""
    lease = taken()
    marked = {**lease, "metadata": {"annotations": MARK}}
    assert Candidate(SECOND).saw(lease, 0.0).saw(marked, 7.0).claim(marked, 8.0, WALL) is not None


def test_a_holder_renews_and_stays_the_holder() -> None:
    """When it was taken, and how often it changed hands, stay."""
    lease = taken()
    later = WALL + timedelta(seconds=1)
    renewed = Candidate(FIRST).saw(lease, 101.0).claim(lease, 101.0, later)
    assert renewed is not None
    assert renewed["spec"] == {**lease["spec"], "renewTime": "2026-11-23T10:00:01.000000Z"}


def test_a_holder_is_none_any_more_once_it_could_not_renew() -> None:
    """Before anybody else may take it."""
    holder = Candidate(FIRST).wrote(100.0)
    assert holder.holds(104.9)
    assert not holder.holds(105.0)


def test_a_holder_that_sees_another_is_none_any_more() -> None:
    """It was suspended, say, and the standby took over."""
    assert not Candidate(FIRST).wrote(100.0).saw(taken(SECOND), 101.0).holds(101.0)


def test_a_released_lease_is_taken_at_once() -> None:
    """A standby need not wait for one that says goodbye."""
    lease = taken()
    freed = Candidate(FIRST).release(lease, WALL)
    assert freed is not None
    assert holder_of(Candidate(SECOND).saw(freed, 0.0).claim(freed, 0.0, WALL) or {}) == "second"


def test_nobody_releases_what_another_holds() -> None:
    """Late goodbyes must not take the Lease from who has it now."""
    assert Candidate(FIRST).release(taken(SECOND), WALL) is None
    assert Candidate(FIRST).release(None, WALL) is None


@pytest.mark.parametrize(
    "wrong",
    [{"identity": ""}, {"pause": 0.0}, {"pause": 5.0}, {"deadline": 8.0}, {"duration": 4}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_terms_that_could_make_two_active_are_refused(wrong: dict[str, Any]) -> None:
    """A holder must give up before others may take over."""
    with pytest.raises(ValueError, match="deadline < duration"):
        Terms(**{"identity": "first", **wrong})


class _Machine:
    """A candidate with a clock of its own, and at most one request under way."""

    def __init__(self, number: int, offset: int) -> None:
        self.offset = offset
        self.candidate = Candidate(Terms(f"candidate-{number}"))
        self.read: dict[str, Any] | None = None
        self.sent: tuple[float, dict[str, Any]] | None = None

    def clock(self, time: float) -> float:
        return time + self.offset


class _Server:
    """A Lease, and what becomes of requests."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0

    def put(self, body: dict[str, Any]) -> bool:
        there = None if self.lease is None else self.lease["metadata"]["resourceVersion"]
        if (body.get("metadata") or {}).get("resourceVersion") != there:
            return False
        self.version += 1
        self.lease = {**copy.deepcopy(body), "metadata": {"resourceVersion": self.version}}
        return True


_PARTS = {"try": ("look", "send", "arrive"), "try unheard": ("look", "send", "arrive unheard")}
_STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["try", "try", "try unheard", "look", "send", "arrive", "lose", "let go", "die", "sleep"]),
        st.sampled_from([0.0, 0.5, 1.0, 2.5, 4.0, 4.9, 7.9, 8.0]),
    ),
    min_size=10,
    max_size=60,
)


def _parts(steps: list[tuple[int, str, float]]) -> Iterator[tuple[int, str, float]]:
    for who, step, pause in steps:
        first, *more = _PARTS.get(step, (step,))
        yield who, first, pause
        yield from ((who, part, 0.0) for part in more)


@settings(max_examples=300)
@given(st.lists(st.integers(-1000000, 1000000), min_size=3, max_size=3), _STEPS)
def test_two_never_hold_it_however_requests_are_delayed_and_lost(
    offsets: list[int], steps: list[tuple[int, str, float]]
) -> None:
    """Clocks differ by days and run equally fast; machines die and come back under a new name."""
    machines = [_Machine(number, offset) for number, offset in enumerate(offsets)]
    server, time, born = _Server(), 0.0, 3
    for who, step, pause in _parts(steps):
        time += pause
        machine = machines[who]
        now = machine.clock(time)
        if step == "look":
            machine.read = copy.deepcopy(server.lease)
            machine.candidate = machine.candidate.saw(machine.read, now)
        elif step == "send":
            claim = machine.candidate.claim(machine.read, now, WALL + timedelta(seconds=time))
            machine.sent = None if claim is None else (now, claim)
        elif step.startswith("arrive") and machine.sent is not None:
            sent, claim = machine.sent
            if server.put(claim) and step == "arrive":
                machine.candidate = machine.candidate.wrote(sent)
            machine.sent = None
        elif step == "lose":
            machine.sent = None
        elif step == "let go":
            # A release is decided on what was just read, and nothing is done as the active one after it.
            freed = machine.candidate.release(copy.deepcopy(server.lease), WALL)
            if freed is not None and machine.sent is None:
                server.put(freed)
                machines[who], born = _Machine(born, machine.offset), born + 1
        elif step == "die":
            machines[who], born = _Machine(born, machine.offset), born + 1
        holders = [one.candidate.terms.identity for one in machines if one.candidate.holds(one.clock(time))]
        assert len(holders) <= 1, holders
