"""What a standby knows of the accepted state: from the store, read once for all who ask, and not waited for long."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from flagseal_operator.admission.knowledge import Knowledge
from flagseal_operator.admission.known import Known
from tests.emergency.scene import override, signed, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flagseal.snapshot.store import Stored
    from tests.snapshot.world import World


@pytest.fixture
def company(tmp_path: Path) -> World:
    """Give a company that has published."""
    made = world(tmp_path)
    made.publish()
    return made


class Slow:
    """A store whose answers are held back until they are let go."""

    def __init__(self, company: World) -> None:
        self._store = company.directory
        self.let_go = threading.Event()
        self.asked = 0

    def get(self, name: str) -> Stored | None:
        """Read, once that is allowed."""
        self.asked += name == "metadata/timestamp.json"
        assert self.let_go.wait(90)
        return self._store.get(name)

    def list(self, prefix: str) -> Iterator[str]:
        """List what is there."""
        return iter(self._store.list(prefix))


@pytest.fixture
def slow(company: World) -> Iterator[Slow]:
    """Give a slow store, which answers in the end."""
    made = Slow(company)
    yield made
    made.let_go.set()


def test_it_is_what_is_published(company: World) -> None:
    """Who holds what, what holds, and what is approved; and it is what was published since, too."""
    knowledge = Knowledge(company.directory, company.root, lambda: None)
    found = knowledge.ask(90)
    assert found == Known.of(company.head, company.emergencies)
    assert found is not None
    assert found.has_flag("payments", "new-checkout")
    assert not found.has_flag("payments", "nothing")
    assert knowledge.ask(90) is found
    before = company.directory.get("metadata/timestamp.json")
    company.clock.advance(minutes=9)
    company.publisher.refresh()
    assert company.directory.get("metadata/timestamp.json") != before
    assert knowledge.ask(90) is found, "signing again is no news"
    company.offer(signed(override()))
    company.publish()
    later = knowledge.ask(90)
    assert later is not None
    assert [it.person for it in later.emergencies.standings] == ["alice"]
    assert knowledge.trust == company.trust


def test_an_active_operators_own_comes_first(company: World) -> None:
    """It is newer than what is published, and costs nothing."""
    own = Known.of(company.head, company.emergencies)
    knowledge = Knowledge(company.directory, b"no root", lambda: own)
    assert knowledge.ask(0) is own
    assert knowledge.peek() is own


def test_a_slow_store_is_not_waited_for(company: World, slow: Slow) -> None:
    """One read is under way for all who ask, and is there for the next when it is done."""
    knowledge = Knowledge(slow, company.root, lambda: None)  # type: ignore[arg-type]
    assert [knowledge.ask(0.01) for _ in range(5)] == [None] * 5
    assert knowledge.peek() is None
    end = time.monotonic() + 90
    while not slow.asked:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert slow.asked == 1
    slow.let_go.set()
    assert knowledge.ask(90) is not None
    assert knowledge.peek() is not None


def test_what_cannot_be_read_is_not_known(company: World, caplog: pytest.LogCaptureFixture) -> None:
    """Another root, or nothing there: said in the log, and never by a traceback."""
    assert Knowledge(company.directory, b"{}", lambda: None).ask(90) is None
    assert "cannot be read" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_glance_has_it_read_for_the_next(company: World) -> None:
    """A courtesy waits for nothing."""
    knowledge = Knowledge(company.directory, company.root, lambda: None)
    end = time.monotonic() + 90
    while knowledge.peek() is None:
        assert time.monotonic() < end
        time.sleep(0.02)
    knowledge.close()
