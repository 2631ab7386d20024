"""Make clients evaluate what nobody approved, with the stolen online key and full control of the store.

The thief can sign every role but root and targets, and write any file. Clients verify in full; each is asked after the
attack what it serves, and must serve the last good snapshot, or nothing if it never saw one.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import DelegatedRole, TargetFile, Targets

from flagseal.history import HistoryEntry, Manifest, build, genesis, propose
from flagseal.model.canonical import canonical_json
from flagseal.model.errors import SnapshotError
from flagseal.policy.state import State
from flagseal.snapshot.layout import GENESIS, HEAD
from tests.approval.keyring import SshKey, signed
from tests.attacks.thief import Thief
from tests.snapshot.stores import bring_back, copy_of
from tests.snapshot.world import World, answer, commit_id, flag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from flagseal.history import Head
    from flagseal.model.document import Document
    from flagseal.snapshot.client import SnapshotClient

HISTORY = "_repository/history/0.jsonl"
WIDE = flag("new-checkout", on_for=["acme", "evil"])
"""What the thief wants: the checkout for a customer of their own."""


class Scene:
    """A victim, a client that knows it, and a thief."""

    def __init__(self, path: Path) -> None:
        self.world = World(path)
        self.world.publish()
        self.world.change(flag("pay-later", on_for=["acme"]))
        self.client: SnapshotClient = self.world.client()
        assert self.client.refresh().reason is None
        self.thief = Thief(self.world.directory, self.world.online, self.world.clock)

    def forged_head(self, *documents: Document, **changes: object) -> Head:
        """Make up a head in which documents are others."""
        head = self.world.head
        state = {**head.documents, **{entry.subject: entry for entry in documents}}
        settings: dict[str, Any] = {
            "documents": State(state),
            "manifest": Manifest.of(state),
            "sequence": head.sequence + 1,
            "commit": commit_id(99),
            "statement": "9" * 64,
            "accepted_at": self.world.clock(),
            **changes,
        }
        return replace(head, **settings)

    def entry(
        self, *documents: Document, by: tuple[str, ...], contributors: tuple[str, ...] = ("bob",)
    ) -> HistoryEntry:
        """Write a line of history for a change, with the signatures of whoever the thief has."""
        head = self.world.head
        proposal = propose(
            head,
            self.world.trust,
            commit=commit_id(99),
            tree=commit_id(100),
            different={entry.subject: entry for entry in documents},
            contributors=contributors,
            ticket="PAY-1",
        )
        envelope = signed(proposal.statement.payload(), *by)
        return HistoryEntry(envelope, proposal.documents, self.world.clock())

    def as_if_accepted(self, entry: HistoryEntry) -> dict[str, bytes]:
        """Build what the victim would publish had it accepted that entry, history included."""
        head = self.forged_head(
            *entry.documents.values(),
            statement=entry.envelope.statement.id,
            commit=entry.envelope.statement.commit,
            approvals={
                **self.world.head.approvals,
                **dict.fromkeys(entry.documents, entry.envelope.statement.id),
            },
        )
        history = self.thief.read(HISTORY) + entry.to_line() + b"\n"
        return {**build(head, "production", self.world.clock()).files, HISTORY: history}

    def refused(self, reason: str = "unapproved-content", *, newcomer: str | None = "") -> None:
        """Check that the client stays where it was, and a newcomer gets nothing.

        Args:
            reason: What the client says.
            newcomer: What a client that starts from nothing says; as the other if empty, not asked if None.
        """
        before = self.client.current
        result = self.client.refresh()
        assert result.reason == reason, result
        assert result.message
        assert result.remedy
        assert self.client.current is before
        assert (answer(self.client, org="evil"), answer(self.client)) == (False, True)
        assert answer(self.client, "pay-later") is True
        if newcomer is not None:
            with self.world.client("newcomer") as client:
                assert client.refresh().reason == (newcomer or reason)
                assert client.current is None

    def good_again(self) -> None:
        """Check that the victim's next honest snapshot is taken."""
        self.world.rotate_online()
        self.world.publisher.refresh()
        assert self.client.refresh().reason is None
        assert answer(self.client, org="evil") is False


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Set the scene."""
    scene = Scene(tmp_path)
    yield scene
    scene.client.close()


def test_by_forging_flags(scene: Scene) -> None:
    """Only flags.json: it is not what the approved documents compile to. Those who verify TUF alone are taken in."""
    forged = scene.thief.read("payments/flags.json").replace(b'["acme"]', b'["acme","evil"]')
    assert b"evil" in forged
    scene.thief.publish({"payments/flags.json": forged})
    scene.refused()
    with scene.world.client("credulous", verify="tuf") as client:
        assert client.refresh().reason is None
        assert answer(client, org="evil") is True
    scene.good_again()


def test_by_forging_everything_that_can_be_built(scene: Scene) -> None:
    """Flags, provenance and head agree with each other, and with no statement."""
    forged = scene.forged_head(WIDE, sequence=scene.world.head.sequence)
    scene.thief.publish(dict(build(forged, "production", scene.world.clock()).files))
    scene.refused()
    scene.good_again()


def test_by_blaming_another_compiler(scene: Scene) -> None:
    """Forged flags that claim to come from a compiler the client has not: it serves what it compiles itself."""
    forged = scene.thief.read("payments/flags.json").replace(b'["acme"]', b'["acme","evil"]')
    head = json.loads(scene.thief.read(HEAD)) | {"compiler": 99}
    scene.thief.publish({"payments/flags.json": forged, HEAD: canonical_json(head) + b"\n"})
    for name, expected in (("victim", scene.client), ("newcomer", scene.world.client("newcomer"))):
        assert expected.refresh().reason is None, name
        assert (answer(expected, org="evil"), answer(expected)) == (False, True), name


def test_by_claiming_a_statement_that_is_not_there(scene: Scene) -> None:
    """The head says sequence 2, the history ends at 1."""
    scene.thief.publish(dict(build(scene.forged_head(WIDE), "production", scene.world.clock()).files))
    scene.refused()


@pytest.mark.parametrize(
    ("by", "contributors"),
    [
        ((), ("bob",)),
        (("bob",), ("bob",)),
        (("mallory",), ("bob",)),
        (("dora",), ("bob",)),
        (("alice",), ("alice", "bob")),
    ],
    ids=["nobody", "its-author", "a-stranger", "the-wrong-role", "somebody-who-contributed"],
)
def test_by_a_statement_that_too_few_approved(scene: Scene, by: tuple[str, ...], contributors: tuple[str, ...]) -> None:
    """All files are as the victim would have written them, had it accepted."""
    scene.thief.publish(scene.as_if_accepted(scene.entry(WIDE, by=by, contributors=contributors)))
    scene.refused()


def test_an_approved_statement_is_taken_even_from_a_thief(scene: Scene) -> None:
    """What people approved may be carried by anybody: the other cases fail for the right reason."""
    scene.thief.publish(scene.as_if_accepted(scene.entry(WIDE, by=("alice",))))
    assert scene.client.refresh().reason is None
    assert answer(scene.client, org="evil") is True


def test_by_changing_a_document_after_its_approval(scene: Scene) -> None:
    """The statement is genuine, the content that comes with it is not."""
    entry = scene.entry(flag("new-checkout", on_for=["acme", "good"]), by=("alice",))
    swapped = replace(entry, documents={WIDE.subject: WIDE})
    scene.thief.publish(scene.as_if_accepted(swapped))
    scene.refused()


def test_by_leaving_a_statement_out(scene: Scene) -> None:
    """The second opened, the third closed again: without the third the second is a dead end."""
    scene.world.change(WIDE)
    files = {
        path: scene.thief.read(path) for path in ("payments/flags.json", "payments/provenance.json", HEAD, HISTORY)
    }
    scene.world.change(flag("new-checkout", on_for=["acme"]))
    scene.client.refresh()
    scene.thief.publish(files)
    scene.refused("rollback", newcomer=None)


def test_by_leaving_out_one_in_the_middle(scene: Scene) -> None:
    """The line is gone, the ones after it stay."""
    for orgs in (["acme", "good"], ["acme"]):
        scene.world.change(flag("new-checkout", on_for=orgs))
    lines = scene.thief.read(HISTORY).splitlines(keepends=True)
    scene.thief.publish({HISTORY: lines[0] + lines[2]})
    scene.refused()


def test_by_publishing_an_old_state_under_a_new_version(scene: Scene, tmp_path: Path) -> None:
    """Every file of the day before, signed today. Who was there knows better."""
    scene.world.change(WIDE)
    before = copy_of(scene.world.directory, tmp_path / "copy")
    scene.world.change(flag("new-checkout", on_for=["acme"]))
    scene.client.refresh()
    bring_back(scene.world.directory, before)
    scene.thief.publish({}, leap=5)
    scene.refused("rollback", newcomer=None)


def test_by_bringing_forward_what_waits(scene: Scene) -> None:
    """Approved on Friday evening for Monday morning: the thief builds Monday's snapshot on Friday."""
    world = scene.world
    world.clock.advance(days=4, hours=8)
    world.change(flag("instant-refund", tier="high-risk", on_for=["acme", "evil"]))
    assert scene.client.refresh().reason is None
    monday = build(world.head, "production", world.clock().replace(day=30, hour=8))
    assert b"evil" in monday.files["payments/flags.json"]
    scene.thief.publish(dict(monday.files))
    scene.refused()
    assert answer(scene.client, "instant-refund", org="evil") is False


def test_by_pretending_that_nothing_waits(scene: Scene) -> None:
    """The same files, dated Friday."""
    world = scene.world
    world.clock.advance(days=4, hours=8)
    world.change(flag("instant-refund", tier="high-risk", on_for=["acme", "evil"]))
    hurried = replace(world.head, pending=())
    scene.client.refresh()
    scene.thief.publish(dict(build(hurried, "production", world.clock()).files))
    scene.refused()


def test_by_dating_an_acceptance_back_into_office_hours(scene: Scene) -> None:
    """Genuine signatures, given on Friday evening; dated at noon, the change would not have to wait."""
    world = scene.world
    world.clock.advance(days=4, hours=8)
    world.publisher.refresh()
    assert scene.client.refresh().reason is None
    wanted = flag("instant-refund", tier="high-risk", on_for=["acme", "evil"])
    entry = scene.entry(wanted, by=("alice", "dora"))
    noon = world.clock().replace(hour=12)
    dated = replace(entry, accepted_at=noon)
    files = scene.as_if_accepted(dated)
    head = scene.forged_head(
        wanted,
        statement=entry.envelope.statement.id,
        commit=entry.envelope.statement.commit,
        accepted_at=noon,
        approvals={**world.head.approvals, wanted.subject: entry.envelope.statement.id},
    )
    scene.thief.publish({**files, **build(head, "production", world.clock()).files})
    scene.refused(newcomer=None)
    assert answer(scene.client, "instant-refund", org="evil") is False


def test_by_dating_an_acceptance_into_the_future(scene: Scene) -> None:
    """On Monday the window would be open."""
    world = scene.world
    world.clock.advance(days=4, hours=8)
    wanted = flag("instant-refund", tier="high-risk", on_for=["acme", "evil"])
    entry = replace(scene.entry(wanted, by=("alice", "dora")), accepted_at=world.clock().replace(day=30, hour=9))
    scene.thief.publish(scene.as_if_accepted(entry))
    scene.refused()


def test_by_taking_effect_back_in_time(scene: Scene) -> None:
    """What took effect on Monday morning is published again as of Friday: a kill switch undone."""
    world = scene.world
    world.clock.advance(days=4, hours=8)
    world.change(flag("instant-refund", tier="high-risk", on_for=["acme", "good"]))
    friday = {path: scene.thief.read(path) for path in ("payments/flags.json", "payments/provenance.json", HEAD)}
    world.clock.advance(days=2, hours=15)
    world.publish()
    assert scene.client.refresh().reason is None
    assert answer(scene.client, "instant-refund", org="good") is True
    scene.thief.publish(friday)
    scene.refused("rollback", newcomer=None)


@pytest.mark.parametrize("how", ["emptied", "dropped-from-online", "dropped-from-snapshot"])
def test_by_dropping_a_namespace(scene: Scene, how: str) -> None:
    """Its flags would fall back to what applications hard-coded."""

    def drop(roles: dict[str, Targets]) -> None:
        delegations = roles["online"].delegations
        assert delegations is not None
        assert delegations.roles is not None
        if how != "dropped-from-snapshot":
            del delegations.roles["ns-search"]

    files: Mapping[str, bytes | None] = (
        {f"search/{file}.json": None for file in ("flags", "provenance", "access")} if how == "emptied" else {}
    )
    if how == "dropped-from-snapshot":
        snapshot, timestamp = scene.thief.snapshot(), scene.thief.timestamp()
        del snapshot.meta["ns-search.json"]
        snapshot.version += 1
        scene.thief.write_snapshot(snapshot, timestamp.version + 1)
        scene.refused("rollback", newcomer="mix-and-match")
    else:
        scene.thief.publish(files, edit=drop if how != "emptied" else None)
        scene.refused()


def test_by_adding_a_namespace_of_ones_own(scene: Scene) -> None:
    """A cheap flag with another's key would answer in its place."""
    forged = scene.thief.read("payments/flags.json").replace(b'["acme"]', b'["acme","evil"]')
    scene.thief.publish({"aaa/flags.json": forged})
    scene.refused()


def test_by_serving_another_environments_documents(scene: Scene) -> None:
    """In staging the flag is on for everybody."""
    staging = build(scene.world.head, "staging", scene.world.clock())
    scene.thief.publish(dict(staging.files))
    scene.refused()


def test_by_serving_another_repositorys_history(scene: Scene, tmp_path: Path) -> None:
    """All signatures in it hold, over there."""
    other = World(tmp_path / "other", clock=scene.world.clock)
    other.trust = replace(other.trust, repository_id="git:" + "2" * 40)
    other.head = genesis(other.trust, other.genesis_documents)
    other.accept(WIDE)
    lines = b"".join(entry.to_line() + b"\n" for entry in other.entries)
    scene.thief.publish({**build(other.head, "production", scene.world.clock()).files, HISTORY: lines})
    scene.refused(newcomer=None)


def test_by_beginning_the_history_elsewhere(scene: Scene) -> None:
    """A genesis of the thief's own, with people of the thief's own; trust.json pins another manifest."""
    organisation = json.loads(scene.thief.read(GENESIS))
    for body in organisation["documents"]:
        if body["kind"] == "Organisation":
            body["spec"]["people"]["alice"]["keys"] = [SshKey.of("mallory").line]
    scene.thief.publish({GENESIS: canonical_json(organisation) + b"\n"})
    with scene.world.client("newcomer") as client:
        assert client.refresh().reason == "unapproved-content"
        assert client.current is None


def test_by_writing_a_trust_of_ones_own(scene: Scene) -> None:
    """Signed with the only key the thief has, as targets; or slipped in by a role it may sign."""
    trust = replace(scene.world.trust, ref="refs/heads/evil").to_bytes()
    genuine = scene.thief.role("targets")
    file = TargetFile.from_data("trust.json", trust, ["sha256"])
    forged = Targets(genuine.version + 1, expires=genuine.expires, targets={"trust.json": file})
    forged.delegations = genuine.delegations
    store = scene.world.directory
    (store.path / f"metadata/{forged.version}.targets.json").write_bytes(scene.thief.sign(forged))
    (store.path / f"targets/{file.hashes['sha256']}.trust.json").write_bytes(trust)
    snapshot, timestamp = scene.thief.snapshot(), scene.thief.timestamp()
    snapshot.meta["targets.json"].version += 1
    snapshot.meta["targets.json"].length = None
    snapshot.version += 1
    scene.thief.write_snapshot(snapshot, timestamp.version + 1)
    scene.refused("wrong-signature")
    scene.good_again()

    def slip_in(roles: dict[str, Targets]) -> None:
        roles["ns-payments"].targets["trust.json"] = file
        roles["online"].targets["trust.json"] = file

    Thief(store, scene.world.online, scene.world.clock).publish({}, edit=slip_in)
    assert scene.client.refresh().reason is None, "what nobody may list there is not seen"
    assert answer(scene.client, org="evil") is False


def test_by_making_a_role_answer_for_another(scene: Scene) -> None:
    """The role of search lists a file of payments."""
    forged = scene.thief.read("payments/flags.json").replace(b'["acme"]', b'["acme","evil"]')

    def cross(roles: dict[str, Targets]) -> None:
        file = TargetFile.from_data("payments/flags.json", forged, ["sha256"])
        roles["ns-search"].targets["payments/flags.json"] = file
        del roles["ns-payments"].targets["payments/flags.json"]
        delegations = roles["online"].delegations
        assert delegations is not None
        assert delegations.roles is not None
        keyid = scene.world.online.public_key.keyid
        delegations.roles["ns-search"] = DelegatedRole("ns-search", [keyid], 1, terminating=True, paths=["*/*"])

    scene.thief.publish({}, edit=cross)
    scene.refused()


def test_by_filling_the_clients_disk(scene: Scene) -> None:
    """A length is the online key's word: more than any honest file has is not even asked for."""

    def bloat(roles: dict[str, Targets]) -> None:
        roles["ns-_repository"].targets[HEAD].length = 1 << 40

    scene.thief.publish({}, edit=bloat)
    scene.refused("oversized")


def test_by_metadata_that_trips_the_client(scene: Scene) -> None:
    """Names that leave folders, hashes of no kind: refused like everything else, and no traceback."""

    def absurd(roles: dict[str, Targets]) -> None:
        file = TargetFile(12, {"md5": "0" * 32}, HEAD)
        roles["ns-_repository"].targets = {HEAD: file, "_repository/../../x": file}

    scene.thief.publish({}, edit=absurd)
    scene.refused("mix-and-match")


def test_by_a_key_of_ones_own_for_the_namespaces(scene: Scene) -> None:
    """The online role may delegate to any key: what people approved does not hang on who signs a namespace."""
    own = CryptoSigner.generate_ed25519()

    def delegate(roles: dict[str, Targets]) -> None:
        delegations = roles["online"].delegations
        assert delegations is not None
        assert delegations.roles is not None
        delegations.keys[own.public_key.keyid] = own.public_key
        delegations.roles["ns-search"].keyids = [own.public_key.keyid]

    scene.thief.publish({}, edit=delegate)
    scene.refused("wrong-signature")


def test_by_running_versions_ahead(scene: Scene) -> None:
    """Clients are led to version 9999, so that nothing honest is ever newer; a rotation brings them back."""
    scene.thief.publish({}, leap=9998)
    assert scene.client.refresh().reason is None
    assert scene.client.current is not None
    assert scene.client.current.version > 9999
    # From a copy of what was published before: the thief's files are gone, and honest versions are low.
    world = scene.world
    world.rotate_online()
    for name in world.directory.list("metadata/"):
        if name.rpartition("/")[2].split(".")[0] in {"9999", "10000"}:
            (world.directory.path / name).unlink()
    (world.directory.path / "metadata/timestamp.json").unlink()
    published = world.publish()
    assert published.version < 9999
    assert scene.client.refresh().reason is None
    assert scene.client.current.version == published.version
    world.change(flag("new-checkout", on_for=["acme", "good"]))
    assert scene.client.refresh().reason is None
    assert answer(scene.client, org="good") is True
    with world.client("newcomer") as client:
        assert client.refresh().reason is None


def test_by_leaving_a_forged_snapshot_in_the_clients_cache(scene: Scene) -> None:
    """The thief gets into the relay's disk too: what is served at start is decided again, from genesis."""
    forged = scene.thief.read("payments/flags.json").replace(b'["acme"]', b'["acme","evil"]')
    scene.thief.publish({"payments/flags.json": forged})
    with scene.world.client("credulous", verify="tuf") as client:
        client.refresh()
    scene.client.close()
    good = scene.world.path / "client" / "good.json"
    other = scene.world.path / "credulous"
    known = json.loads(good.read_bytes())["files"]
    planted = json.loads((other / "good.json").read_bytes())["files"]
    good.write_text(json.dumps({"files": {**known, **planted}}))
    for blob in (other / "blobs").iterdir():
        (scene.world.path / "client" / "blobs" / blob.name).write_bytes(blob.read_bytes())
    scene.client = scene.world.client()
    assert scene.client.current is None
    assert scene.client.refresh().reason == "unapproved-content"
    assert scene.client.current is None


@pytest.mark.parametrize("how", ["old-snapshots-kept", "old-snapshots-deleted"])
def test_by_keeping_the_publisher_from_publishing(scene: Scene, how: str) -> None:
    """A publisher that finds what it would never have published holds, and says that the key is stolen."""
    world = scene.world
    forged = scene.thief.read("payments/flags.json").replace(b'["acme"]', b'["acme","evil"]')
    scene.thief.publish({"payments/flags.json": forged})
    if how == "old-snapshots-deleted":
        for version in (1, 2):
            (world.directory.path / f"metadata/{version}.snapshot.json").unlink()
    world.accept(flag("new-checkout", on_for=["acme", "good"]))
    for publisher in (world.publisher, world.new_publisher()):
        with pytest.raises(SnapshotError) as held:
            publisher.publish(world.build(), world.entries)
        assert held.value.code == "PublishedContentRefused"
        assert "trust rotate" in held.value.remedy
    world.rotate_online()
    content = world.publisher.load()
    # Gone on from is only what holds in full; without it, the whole history is published again.
    assert (content is None) == (how == "old-snapshots-deleted")
    assert content is None or content.head.sequence == 1
    world.publish()
    assert scene.client.refresh().reason is None
    assert answer(scene.client, org="good") is True
    assert answer(scene.client, org="evil") is False
