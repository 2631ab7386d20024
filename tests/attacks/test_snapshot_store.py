"""Make clients evaluate something else, or nothing, with full control of the store and without any key.

The attacker can bring back, mix, cut, bloat and withhold every file that was ever published, here or elsewhere. Each
attack meets a client that has been here before and one that starts from nothing, in both ways of verifying.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata

from tests.attacks.thief import Thief
from tests.snapshot.stores import bring_back, copy_of, overwrite
from tests.snapshot.webserver import serve
from tests.snapshot.world import World, answer, flag

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flagseal.snapshot.client import SnapshotClient
    from flagseal.snapshot.refusal import Reason

TIMESTAMP = "metadata/timestamp.json"


class Scene:
    """A victim with a history, and a client that knows its newest state.

    Versions 1 (genesis), 2 (a customer let in by mistake) and 3 (closed again) were published, in that order.
    """

    def __init__(self, path: Path, verify: Literal["full", "tuf"]) -> None:
        self.world = World(path)
        self.verify = verify
        self.world.publish()
        self.first = copy_of(self.world.directory, path / "first")
        self.world.clock.advance(minutes=1)
        self.world.change(flag("new-checkout", on_for=["acme", "evil"]))
        self.open = copy_of(self.world.directory, path / "open")
        self.world.clock.advance(minutes=1)
        self.world.change(flag("new-checkout", on_for=["acme"]))
        self.client = self.fresh("client")
        assert self.client.refresh().reason is None

    def fresh(self, name: str) -> SnapshotClient:
        """Start a client."""
        return self.world.client(name, verify=self.verify)

    def put(self, name: str, data: bytes) -> None:
        """Overwrite a file."""
        overwrite(self.world.directory, name, data)

    def get(self, name: str) -> bytes:
        """Read a file."""
        stored = self.world.directory.get(name)
        assert stored is not None, name
        return stored.data

    def target(self, path: str) -> str:
        """Name the newest file of a target."""
        thief = Thief(self.world.directory, self.world.online, self.world.clock)
        folder, _, base = path.rpartition("/")
        return f"targets/{folder}/{thief.role(f'ns-{folder}').targets[path].hashes['sha256']}.{base}"

    def refused(self, *reasons: Reason) -> None:
        """Check that the client names one of these reasons and serves what it did."""
        before = self.client.current
        result = self.client.refresh()
        assert result.reason in reasons, result
        assert result.message
        assert self.client.current is before
        assert answer(self.client, org="evil") is False

    def refused_by_all(self, *reasons: Reason) -> None:
        """Check that a client that starts from nothing gets nothing, either."""
        self.refused(*reasons)
        with self.fresh("newcomer") as newcomer:
            result = newcomer.refresh()
            assert result.reason in reasons, result
            assert newcomer.current is None


@pytest.fixture(params=["full", "tuf"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """Set the scene."""
    scene = Scene(tmp_path, request.param)
    yield scene
    scene.client.close()


def test_by_bringing_back_the_whole_store(scene: Scene) -> None:
    """As it was while the customer was let in. Its timestamp has not even expired."""
    bring_back(scene.world.directory, scene.open)
    scene.refused("rollback")


def test_by_bringing_back_the_timestamp(scene: Scene) -> None:
    """The old one names the old snapshot, which is still there."""
    scene.put(TIMESTAMP, (scene.open / TIMESTAMP).read_bytes())
    scene.refused("rollback")


def test_by_bringing_back_the_snapshot_under_the_new_version(scene: Scene) -> None:
    """The timestamp pins it by hash. Who has the new one does not ask again."""
    scene.put("metadata/3.snapshot.json", (scene.open / "metadata/2.snapshot.json").read_bytes())
    assert scene.client.refresh().reason is None
    with scene.fresh("newcomer") as newcomer:
        assert newcomer.refresh().reason in {"hash-mismatch", "oversized"}


def test_by_bringing_back_a_role_under_the_new_version(scene: Scene) -> None:
    """The role says its own version inside what is signed."""
    scene.put("metadata/3.ns-payments.json", (scene.open / "metadata/2.ns-payments.json").read_bytes())
    with scene.fresh("newcomer") as newcomer:
        assert newcomer.refresh().reason in {"mix-and-match", "oversized", "hash-mismatch"}
        assert newcomer.current is None


def test_by_bringing_back_a_file_under_the_new_digest(scene: Scene) -> None:
    """The old flags in the place of the new: refused where they are fetched, and not fetched where they are built."""
    new = scene.target("payments/flags.json")
    scene.put(new, scene.get(new).replace(b'["acme"]', b'["evil"]'))
    head = scene.target("_repository/head.json")
    with scene.fresh("newcomer") as newcomer:
        result = newcomer.refresh()
        assert result.reason == ("hash-mismatch" if scene.verify == "tuf" else None)
        assert newcomer.current is None or answer(newcomer, org="evil") is False
    scene.put(head, scene.get(head)[:-2] + b"}\n\n")
    with scene.fresh("second") as newcomer:
        assert newcomer.refresh().reason in {"hash-mismatch", "oversized"}


def test_by_holding_the_newest_back(scene: Scene) -> None:
    """The store is frozen while the world goes on: after the timestamp's ten minutes everybody knows."""
    frozen = copy_of(scene.world.directory, scene.world.path / "frozen")
    scene.world.change(flag("new-checkout"))
    bring_back(scene.world.directory, frozen)
    assert scene.client.refresh().reason is None
    scene.world.clock.advance(minutes=11)
    scene.refused_by_all("stale-metadata")
    assert scene.client.current is not None
    assert scene.client.current.stale


def test_by_mixing_two_states(scene: Scene) -> None:
    """A timestamp of now, a snapshot of then: by name, or renamed to fit."""
    scene.world.change(flag("pay-later", on_for=["acme"]))
    scene.put("metadata/4.snapshot.json", (scene.open / "metadata/2.snapshot.json").read_bytes())
    scene.refused_by_all("hash-mismatch", "oversized", "mix-and-match")


def test_by_mixing_two_repositories(scene: Scene, tmp_path: Path) -> None:
    """Another environment of the same company: its own root, so its own keys."""
    other = World(tmp_path / "other", environment="staging", clock=scene.world.clock)
    for _ in range(6):
        other.publish()
        other.accept(flag("pay-later", on_for=[f"org-{other.head.sequence}"]))
    copy = copy_of(other.directory, tmp_path / "theirs")
    for name in ("metadata/1.root.json", "metadata/1.targets.json"):
        (copy / name).write_bytes(scene.get(name))
    bring_back(scene.world.directory, copy)
    scene.refused_by_all("wrong-signature")


@pytest.mark.parametrize("how", ["own-key", "no-signature", "garbled-signature", "own-key-under-their-id"])
def test_by_signing_with_a_key_of_ones_own(scene: Scene, how: str) -> None:
    """Any key, none at all, or one that calls itself by the right id."""
    metadata = Metadata.from_bytes(scene.get(TIMESTAMP))
    metadata.signed.version += 1
    keyid = scene.world.online.public_key.keyid
    match how:
        case "own-key":
            metadata.sign(CryptoSigner.generate_ed25519())
        case "no-signature":
            metadata.signatures.clear()
        case "garbled-signature":
            signature = metadata.signatures[keyid]
            signature.signature = signature.signature[::-1]
        case _:
            metadata.sign(CryptoSigner.generate_ed25519(keyid))
    scene.put(TIMESTAMP, metadata.to_bytes())
    scene.refused_by_all("wrong-signature")


def test_by_a_root_of_ones_own(scene: Scene) -> None:
    """Signed by the new keys and not by the old."""
    own = CryptoSigner.generate_ed25519()
    metadata = Metadata.from_bytes(scene.get("metadata/1.root.json"))
    root = metadata.signed
    root.version = 2
    for role in ("root", "targets", "snapshot", "timestamp"):
        for keyid in list(root.roles[role].keyids):
            root.revoke_key(keyid, role)
        root.add_key(own.public_key, role)
        root.roles[role].threshold = 1
    metadata.sign(own)
    scene.put("metadata/2.root.json", metadata.to_bytes())
    scene.refused_by_all("wrong-signature")


@pytest.mark.parametrize(
    "name", [TIMESTAMP, "metadata/4.snapshot.json", "metadata/4.ns-payments.json", "metadata/2.root.json"]
)
def test_by_endless_data(scene: Scene, name: str) -> None:
    """A file of a hundred megabytes where a few hundred bytes are expected."""
    scene.world.change(flag("new-checkout"))
    path = scene.world.directory.path / name
    with path.open("ab") as file:
        file.truncate(100 * 1024 * 1024)
    before = scene.client.received
    scene.refused_by_all("oversized")
    assert scene.client.received - before < 100_000


def test_by_a_server_that_never_ends(scene: Scene) -> None:
    """Over HTTP the same: what is read is what can be needed."""
    with serve(scene.world.directory) as served, scene.world.client("far", served.url, verify=scene.verify) as client:
        client.refresh()
        served.endless = True
        before = client.received
        assert client.refresh().reason == "oversized"
        assert client.received - before < 5_000_000
        assert answer(client, org="evil") is False


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\x00",
        b"[]",
        b"{}",
        b"null",
        b'{"signed": 1}',
        b"[" * 100_000,
        b'{"signed": {"_type": "root"}}',
        b"\xff\xfe",
    ],
    ids=["empty", "nul", "list", "object", "null", "no-role", "deep", "half-a-root", "no-text"],
)
def test_by_junk(scene: Scene, junk: bytes) -> None:
    """No traceback, whatever lies there."""
    reasons: tuple[Reason, ...] = ("malformed", "oversized", "hash-mismatch")
    scene.put(TIMESTAMP, junk[:16_000])
    scene.refused_by_all(*reasons)
    bring_back(scene.world.directory, scene.open)
    scene.put("metadata/2.root.json", junk)
    scene.refused_by_all(*reasons)


def test_by_the_right_file_in_the_wrong_place(scene: Scene) -> None:
    """A snapshot as timestamp, a role as root: signed by a key that counts, for something else."""
    for source in (
        "metadata/3.snapshot.json",
        "metadata/1.online.json",
        "metadata/1.root.json",
        "metadata/1.targets.json",
    ):
        scene.put(TIMESTAMP, scene.get(source))
        scene.refused("mix-and-match", "malformed", "wrong-signature")


@pytest.mark.parametrize(
    "name",
    [TIMESTAMP, "metadata/4.snapshot.json", "metadata/4.ns-payments.json", "metadata/4.ns-_repository.json", "head"],
)
def test_by_withholding_one_file(scene: Scene, name: str) -> None:
    """Nothing is served by half: the update waits until all of it is there."""
    scene.world.change(flag("pay-later", on_for=["acme"]))
    name = scene.target("_repository/head.json") if name == "head" else name
    kept = scene.get(name)
    (scene.world.directory.path / name).unlink()
    scene.refused_by_all("unreachable")
    assert answer(scene.client, "pay-later") is False
    scene.put(name, kept)
    assert scene.client.refresh().reason is None
    assert answer(scene.client, "pay-later") is True


def test_by_deleting_everything(scene: Scene) -> None:
    """The last good answers stay, also through a restart."""
    bring_back(scene.world.directory, scene.first)
    for name in scene.world.directory.list(""):
        (scene.world.directory.path / name).unlink()
    scene.refused("unreachable")
    scene.client.close()
    scene.client = scene.fresh("client")
    scene.refused("unreachable")


def test_by_telling_that_a_key_was_never_rotated(scene: Scene) -> None:
    """The new root is withheld: what the old key signs ends with its ten minutes, and cannot be newer than was seen."""
    scene.world.rotate_online()
    scene.world.publisher.refresh()
    assert scene.client.refresh().reason is None
    bring_back(scene.world.directory, scene.open)
    scene.refused("wrong-signature")


def test_by_a_timestamp_from_the_future(scene: Scene) -> None:
    """Only the publisher can date one: an unsigned edit of the expiry does not verify."""
    body = json.loads(scene.get(TIMESTAMP))
    body["signed"]["expires"] = "2099-01-01T00:00:00Z"
    scene.put(TIMESTAMP, json.dumps(body).encode())
    scene.world.clock.advance(days=1)
    with scene.fresh("newcomer") as newcomer:
        assert newcomer.refresh().reason == "wrong-signature"
