"""Watches that are cut, refused and outdated: nothing stays unseen, and nobody has to restart anything."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import kmock
import pytest

from flagseal_operator.inventory import Inventory
from flagseal_operator.resources import Ref
from flagseal_operator.watching import Watcher
from tests.operator.double import Double, segment

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 90.0
EXPIRED = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}


@pytest.fixture
def double() -> Iterator[Double]:
    """A double of the API server."""
    with Double() as double:
        yield double


def seen(double: Double, inventory: Inventory, ref: Ref) -> Watcher:
    """Watch until a resource is known."""
    news = threading.Event()
    watcher = Watcher(double.configuration, double.kube(), inventory, told=news.set)
    watcher.start()
    wait(inventory, ref)
    return watcher


def wait(inventory: Inventory, ref: Ref) -> None:
    """Wait until a resource is known."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.05)):
        if inventory.get(ref) is not None:
            return
        pause.wait(0.05)
    pytest.fail(f"{ref} is never seen")


@pytest.mark.parametrize(
    "fault",
    [(EXPIRED,), 410, 401, 403, 429, 500, b""],
    ids=["outdated-in-the-stream", "gone", "unauthorized", "forbidden", "throttled", "broken", "cut"],
)
def test_a_watch_that_fails_is_taken_up_again(double: Double, fault: Any) -> None:  # noqa: ANN401 (kmock's payload)
    """Whatever was created meanwhile is seen."""
    double.mock[kmock.action.WATCH, double.resource("Segment")][:2] << fault
    kube, inventory = double.kube(), Inventory()
    kube.create(segment("first", 1))
    watcher = seen(double, inventory, Ref("Segment", "payments", "first"))
    kube.create(segment("second", 2))
    wait(inventory, Ref("Segment", "payments", "second"))
    watcher.stop()
    assert not watcher.running


@pytest.mark.parametrize("fault", [401, 403, 404, 429, 500], ids=str)
def test_a_list_that_fails_is_asked_for_again(double: Double, fault: int) -> None:
    """An API server that starts refuses what it will give a moment later; the first two answers are the counting's."""
    double.mock[kmock.action.LIST, double.resource("Segment")][1:3] << fault
    inventory = Inventory()
    double.kube().create(segment("first", 1))
    watcher = seen(double, inventory, Ref("Segment", "payments", "first"))
    watcher.stop()
    assert not watcher.running
