"""An override does not wait for a statement that takes long to judge, and nothing is decided less for that."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.history import Acceptance, Advance, accept, build
from flagseal.model.errors import ApprovalError, SnapshotError
from flagseal.snapshot import content as deciding
from flagseal_operator import engine as engine_module
from flagseal_operator.beside import Beside
from flagseal_operator.cluster_source import ClusterSource
from flagseal_operator.engine import RETRY, Engine
from flagseal_operator.status import reporter as reporting
from tests.emergency.scene import emergency_policies, freeze, override, signed, world
from tests.operator.test_engine_emergencies import Claims
from tests.operator.test_history_decides import bodies_of, founded
from tests.snapshot.world import answer, flag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from flagseal.history import Head, HistoryEntry
    from flagseal.model.document import Document
    from flagseal_operator.engine import Found, Step
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
        if self.accepted is None or (head.sequence == self.accepted.head.sequence and not self.accepted.refused):
            return Advance(head, ())
        assert self.let_go.wait(PATIENCE)
        entries = []
        for entry in self.accepted.entries:
            acceptance = accept(head, entry.bundle, self._company.trust, now=now)
            head = acceptance.require()
            assert acceptance.entry is not None
            entries.append(acceptance.entry)
        return Advance(head, tuple(entries), self.accepted.refused)

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
        self.beside: Beside[Found] = Beside(
            self.told.set, patience=0.001, revision=lambda: id(self.source.accepted)
        )  # fmt: skip
        self.engine = Engine(
            self.source, self.publisher, self.company.trust,
            clock=self.company.clock, emergencies=self.claims, beside=self.beside,
        )  # fmt: skip
        self.until_told(0)
        entry = self.company.accept(flag("pay-later", on_for=["acme"]))
        self.source.accepted = Advance(self.company.head, (entry,))
        assert self.engine.step().head.sequence == entry.envelope.statement.sequence - 1
        self.sequence = entry.envelope.statement.sequence

    def until_told(self, sequence: int) -> Step:
        """Step until a head is published; each time a slow look is told of."""
        return self.until(lambda step: step.published.sequence >= sequence)

    def until(self, enough: Callable[[Step], bool]) -> Step:
        """Step until one is as it should be, whenever the runner would."""
        while True:
            turn = self.beside.turn
            step = self.engine.step()
            if enough(step):
                return step
            due = step.next_change is not None and step.next_change <= self.company.clock()
            assert due or self.beside.turn != turn or self.told.wait(PATIENCE)
            self.told.clear()

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
    publisher._foreseen = replace(foreseen, history=other)
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


def test_a_large_statement_that_takes_a_role_away_is_accepted(site: Site) -> None:
    """What somebody made who had it ends with that, in what is rehearsed too."""
    site.claims.now = (signed(override()),)
    assert site.engine.step().emergencies.standings
    roles = {"release-manager": {"people": ["dora"]}, "security": {"people": ["frank", "dora"]}}
    assert site.source.accepted is not None
    first = site.source.accepted.entries
    entry = site.company.accept(emergency_policies(roles=roles)[0], by=("frank", "dora"))
    site.source.accepted = Advance(site.company.head, (*first, entry))
    site.source.let_go.set()
    assert not site.until_told(site.sequence + 1).emergencies.standings
    assert site.answers() is True


def test_a_rehearsal_that_fails_holds_the_head_and_no_override(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again soon, and not at every step."""
    tried: list[str] = []

    def fail(*_: object) -> None:
        tried.append("")
        raise SnapshotError("the store is away", code="StoreUnreachable")

    clock = site.company.clock
    with monkeypatch.context() as patched:
        patched.setattr(site.publisher, "rehearse", fail)
        site.source.let_go.set()
        assert site.until(lambda it: it.held is not None).next_change == clock() + RETRY
        site.claims.now = (signed(override()),)
        step = site.engine.step()
    assert step.held is not None
    assert (step.held.code, step.published.changed, len(tried)) == ("StoreUnreachable", True, 1)
    assert site.answers() is False
    clock.advance(seconds=RETRY.total_seconds())
    assert site.until_told(site.sequence).held is None


def test_a_verdict_that_clients_would_find_too_old_is_not_published(site: Site) -> None:
    """Who went on looking meanwhile takes what is published, since it was judged anew."""
    clock = site.company.clock
    with site.company.client("steady") as client:
        assert client.refresh().reason is None
        clock.advance(minutes=11)
        site.engine.refresh()
        assert client.refresh().reason is None
        site.source.let_go.set()
        site.until_told(site.sequence)
        outcome = client.refresh()
        assert outcome.reason is None, outcome.message
        assert answer(client, "pay-later") is True


def test_after_a_large_statement_it_is_looked_for_more_at_once(site: Site) -> None:
    """A source goes no further than that in one go."""
    site.source.let_go.set()
    assert site.until_told(site.sequence).next_change == site.company.clock()


def test_a_source_goes_no_further_than_it_was_told_to(tmp_path: Path) -> None:
    """What is left is found from there."""
    company, server, cluster = founded(tmp_path)
    heads = [company.head]
    for name in ("pay-later", "new-checkout"):
        for body in bodies_of(company.accept(flag(name, on_for=["acme", name]))):
            server.put(body)
        heads.append(company.head)
    cluster.relist()
    source, now = ClusterSource(cluster.inventory, company.trust, most=0), company.clock()
    assert source.advance(heads[0], now).head.sequence == heads[1].sequence
    assert source.advance(heads[1], now).head.sequence == heads[2].sequence
    assert len(ClusterSource(cluster.inventory, company.trust, most=1).advance(heads[0], now).entries) == len(heads) - 1


def test_a_slow_refusal_is_judged_once_and_goes_on_being_said(site: Site) -> None:
    """However many steps are taken for other reasons; also while it is judged anew, after a while."""
    before = site.engine.step().head
    refusal = Acceptance(None, None, ApprovalError("one more has to approve", code="ApprovalsMissing"), None)
    site.source.accepted = Advance(before, (), {"sha256:1": refusal})
    site.source.let_go.set()
    assert site.told.wait(PATIENCE)
    site.source.let_go.clear()
    site.told.clear()
    refused = site.engine.step().refused
    assert not site.engine.step().refused  # That was asked before something changed.
    site.source.let_go.set()
    assert site.told.wait(PATIENCE)
    site.told.clear()
    assert site.engine.step().refused == refused
    asked, turn = len(site.source.asked), site.beside.turn
    for _ in range(3):
        site.claims.now = (*site.claims.now, signed(override(name=f"stop-{_}")))
        assert site.engine.step().refused == refused
    assert (len(site.source.asked), site.beside.turn) == (asked, turn)
    site.source.let_go.clear()
    site.company.clock.advance(minutes=9)
    assert site.engine.step().refused == refused
    site.source.let_go.set()
    assert site.told.wait(PATIENCE)
    assert site.engine.step().refused == refused
    assert len(site.source.asked) == asked + 1


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
