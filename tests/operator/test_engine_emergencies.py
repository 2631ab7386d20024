"""An engine under emergencies: what a step says of each claim, and what survives restarts and failures."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import yaml

from flagseal.history import Advance
from flagseal.model.errors import SnapshotError
from flagseal_operator.emergency_source import FolderEmergencies
from flagseal_operator.engine import Engine
from tests.emergency.scene import override, signed, world
from tests.snapshot.world import MONDAY, answer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from flagseal.emergency import Offer
    from flagseal.history import Head
    from flagseal.model.document import Document
    from tests.snapshot.world import World

HOUR = timedelta(hours=1)


class Quiet:
    """A source in which nothing new is approved."""

    def __init__(self, company: World) -> None:
        self._company = company

    def genesis_documents(self) -> Sequence[Document]:
        """Give where it begins."""
        return self._company.genesis_documents

    def advance(self, head: Head, now: datetime) -> Advance:
        """Stay."""
        del now
        return Advance(head, ())

    def recover(self, now: datetime) -> Advance:
        """Begin at genesis."""
        return self.advance(self._company.head, now)


class Claims:
    """What is claimed at the moment."""

    def __init__(self, *offers: Offer) -> None:
        self.now = offers

    def offers(self) -> Sequence[Offer]:
        """Give it."""
        return self.now


def engine(company: World, claims: Claims | FolderEmergencies | None) -> Engine:
    """Start a new process."""
    publisher = company.new_publisher()
    return Engine(Quiet(company), publisher, company.trust, clock=company.clock, emergencies=claims)


@pytest.fixture
def company(tmp_path: Path) -> World:
    """Give a world in which acme has the new checkout."""
    return world(tmp_path)


def served(company: World) -> object:
    """Ask a client that has just verified everything."""
    with company.client(f"client-{company.clock.now.timestamp()}") as client:
        outcome = client.refresh()
        assert outcome.reason is None, outcome.message
        return answer(client)


def test_a_step_says_what_became_of_each_claim(company: World) -> None:
    """And when the next of them ends."""
    step = engine(company, Claims(signed(override()), signed(override(name="mine"), "bob"))).step()
    became = {it.claim.name: it.refusal.code if it.refusal else "" for it in step.outcomes}
    assert became == {"stop-it": "", "mine": "RoleMissing"}
    assert [it.person for it in step.emergencies.holding(MONDAY)] == ["alice"]
    assert step.next_change == MONDAY + 2 * HOUR
    assert served(company) is False


def test_what_nobody_reviewed_is_published_until_somebody_does(company: World) -> None:
    """Two months on, by another process, from what was published alone."""
    engine(company, Claims(signed(override()))).step()
    company.clock.advance(days=60)
    assert [it.claim.name for it in engine(company, None).step().emergencies.standings] == ["stop-it"]
    assert served(company) is True


def test_it_goes_on_without_its_resource_in_another_process_and_then_ends(company: World) -> None:
    """Deleting and restarting end nothing; time does."""
    engine(company, Claims(signed(override()))).step()
    company.clock.advance(minutes=30)
    restarted = engine(company, None)
    assert restarted.step().emergencies.holding(company.clock())
    assert served(company) is False
    company.clock.advance(minutes=90)
    step = restarted.step()
    assert step.published.changed
    assert step.next_change is None
    assert served(company) is True


def test_what_could_not_be_published_is_taken_up_again(company: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next step begins anew, with the same claim."""
    claims = Claims()
    running = engine(company, claims)
    running.step()
    claims.now = (signed(override()),)

    def fail(*_: object) -> None:
        raise SnapshotError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(company.directory.__class__, "put_new", fail)
        with pytest.raises(SnapshotError):
            running.step()
    assert served(company) is True
    company.clock.advance(minutes=1)
    assert running.step().emergencies.holding(company.clock())
    assert served(company) is False


def test_a_folder_gives_what_can_be_read(company: World, tmp_path: Path) -> None:
    """Rubbish beside it is passed over, and every new file is noticed."""
    folder = tmp_path / "emergencies"
    source = FolderEmergencies(folder)
    assert source.offers() == []
    empty = source.fingerprint()
    folder.mkdir()
    offer = signed(override())
    assert offer.proof is not None
    body = {
        "apiVersion": "flagseal.dev/v1alpha1",
        "kind": "EmergencyOverride",
        "metadata": {
            "name": "stop-it",
            "namespace": "payments",
            "annotations": {"flagseal.dev/proof": json.dumps(offer.proof.body())},
        },
        "spec": json.loads(offer.claim.spec),
    }
    for name, text in {
        "good.yaml": yaml.safe_dump(body),
        "list.yaml": "[1, 2]",
        "broken.yaml": "{",
        "odd.yaml": yaml.safe_dump({**body, "metadata": [1]}),
        "bytes.yaml": "\0",
        "proof.yaml": yaml.safe_dump({**body, "metadata": {"name": 7, "namespace": "p", "annotations": [1]}}),
        "date.yaml": yaml.safe_dump({**body, "spec": {**body["spec"], "until": MONDAY}}),
    }.items():
        (folder / name).write_text(text)
    assert source.fingerprint() != empty
    assert source.offers() == [offer]
    engine(company, source).step()
    assert served(company) is False
