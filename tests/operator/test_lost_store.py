"""A store that was lost for good is begun anew from git, and clients that knew the old one follow."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from securesystemslib.signer import CryptoSigner

from flagseal.model.errors import SnapshotError
from flagseal.snapshot import ceremony
from flagseal.snapshot.client import SnapshotClient
from flagseal.snapshot.marks import FileMarks, Mark
from flagseal.snapshot.restoring import restore
from flagseal.snapshot.store import DirectoryStore
from tests.history.branch import Branch
from tests.history.company import MONDAY, flag, rule
from tests.operator.site import Site
from tests.snapshot.world import FLAGS, Clock, World

if TYPE_CHECKING:
    from pathlib import Path

ON = flag(tier="operational", production=rule({"org": {"in": ["acme"]}}))


def test_it_is_held_until_a_person_says_so_and_then_published_above_what_clients_saw(tmp_path: Path) -> None:
    """Empty, held; with its trust back, held; given up, published again, and the old client takes it."""
    branch = Branch.at(tmp_path / "repo", flag(tier="operational"))
    offline, online = CryptoSigner.generate_ed25519(), CryptoSigner.generate_ed25519()
    store = DirectoryStore(tmp_path / "store")
    root = ceremony.init(
        store, trust=branch.trust, root_signers=[offline], threshold=1, online_key=online.public_key, now=MONDAY
    )
    site = Site(tmp_path, branch, Clock(MONDAY), root, online, engine=None)  # type: ignore[arg-type]  # the next line
    site.restart()
    site.engine.step()
    site.approved(ON, "alice", "dora")
    site.wait(minutes=1)
    with SnapshotClient(tmp_path / "client", store, root, clock=site.clock) as client:
        assert client.refresh().reason is None
        assert client.current is not None
        before = client.current
        assert before.sequence == 1
        with pytest.raises(SnapshotError) as refused:
            restore(store, [root], branch.trust, signers=[offline], now=site.clock())
        assert refused.value.code == "NotLost"

        shutil.rmtree(store.path)
        site.clock.advance(minutes=1)
        with pytest.raises(SnapshotError) as refused:
            restore(store, [root], branch.trust, signers=[online], now=site.clock())
        assert refused.value.code == "SignaturesMissing"
        restore(store, [root], branch.trust, signers=[offline], now=site.clock())
        site.restart()
        with pytest.raises(SnapshotError) as refused:
            site.engine.step()
        assert refused.value.code == "StoreRolledBack"
        assert store.get("metadata/timestamp.json") is None

        FileMarks(tmp_path / "marks.json").give_up(site.clock())
        branch.trust = ceremony.trusted(store, root).trust
        site.restart()
        assert site.engine.step().published.sequence == 1
        assert not FileMarks(tmp_path / "marks.json").read().lost, "a later loss is held again"
        site.clock.advance(seconds=1)
        outcome = client.refresh()
        assert outcome.reason is None, outcome.message
        assert client.current is not None
        assert client.current.version > before.version
        assert client.current.sequence == 1
    assert site.served().sequence == 1


def test_less_than_was_published_is_not_begun_with(tmp_path: Path) -> None:
    """Given up or not: a history that lacks its last statement would take clients back."""
    site = Site.at(tmp_path / "site", flag(tier="operational"), now=MONDAY)
    site.engine.step()
    marks = FileMarks(site.folder / "marks.json")
    marks.reach(Mark(sequence=5, snapshot=9, timestamp=9))
    marks.give_up(site.clock())
    site.restart()
    (site.folder / "store" / "metadata" / "timestamp.json").unlink()
    with pytest.raises(SnapshotError) as refused:
        site.engine.step()
    assert refused.value.code == "HistoryIncomplete"


def test_clients_that_knew_a_namespace_that_was_emptied_before_the_loss_follow(tmp_path: Path) -> None:
    """They would refuse every snapshot in which its role is not, and nobody at night knows why."""
    world = World(tmp_path)
    world.publish()
    world.clock.advance(minutes=1)
    world.accept(removed=[next(it for it in FLAGS if it.namespace == "search")])
    world.publish()
    world.clock.advance(minutes=1)
    with world.client() as client:
        assert client.refresh().reason is None
        assert client.current is not None
        before = client.current.version
        shutil.rmtree(world.directory.path)
        world.clock.advance(minutes=1)
        world.trust = restore(
            world.directory, [world.root], world.trust, signers=world.offline[:2], now=world.clock()
        ).trust
        world.marks.give_up(world.clock())
        world.publisher = world.new_publisher()
        world.publish()
        world.clock.advance(seconds=1)
        outcome = client.refresh()
        assert outcome.reason is None, outcome.message
        assert client.current.version > before
