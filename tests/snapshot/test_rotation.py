"""Rotation of every role, while clients look on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from securesystemslib.signer import CryptoSigner

from flagseal.approval.trust import Genesis
from flagseal.model.errors import SnapshotError
from flagseal.snapshot import ceremony
from flagseal.snapshot.trust_change import set_trust
from tests.snapshot.world import World, answer, flag, metadata

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a company with one accepted change, published."""
    world = World(tmp_path)
    world.publish()
    world.change(flag("pay-later", on_for=["acme"]))
    return world


def test_clients_follow_a_new_online_key(world: World) -> None:
    """Those that run, those that start from their cache, and those that start from nothing."""
    with world.client("running") as running, world.client("sleeping") as sleeping:
        running.refresh()
        sleeping.refresh()
        sleeping.close()
        world.rotate_online()
        assert running.refresh().reason == "wrong-signature"
        assert answer(running, "pay-later") is True
        published = world.publisher.refresh()
        assert published is not None
        assert (published.version, published.sequence) == (3, 1)
        assert running.refresh().reason is None
        world.change(flag("pay-later", on_for=["acme", "globex"]))
        for name in ("running", "sleeping", "new"):
            with world.client(name) if name != "running" else running as client:
                assert client.refresh().reason is None
                assert answer(client, "pay-later", org="globex") is True


def test_everything_is_signed_with_the_new_key_at_once(world: World) -> None:
    """Nothing in the new snapshot still needs the old one."""
    world.rotate_online()
    world.publisher.refresh()
    meta = metadata(world.directory, "3.snapshot")["meta"]
    assert {name: entry["version"] for name, entry in meta.items()} == {
        "targets.json": 2,
        "online.json": 2,
        "ns-_repository.json": 3,
        "ns-payments.json": 3,
        "ns-search.json": 2,
    }


def test_a_publisher_that_holds_the_old_key_stops(world: World) -> None:
    """It says which key it should have."""
    old = world.publisher
    world.rotate_online()
    with pytest.raises(SnapshotError) as refused:
        old.refresh()
    assert refused.value.code == "KeyNotTrusted"


def test_a_publisher_waits_for_a_ceremony_to_be_completed(world: World) -> None:
    """Root alone is half of a rotation."""
    new = CryptoSigner.generate_ed25519()
    ceremony.rotate(
        world.directory,
        world.root,
        "online",
        new_keys=[new.public_key],
        signers=world.offline[:2],
        now=world.clock(),
    )
    (world.directory.path / "metadata/2.targets.json").unlink()
    with pytest.raises(SnapshotError) as refused:
        world.publisher.refresh()
    assert refused.value.code == "CeremonyIncomplete"


@pytest.mark.parametrize("role", ["root", "targets"])
def test_clients_follow_new_offline_keys(world: World, role: ceremony.RotatedRole) -> None:
    """The publisher takes the ceremony's work up by itself; the old keys are worth nothing afterwards."""
    new = [CryptoSigner.generate_ed25519() for _ in range(2)]
    with world.client() as client:
        client.refresh()
        ceremony.rotate(
            world.directory,
            world.root,
            role,
            new_keys=[signer.public_key for signer in new],
            signers=[*world.offline[:2], *new],
            now=world.clock(),
        )
        world.change(flag("pay-later", on_for=["acme", "globex"]))
        assert client.refresh().reason is None
        assert answer(client, "pay-later", org="globex") is True
    with pytest.raises(SnapshotError):
        ceremony.renew(world.directory, world.root, signers=world.offline, now=world.clock())
    with world.client("new") as client:
        assert client.refresh().reason is None


def test_a_renewed_root_reaches_clients_before_the_old_one_expires(world: World) -> None:
    """A year passes, the ceremony is held in time, and nobody notices."""
    with world.client() as client:
        client.refresh()
        for _ in range(5):
            world.clock.advance(days=100)
            ceremony.renew(world.directory, world.root, signers=world.offline[1:], now=world.clock())
            world.publisher.refresh()
            assert client.refresh().reason is None
            assert client.current is not None
            assert not client.current.stale


def test_an_expired_root_is_stale_and_not_a_crash(world: World) -> None:
    """Nobody held the ceremony: the last good answers stay, marked."""
    with world.client() as client:
        client.refresh()
        world.clock.advance(days=366)
        world.publisher.refresh()
        assert client.refresh().reason == "stale-metadata"
        assert client.current is not None
        assert client.current.stale
        assert answer(client, "pay-later") is True


def test_genesis_moves_forward(world: World) -> None:
    """Clients that start from nothing replay less; those that were there go on; who was behind follows too."""
    with world.client("running") as running, world.client("behind") as behind:
        behind.refresh()
        world.change(flag("pay-later", on_for=["acme", "globex"]))
        running.refresh()
        world.trust = replace(
            world.trust, genesis=Genesis(world.head.commit, world.head.manifest.digest, world.head.sequence)
        )
        set_trust(world.directory, world.root, world.trust, signers=world.offline[:2], now=world.clock())
        with pytest.raises(SnapshotError) as refused:
            world.publish()
        assert refused.value.code == "TrustChanged"
        published = world.publisher.refresh()
        assert published is not None
        assert (published.sequence, published.changed) == (2, True)
        content = world.publisher.load()
        assert content is not None
        # What is in effect counts from here on as approved by the new genesis.
        world.head = content.head
        assert set(world.head.approvals.values()) == {f"genesis:{world.head.commit}"}
        world.change(flag("pay-later", on_for=["acme"]))
        for client in (running, behind):
            assert client.refresh().reason is None
            assert answer(client, "pay-later", org="globex") is False
    with world.client("new") as client:
        assert client.refresh().reason is None
        assert client.current is not None
        assert client.current.head == world.head


def test_genesis_moves_to_nothing_that_was_not_accepted(world: World) -> None:
    """Nor past something that waits for Monday: through a genesis it would be in effect at once."""
    head = world.head
    for wrong in (
        Genesis("f" * 40, head.manifest.digest, 1),
        Genesis(head.commit, "sha256:" + "0" * 64, 1),
        Genesis(head.commit, head.manifest.digest, 2),
    ):
        with pytest.raises(SnapshotError) as refused:
            _move(world, wrong)
        assert refused.value.code == "GenesisUnknown"
    world.clock.advance(days=5)
    world.change(flag("instant-refund", tier="high-risk", on_for=["acme", "globex"]))
    with pytest.raises(SnapshotError) as refused:
        _move(world, Genesis(world.head.commit, world.head.manifest.digest, 2))
    assert refused.value.code == "GenesisWaits"
    _move(world, Genesis(head.commit, head.manifest.digest, 1))


def _move(world: World, genesis: Genesis) -> None:
    trust = replace(world.trust, genesis=genesis)
    set_trust(world.directory, world.root, trust, signers=world.offline[:2], now=world.clock())
