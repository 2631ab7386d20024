"""What is signed while nobody answers, and what is not."""

from __future__ import annotations

import shutil
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import FlagsealError
from flagseal.snapshot.publish import Publisher
from flagseal_operator import vigil as vigil_module
from flagseal_operator.lease_api import LeaseError
from flagseal_operator.vigil import MemoryMarks, Vigil
from tests.operator.leases import MemoryLease
from tests.snapshot.world import World, flag

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.snapshot.marks import Mark


def nothing() -> None:
    """Require nothing."""


def over(world: World, mark: Mark | None = None) -> Vigil:
    """Begin a vigil over what a world has published."""
    marks = MemoryMarks(mark or world.marks.read())
    publisher = Publisher(world.store, world.root, world.online, marks=marks, clock=world.clock)
    lease = MemoryLease({"metadata": {}, "spec": {}})
    lease.down = True
    return Vigil(publisher, lease, nothing)


def test_it_signs_again_when_half_of_the_life_is_over(tmp_path: Path) -> None:
    """And not before; the snapshot stays the one that it was."""
    world = World(tmp_path)
    first = world.publish()
    vigil = over(world)
    vigil.sign()
    assert vigil.published == first.__class__(first.version, 0, changed=False, namespaces=(), expires=first.expires)
    world.clock.advance(minutes=6)
    vigil.sign()
    assert vigil.published is not None
    assert vigil.published.expires == world.clock() + timedelta(minutes=10)
    assert (vigil.published.version, vigil.published.changed) == (first.version, False)


def test_a_store_that_is_rolled_back_meanwhile_is_never_extended(tmp_path: Path) -> None:
    """The mark of the process that was active is remembered."""
    world = World(tmp_path)
    world.publish()
    shutil.copytree(world.directory.path, tmp_path / "copy")
    world.change(flag("new-checkout", on_for=["globex"]))
    vigil = over(world)
    shutil.rmtree(world.directory.path)
    shutil.copytree(tmp_path / "copy", world.directory.path)
    world.clock.advance(minutes=6)
    before = world.directory.get("metadata/timestamp.json")
    vigil.sign()
    assert vigil.failure is not None
    assert vigil.failure.code == "StoreRolledBack"
    assert world.directory.get("metadata/timestamp.json") == before


def test_a_clock_that_disagrees_signs_nothing(tmp_path: Path) -> None:
    """As where one is active; and it goes on once they agree."""
    world = World(tmp_path)
    first = world.publish()
    vigil = over(world)
    world.clock.advance(minutes=6)

    def disagree() -> None:
        raise FlagsealError("An hour ahead.", code="ClockDisagrees")

    vigil.require = disagree
    vigil.sign()
    assert (vigil.failure and vigil.failure.code, vigil.published) == ("ClockDisagrees", None)
    vigil.require = nothing
    vigil.sign()
    assert vigil.published is not None
    assert (vigil.failure, vigil.published.expires > first.expires) == (None, True)


class Forbidden(MemoryLease):
    """A server that answers, and refuses."""

    def get(self) -> None:
        """Refuse."""
        raise LeaseError("403 Forbidden", code="LeaseForbidden")


@pytest.mark.parametrize("answer", ["a Lease", "no Lease", "a refusal"])
def test_it_ends_with_the_first_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """Whatever it says, somebody can be asked again."""
    monkeypatch.setattr(vigil_module, "_LOOK_SECONDS", 0.001)
    world = World(tmp_path)
    world.publish()
    vigil = over(world)
    ended = threading.Event()

    def keep() -> None:
        vigil.keep(threading.Event())
        ended.set()

    threading.Thread(target=keep, daemon=True).start()
    assert not ended.wait(0.05)
    lease = {"a Lease": MemoryLease({"metadata": {}}), "no Lease": MemoryLease(), "a refusal": Forbidden()}[answer]
    vigil.lease = lease
    assert ended.wait(90)


def test_it_ends_when_its_patience_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From then on clients are told the truth: that nobody knows."""
    monkeypatch.setattr(vigil_module, "_LOOK_SECONDS", 0.0)
    world = World(tmp_path)
    world.publish()
    vigil = over(world)
    passed = iter(range(0, 10**6, 60))
    vigil.clock = lambda: float(next(passed))
    vigil.keep(threading.Event())
    assert next(passed) < 40 * 60
    assert vigil.published is not None


def test_no_patience_is_no_vigil(tmp_path: Path) -> None:
    """Nothing is signed then, not even once."""
    world = World(tmp_path)
    world.publish()
    vigil = over(world)
    vigil.patience = timedelta()
    vigil.keep(threading.Event())
    assert vigil.published is None
