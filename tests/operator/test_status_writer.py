"""Statuses reach the API server, whatever it answers first; and an old one never comes after a new one."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import kmock
import pytest

from flagseal_operator.inventory import Inventory
from flagseal_operator.resources import Ref
from flagseal_operator.status.reporter import Update
from flagseal_operator.status.writer import StatusWriter
from tests.operator.double import Double, segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 90.0
REF = Ref("Segment", "payments", "first")


def status(number: int) -> dict[str, Any]:
    """Make a status that can be told from others."""
    condition = {"type": "Ready", "status": "True", "reason": "InEffect", "message": "", "lastTransitionTime": ""}
    return {"observedGeneration": number, "conditions": [condition]}


class Desk:
    """A writer, and a server that holds one resource."""

    def __init__(self, double: Double) -> None:
        self.double = double
        self.kube = double.kube()
        self.inventory = Inventory()
        made = self.kube.create(segment("first", 1))
        self.inventory.see("Segment", None, made)
        self.inventory.take_dirty()
        self.writer = StatusWriter(self.kube, self.inventory, lambda: datetime.now(UTC))

    def put(self, number: int, ref: Ref = REF) -> None:
        """Have a status written."""
        self.writer.put([Update(ref, status(number), None)])

    def stored(self) -> int:
        """Give the number of the status that the server holds; 0 if none."""
        there = self.kube.get(REF)
        assert there is not None
        return int((there.get("status") or {}).get("observedGeneration", 0))

    def refuse(self, times: slice, answer: int) -> None:
        """Have the server answer so to some of the writes."""
        self.double.mock[kmock.action.UPDATE][times] << answer

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        pause = threading.Event()
        for _ in range(int(PATIENCE / 0.02)):
            if holds():
                return
            pause.wait(0.02)
        pytest.fail("it did not come to that")


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A desk whose writer has started."""
    with Double() as double:
        desk = Desk(double)
        desk.writer.start()
        yield desk
        desk.writer.stop()


@pytest.mark.parametrize("answer", [409, 429, 500, 503], ids=str)
def test_a_write_that_fails_is_tried_again(desk: Desk, answer: int) -> None:
    """Conflict, throttling, a server that restarts."""
    desk.refuse(slice(0, 2), answer)
    desk.put(1)
    desk.until(lambda: desk.writer.written == 1)
    assert (desk.stored(), desk.writer.failed, len(desk.writer)) == (1, 0, 0)


@pytest.mark.parametrize("answer", [400, 422], ids=str)
def test_what_will_be_refused_for_ever_is_given_up(desk: Desk, answer: int) -> None:
    """And the next status of the same resource is tried as any other."""
    desk.refuse(slice(0, 1), answer)
    desk.put(1)
    desk.until(lambda: desk.writer.failed == 1)
    assert desk.writer.written == 0
    desk.put(2)
    desk.until(lambda: desk.writer.written == 1)
    assert desk.stored() == 2


def test_an_old_status_never_comes_after_a_new_one(desk: Desk) -> None:
    """A newer one replaces one that is tried again and again."""
    desk.refuse(slice(0, 2), 429)
    for number in range(1, 30):
        desk.put(number)
    desk.until(lambda: len(desk.writer) == 0)
    assert desk.stored() == 29


def test_a_verdict_that_comes_back_replaces_the_one_under_way(desk: Desk) -> None:
    """The resource says still what is right again; what is about to be written over it is not."""
    desk.put(1)
    desk.until(lambda: desk.writer.written == 1)
    assert desk.writer.is_said(REF, status(1)), "without a word from the watch"
    desk.refuse(slice(1, 3), 503)
    desk.put(2)
    assert desk.writer.is_said(REF, status(2))
    assert not desk.writer.is_said(REF, status(1))
    desk.put(1)
    desk.until(lambda: len(desk.writer) == 0)
    assert (desk.stored(), desk.writer.is_said(REF, status(1))) == (1, True)


def test_a_status_that_was_given_up_is_computed_again_soon(desk: Desk) -> None:
    """The server was away for longer than tries last: nothing else need happen for the truth to be told."""
    revision = desk.inventory.revision
    desk.refuse(slice(0, None), 503)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flagseal_operator.status.writer._RETRY_SECONDS", (0.01,))
        desk.put(1)
        desk.until(lambda: desk.writer.failed == 1)
    assert desk.inventory.revision > revision
    assert REF in desk.inventory.take_dirty()


def test_a_resource_that_is_gone_needs_no_status(desk: Desk) -> None:
    """It was deleted while its status waited."""
    desk.kube.delete(REF)
    desk.put(1)
    desk.until(lambda: len(desk.writer) == 0)
    assert desk.writer.failed == 0


def test_ending_does_not_wait_for_a_server_that_refuses_everything(desk: Desk) -> None:
    """Whoever comes next computes the same statuses again."""
    desk.refuse(slice(0, None), 429)
    desk.put(1)
    desk.until(lambda: len(desk.double.mock[kmock.action.UPDATE]) > 0)
    desk.writer.stop(PATIENCE)
    assert not any(thread.is_alive() for thread in desk.writer._threads)
