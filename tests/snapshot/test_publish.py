"""Publishing: what is written, what is left alone, what is refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from securesystemslib.signer import CryptoSigner

from flagseal.history import build
from flagseal.model.errors import SnapshotError
from flagseal.snapshot.layout import HEAD
from tests.snapshot.stores import overwrite
from tests.snapshot.world import World, answer, commit_id, flag, metadata

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a company whose genesis is published."""
    world = World(tmp_path)
    world.publish()
    return world


def test_what_is_published_is_what_a_client_serves(world: World) -> None:
    """From genesis, and after an approved change."""
    with world.client() as client:
        assert client.refresh().changed
        assert (answer(client), answer(client, org="globex")) == (True, False)
        published = world.change(flag("new-checkout", on_for=["acme", "globex"]))
        assert (published.changed, published.sequence) == (True, 1)
        assert client.refresh().changed
        assert answer(client, org="globex") is True
        assert client.current is not None
        assert (client.current.version, client.current.sequence) == (published.version, 1)


@pytest.mark.parametrize("rehearsed", [True, False])
def test_what_was_accepted_too_long_ago_is_refused_here_and_not_by_clients(world: World, *, rehearsed: bool) -> None:
    """They would refuse everything that came after it too."""
    entry = world.accept(flag("pay-later", on_for=["acme"]))
    if rehearsed:
        world.publisher.rehearse(world.head, world.clock(), (entry,))
    with world.client() as client:
        world.clock.advance(minutes=11)
        world.publisher.refresh()
        assert client.refresh().reason is None
        with pytest.raises(SnapshotError) as caught:
            world.publish()
        assert caught.value.code == "BuildRefused"
        assert client.refresh().reason is None


def test_publishing_the_same_again_writes_nothing(world: World) -> None:
    """Not even the timestamp, and not even when the clock has moved on: that alone is no news."""
    before = {name: world.directory.get(name) for name in world.directory.list("")}
    world.clock.advance(minutes=2)
    published = world.publish()
    assert (published.changed, published.version) == (False, 1)
    assert {name: world.directory.get(name) for name in world.directory.list("")} == before


def test_only_what_changed_is_signed_again(world: World) -> None:
    """One flag of payments: search and the delegations keep their versions."""
    published = world.change(flag("pay-later", on_for=["acme"]))
    meta = metadata(world.directory, "2.snapshot")["meta"]
    assert published.namespaces == ("_repository", "payments")
    assert {name: entry["version"] for name, entry in meta.items()} == {
        "targets.json": 1,
        "online.json": 1,
        "ns-_repository.json": 2,
        "ns-payments.json": 2,
        "ns-search.json": 1,
    }


def test_a_new_namespace_needs_no_ceremony(world: World) -> None:
    """The online key delegates to it; root and targets stay."""
    with world.client() as client:
        client.refresh()
        world.change(flag("dark-mode", "web", on_for=["acme"]))
        client.refresh()
        assert answer(client, "dark-mode") is True
    assert metadata(world.directory, "2.snapshot")["meta"]["targets.json"]["version"] == 1


def test_a_namespace_that_goes_away_leaves_an_empty_role(world: World) -> None:
    """A client that knew it follows; when it comes back, it is served again."""
    ranker = flag("ranker", "search", owner="team-search")
    with world.client() as client:
        client.refresh()
        assert client.current is not None
        assert client.current.evaluate("ranker").variant == "off"
        world.accept(removed=[ranker])
        world.publish()
        assert metadata(world.directory, "2.ns-search")["targets"] == {}
        assert client.refresh().reason is None
        assert client.current.evaluate("ranker").error_code == "FLAG_NOT_FOUND"
        assert set(client.current.namespaces) == {"payments"}
        world.change(flag("ranker", "search", owner="team-search", on_for=["acme"]))
        assert client.refresh().reason is None
        assert answer(client, "ranker") is True


def test_the_timestamp_is_signed_again_at_half_of_its_life(world: World) -> None:
    """And nothing else is."""
    world.clock.advance(minutes=4)
    world.publisher.refresh()
    assert metadata(world.directory, "timestamp")["version"] == 1
    world.clock.advance(minutes=1)
    published = world.publisher.refresh()
    assert published is not None
    assert (published.changed, published.version) == (False, 1)
    assert metadata(world.directory, "timestamp")["version"] == 2
    assert metadata(world.directory, "timestamp")["meta"]["snapshot.json"]["version"] == 1
    assert world.directory.get("metadata/2.snapshot.json") is None


def test_nothing_ever_expires_while_the_publisher_runs(world: World) -> None:
    """Twenty days, looked at every six hours: snapshot and roles are signed again long before their end."""
    with world.client() as client:
        for _ in range(20 * 4):
            world.clock.advance(hours=6)
            world.publisher.refresh()
            result = client.refresh()
            assert (result.reason, client.current is not None and client.current.stale) == (None, False)
    assert metadata(world.directory, "timestamp")["version"] == 81
    assert world.directory.get("metadata/2.ns-search.json") is not None


def test_a_restarted_publisher_goes_on_where_it_was(world: World) -> None:
    """It reads back head, build and versions from the store alone."""
    world.change(flag("pay-later", on_for=["acme"]))
    restarted = world.new_publisher()
    content = restarted.load()
    assert content is not None
    assert (content.head, content.build.files) == (world.head, world.build().files)
    world.accept(flag("pay-later", on_for=["acme", "globex"]))
    again = restarted.publish(build(world.head, "production", world.clock()), world.entries[-1:])
    assert (again.version, again.sequence) == (3, 2)


def test_nothing_is_published_yet(tmp_path: Path) -> None:
    """A founded store that nobody published to is no error."""
    world = World(tmp_path)
    assert world.publisher.load() is None
    assert world.publisher.refresh() is None
    with world.client() as client:
        assert client.refresh().reason == "unreachable"


def test_a_hundred_statements_share_a_file(world: World) -> None:
    """The full one never changes again; the last one grows."""
    for number in range(101):
        world.accept(flag("pay-later", on_for=["acme", f"org-{number}"]))
    world.publish()
    first = metadata(world.directory, "2.ns-_repository")["targets"]
    assert {path for path in first if "history" in path} == {
        "_repository/history/0.jsonl",
        "_repository/history/1.jsonl",
    }
    world.change(flag("pay-later"))
    second = metadata(world.directory, "3.ns-_repository")["targets"]
    assert first["_repository/history/0.jsonl"] == second["_repository/history/0.jsonl"]
    assert first["_repository/history/1.jsonl"] != second["_repository/history/1.jsonl"]
    with world.client() as client:
        assert client.refresh().reason is None
        assert client.current is not None
        assert client.current.head == world.head


def test_a_damaged_timestamp_is_replaced(world: World) -> None:
    """Garbage, another key's signature, or nothing at all: the last snapshot that holds in full is signed again."""
    with world.client() as client:
        client.refresh()
        version = 1
        for damage in (b"", b"{}", b'{"signed": {}, "signatures": []}', b"\xff" * 100):
            overwrite(world.directory, "metadata/timestamp.json", damage)
            assert client.refresh().reason == "malformed"
            published = world.publisher.refresh()
            assert published is not None
            assert published.version == 1
            version += 1
            assert metadata(world.directory, "timestamp")["version"] == version
            assert client.refresh().reason is None
        (world.directory.path / "metadata/timestamp.json").unlink()
        assert world.new_publisher().refresh() is not None
        assert client.refresh().reason is None


def test_an_orphaned_snapshot_is_skipped(world: World) -> None:
    """Somebody took N and died: N + 1 is published, N never."""
    overwrite(world.directory, "metadata/2.snapshot.json", b"half of somebody's snap")
    overwrite(world.directory, "metadata/2.ns-payments.json", b"half of somebody's role")
    published = world.change(flag("pay-later", on_for=["acme"]))
    assert published.version == 3
    assert metadata(world.directory, "3.snapshot")["meta"]["ns-payments.json"]["version"] == 3
    with world.client() as client:
        assert client.refresh().reason is None


def test_a_damaged_target_is_mended_by_who_writes_it_next(world: World) -> None:
    """What lies under a digest and has another one is replaced."""
    wide, narrow = flag("pay-later", on_for=["acme"]), flag("pay-later")
    world.change(wide)
    world.change(narrow)
    targets = [name for name in world.directory.list("targets/payments/") if name.endswith("flags.json")]
    for name in targets:
        overwrite(world.directory, name, b"rot")
    world.change(wide)
    with world.client(verify="tuf") as client:
        assert client.refresh().reason is None


def test_a_full_disk_leaves_the_old_snapshot_and_goes_on_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says so; once there is room again, the same call publishes."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    world.accept(flag("pay-later", on_for=["acme"]))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SnapshotError) as refused:
        world.publish()
    monkeypatch.undo()
    assert refused.value.code == "StoreFull"
    with world.client() as client:
        assert client.refresh().reason is None
        assert answer(client, "pay-later") is False
        assert world.publish().changed
        assert client.refresh().changed
        assert answer(client, "pay-later") is True


def test_a_gap_in_the_history_is_refused(world: World) -> None:
    """Every statement since the published head must come along."""
    world.accept(flag("pay-later", on_for=["acme"]))
    world.accept(flag("pay-later", on_for=["acme", "globex"]))
    for entries in ([], world.entries[:1], world.entries[1:]):
        with pytest.raises(SnapshotError) as refused:
            world.publisher.publish(world.build(), entries)
        assert refused.value.code == "HistoryGap"
    assert world.publisher.publish(world.build(), world.entries).sequence == 2


def test_the_first_snapshot_needs_the_documents_of_genesis(tmp_path: Path) -> None:
    """Without them no client could verify anything."""
    world = World(tmp_path)
    with pytest.raises(SnapshotError) as refused:
        world.publisher.publish(world.build())
    assert refused.value.code == "GenesisMissing"


def test_a_build_behind_what_is_published_is_refused(world: World) -> None:
    """A publisher that slept does not take the others back."""
    old = world.build()
    world.change(flag("pay-later", on_for=["acme"]))
    with pytest.raises(SnapshotError) as refused:
        world.publisher.publish(old, world.entries)
    assert refused.value.code == "Superseded"


def test_two_states_with_one_number_are_not_published_both(world: World, tmp_path: Path) -> None:
    """The second is told to go on from the first."""
    other = World(tmp_path / "other", clock=world.clock)
    other.accept(flag("pay-later", on_for=["globex"]))
    world.change(flag("pay-later", on_for=["acme"]))
    with pytest.raises(SnapshotError) as refused:
        world.publisher.publish(other.build(), other.entries)
    assert refused.value.code == "HistoryForked"


def test_a_build_of_another_environment_is_refused(world: World) -> None:
    """Each environment has a store of its own."""
    with pytest.raises(SnapshotError) as refused:
        world.publisher.publish(build(world.head, "staging", world.clock()))
    assert refused.value.code == "OtherEnvironment"


def test_what_clients_would_refuse_is_not_written(world: World) -> None:
    """A build whose bytes are not what the history compiles to stops here, with the store as it was."""
    world.accept(flag("pay-later", on_for=["acme"]))
    honest = world.build()
    files = {**honest.files, "payments/flags.json": honest.files["payments/flags.json"].replace(b"acme", b"evil")}
    before = world.directory.list("")
    forged = type(honest)(**{**vars(honest), "files": files})
    with pytest.raises(SnapshotError) as refused:
        world.publisher.publish(forged, world.entries)
    assert refused.value.code == "BuildRefused"
    assert "payments/flags.json" in refused.value.message
    assert world.directory.list("") == before


def test_a_key_that_root_does_not_trust_signs_nothing(world: World) -> None:
    """The error names both keys."""
    world.online = CryptoSigner.generate_ed25519()
    world.accept(flag("pay-later", on_for=["acme"]))
    with pytest.raises(SnapshotError) as refused:
        world.new_publisher().publish(world.build(), world.entries)
    assert refused.value.code == "KeyNotTrusted"
    assert world.online.public_key.keyid in refused.value.message


def test_head_says_what_is_published(world: World) -> None:
    """The commit, the manifest and the sequence are in the file that clients read first."""
    world.change(flag("pay-later", on_for=["acme"]))
    with world.client() as client:
        client.refresh()
        assert client.current is not None
        claim = client.current.claim
        assert (claim["sequence"], claim["commit"]) == (1, commit_id(1))
        assert claim["manifest"] == world.head.manifest.digest
        assert HEAD in world.build().files
