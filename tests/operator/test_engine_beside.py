"""An override does not wait for a statement that takes long to judge, and nothing is decided less for that."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.history import Advance, accept, build
from flagseal.snapshot import content as deciding
from flagseal_operator import engine as engine_module
from flagseal_operator.beside import Beside
from flagseal_operator.engine import Engine
from flagseal_operator.status import reporter as reporting
from tests.emergency.scene import freeze, override, signed, world
from tests.operator.test_engine_emergencies import Claims
from tests.operator.test_history_decides import bodies_of, founded
from tests.snapshot.world import answer, flag

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from flagseal.history import Head, HistoryEntry
    from flagseal.model.document import Document
    from tests.snapshot.world import World

PATIENCE = 60.0


class Slow:
    """A source that takes as long to judge as a test wants."""

    def __init__(self, company: World) -> None:
        self._company = company
        self.accepted: Advance | None = None
        self.asked: list[datetime] = []
        self.let_go = threading.Event()

    def genesis_documents(self) -> Sequence[Document]:
        """Give where it begins."""
        return self._company.genesis_documents

    def advance(self, head: Head, now: datetime) -> Advance:
        """Accept what there is, once it is let go."""
        self.asked.append(now)
        if self.accepted is None or head.sequence == self.accepted.head.sequence:
            return Advance(head, ())
        assert self.let_go.wait(PATIENCE)
        return self.accepted

    def recover(self, now: datetime) -> Advance:
        """Begin at genesis."""
        del now
        return Advance(self._company.head, tuple(self._company.entries))


class Site:
    """A company, and its operator in the middle of judging one more statement."""

    def __init__(self, folder: Path) -> None:
        self.company = world(folder)
        self.source, self.claims, self.told = Slow(self.company), Claims(), threading.Event()
        self.publisher = self.company.new_publisher()
        self.engine = Engine(
            self.source, self.publisher, self.company.trust,
            clock=self.company.clock, emergencies=self.claims, beside=Beside(self.told.set, patience=0.001),
        )  # fmt: skip
        self.until_told(0)
        entry = self.company.accept(flag("pay-later", on_for=["acme"]))
        self.source.accepted = Advance(self.company.head, (entry,))
        assert self.engine.step().head.sequence == entry.envelope.statement.sequence - 1
        self.sequence = entry.envelope.statement.sequence

    def until_told(self, sequence: int) -> Any:  # noqa: ANN401 (a step)
        """Step until a head is published; each time a slow look is told of."""
        while (step := self.engine.step()).published.sequence < sequence:
            assert self.told.wait(PATIENCE)
            self.told.clear()
        return step

    def answers(self, key: str = "new-checkout") -> object:
        """Ask a client that verifies everything from the beginning."""
        with self.company.client(f"client-{self.company.clock.now.timestamp()}-{key}-{self.sequence}") as client:
            outcome = client.refresh()
            assert outcome.reason is None, outcome.message
            return answer(client, key)


def judges(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note from now on in which thread a verifier judges a statement."""
    judged: list[str] = []

    def noting(*words: Any, **more: Any) -> Any:  # noqa: ANN401 (those of the function)
        judged.append(threading.current_thread().name)
        return accept(*words, **more)

    monkeypatch.setattr(deciding, "accept", noting)
    return judged


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Give one for which every statement is a large one."""
    monkeypatch.setattr(engine_module, "LARGE", 0)
    return Site(tmp_path)


def test_an_override_is_published_while_a_statement_is_judged(site: Site) -> None:
    """And is in force still when that is accepted."""
    site.claims.now = (signed(override()),)
    step = site.engine.step()
    assert (step.published.changed, step.published.sequence) == (True, site.sequence - 1)
    assert site.answers() is False
    site.source.let_go.set()
    site.company.clock.advance(seconds=5)
    assert site.until_told(site.sequence).emergencies.holding(site.company.clock())
    assert site.answers() is False
    assert site.answers("pay-later") is True


def test_publishing_what_was_rehearsed_judges_no_statement_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was published meanwhile."""
    judged = judges(monkeypatch)
    site.claims.now = (signed(override()),)
    site.engine.step()
    site.source.let_go.set()
    site.until_told(site.sequence)
    assert judged == ["flagseal-judge"]


def test_a_rehearsal_changes_no_byte(site: Site) -> None:
    """What is published is what would have been without."""
    site.source.let_go.set()
    site.company.clock.advance(seconds=5)
    site.until_told(site.sequence)
    found = site.publisher.load()
    assert found is not None
    assert found.build.files == build(found.build.head, "production", found.build.as_of).files
    again = site.company.new_publisher().load()
    assert again is not None
    assert again.build.files == found.build.files
    assert again.head == found.head


def test_a_rehearsal_of_another_history_is_no_help(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was rehearsed counts for the files of history that it was rehearsed with, and for no others."""
    publisher, company = site.publisher, site.company
    assert site.source.accepted is not None
    entry: HistoryEntry = site.source.accepted.entries[0]
    publisher.rehearse(company.head, company.clock(), (entry,))
    foreseen = publisher._foreseen
    assert foreseen is not None
    other = dict.fromkeys(foreseen.history, "0" * 64)
    publisher._foreseen = type(foreseen)(foreseen.start, foreseen.content, other)
    judged = judges(monkeypatch)
    publisher.publish(build(company.head, "production", company.clock()), (entry,))
    assert judged == [threading.current_thread().name]


def test_a_freeze_that_began_meanwhile_has_it_judged_again(site: Site) -> None:
    """What would have been accepted before the freeze, and so be in force in it, is accepted under it."""
    site.company.clock.advance(seconds=5)
    site.source.let_go.set()
    assert site.told.wait(PATIENCE)
    site.told.clear()
    site.source.let_go.clear()
    site.claims.now = (signed(freeze(), at=site.company.clock()),)
    assert site.engine.step().published.sequence == site.sequence - 1
    site.source.let_go.set()
    site.until_told(site.sequence)
    assert site.company.clock() in site.source.asked


def test_a_large_statement_is_said_to_be_judged_and_flags_say_what_they_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that it is refused; and not twice a status for each of ten thousand flags."""
    monkeypatch.setattr(reporting, "LARGE", 0)
    company, server, cluster = founded(tmp_path)
    bodies = bodies_of(company.accept(flag("pay-later", on_for=["acme"])))
    for body in bodies:
        server.put(body)
    cluster.relist()
    published = cluster.engine._position
    assert published is not None
    picture = cluster.reporter.picture(published.head, cluster.source.offered(), version=1, now=company.clock())
    for update in cluster.reporter.updates(picture, cluster.source.offered()):
        server.write_status(update.ref, update.status)
    assert cluster.reason("FlagApproval", bodies[0]["metadata"]["name"]) == ("False", "Judging")
    assert cluster.reason("FlagApproval", bodies[0]["metadata"]["name"], of="Reconciling") == ("True", "Judging")
    assert cluster.step().head.sequence == 1
