"""Operators that are killed, suspended and doubled: what is published is the last approved state or the next."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flagseal_operator.kube import configuration
from flagseal_operator.lease_api import LeaseApi
from flagseal_operator.lease_marks import LeaseMarks
from tests.cluster.hosting import PATIENT, Fuse, Hosted, Logbook, Minefield, let_go
from tests.cluster.process import Operator, lease_of
from tests.cluster.test_operator import NEW, founded
from tests.snapshot.world import answer, flag

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.snapshot.marks import Mark
    from tests.cluster.cluster import Cluster
    from tests.cluster.world import CarriedWorld

MOST_WRITES = 30


def turned_on(number: int) -> str:
    """Name an organisation."""
    return f"org-{number}"


def served(world: CarriedWorld, org: str) -> tuple[int, object]:
    """Give what a new client serves after verifying everything: the sequence of the head, and the answer for one."""
    world.clock.now = datetime.now(UTC)
    with world.client(f"client-{len(list(world.path.iterdir()))}") as client:
        outcome = client.refresh()
        assert outcome.reason is None, outcome.message
        assert client.current is not None
        return client.current.sequence, answer(client, org=org)


def mark_in(cluster: Cluster, lease: str) -> Mark:
    """Read the mark of a Lease."""
    return LeaseMarks(LeaseApi(configuration(cluster.kubeconfig), "default", lease)).read()


def test_an_operator_killed_at_any_write_leaves_the_old_snapshot_or_the_new(cluster: Cluster, tmp_path: Path) -> None:
    """And the next goes on: every write of publishing, the mark in the Lease included."""
    world = founded(cluster, tmp_path)
    lease, fuse = lease_of(world), Fuse()
    died, sequence = True, 0
    while died:
        assert sequence < MOST_WRITES, "publishing never ends"
        with Hosted(cluster, world, Minefield(world.directory, fuse), lease, fuse, PATIENT) as operator:
            cluster.until(lambda: operator.stands_at(sequence))  # noqa: B023
            before = served(world, turned_on(sequence))
            assert before == (sequence, sequence > 0)
            assert mark_in(cluster, lease).sequence == sequence
            sequence += 1
            fuse.light(sequence - 1)
            for body in world.approve(flag("new-checkout", on_for=[turned_on(sequence)])):
                cluster.create(body)
            cluster.until(lambda: not operator.running or operator.stands_at(sequence))  # noqa: B023
            died = not operator.running
            assert served(world, turned_on(sequence)) in ((sequence - 1, False), (sequence, True))
            assert mark_in(cluster, lease).sequence <= served(world, turned_on(sequence))[0]
        if died:
            let_go(cluster, lease)
    assert fuse.put_out(), "the last one lived because nothing was left to write"
    assert sequence > 8, "every write was cut once"


def test_two_active_operators_never_publish_two_snapshots_of_one_version(cluster: Cluster, tmp_path: Path) -> None:
    """Each holds a Lease of its own, and so believes to be the only one; the store knows better."""
    world = founded(cluster, tmp_path)
    book = Logbook(world.directory, tmp_path / "logbook")
    changes = 12
    with (
        Hosted(cluster, world, book, "one", terms=PATIENT) as one,
        Hosted(cluster, world, book, "two", terms=PATIENT) as two,
    ):
        cluster.until(lambda: one.stands_at(0) and two.stands_at(0))
        book.meeting.call()
        for number in range(1, changes + 1):
            for body in world.approve(flag("new-checkout", on_for=[turned_on(number)])):
                cluster.create(body)
        cluster.until(lambda: one.stands_at(changes) and two.stands_at(changes))
    lines = book.lines()
    assert len({line.writer for line in lines}) == 2
    assert [line for line in lines if not line.timestamp], "they met, and one was too late"
    visible = [line for line in lines if line.timestamp]
    assert sorted(line.timestamp for line in visible) == list(range(1, len(visible) + 1))
    contents = {(line.snapshot, line.digest) for line in visible}
    assert len(contents) == len({version for version, _ in contents})
    assert served(world, turned_on(changes)) == (changes, True)


def test_one_that_wakes_up_after_its_successor_began_changes_nothing_and_ends(cluster: Cluster, tmp_path: Path) -> None:
    """It was suspended for longer than its Lease held."""
    world = founded(cluster, tmp_path)
    with Operator(world, cluster.kubeconfig, name="first") as first:
        cluster.until(lambda: first.gauge("snapshot_version") == 1)
        os.kill(first.pid, signal.SIGSTOP)
        try:
            with Operator(world, cluster.kubeconfig, name="second") as second:
                cluster.until(lambda: second.gauge("active") == 1)
                for body in world.approve(NEW):
                    cluster.create(body)
                cluster.until(lambda: second.gauge("head_sequence") == 1)
                before = world.directory.get("metadata/timestamp.json")
                os.kill(first.pid, signal.SIGCONT)
                cluster.until(lambda: not first.running)
                assert "LeaseLost" in first.log
                assert second.gauge("active") == 1
                assert world.directory.get("metadata/timestamp.json") == before
        finally:
            if first.running:
                os.kill(first.pid, signal.SIGCONT)
    assert served(world, "globex") == (1, True)
