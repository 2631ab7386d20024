"""Ceremonies: what offline keys decide, and that nobody else can."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from securesystemslib.signer import CryptoSigner, SSlibKey

from flagseal.approval.trust import Attestor, Genesis, Trust
from flagseal.model.errors import SnapshotError, UsageError
from flagseal.snapshot.ceremony import init, renew, rotate, trusted
from flagseal.snapshot.refusal import Refused
from flagseal.snapshot.store import DirectoryStore
from flagseal.snapshot.trust_change import set_trust

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
TRUST = Trust(
    repository_id="git:" + "1" * 40,
    repository_name="acme/flags",
    ref="refs/heads/main",
    environment="production",
    genesis=Genesis("a" * 40, "sha256:" + "b" * 64),
)
OFFLINE = [CryptoSigner.generate_ed25519() for _ in range(3)]
ONLINE = CryptoSigner.generate_ed25519()


def found(store: DirectoryStore, **changes: object) -> bytes:
    """Found a repository, two of three."""
    settings: dict[str, object] = {
        "trust": TRUST,
        "root_signers": OFFLINE,
        "threshold": 2,
        "online_key": ONLINE.public_key,
        "now": NOW,
    }
    return init(store, **{**settings, **changes})  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    """Give an empty store."""
    return DirectoryStore(tmp_path)


@pytest.fixture
def root(store: DirectoryStore) -> bytes:
    """Found a repository in it."""
    return found(store)


def test_what_was_founded_is_what_is_trusted(store: DirectoryStore, root: bytes) -> None:
    """Trust, roles, keys and thresholds come back as given; nothing needed the online private key."""
    says = trusted(store, root)
    assert says.trust == TRUST
    assert says.complete
    roles = {role.name: role for role in says.roles()}
    assert set(roles) == {"root", "targets", "snapshot", "timestamp", "online"}
    assert set(roles["root"].keyids) == {signer.public_key.keyid for signer in OFFLINE}
    assert (roles["root"].threshold, roles["targets"].threshold) == (2, 2)
    assert {roles[name].keyids for name in ("snapshot", "timestamp", "online")} == {(ONLINE.public_key.keyid,)}
    assert roles["root"].expires == NOW + timedelta(days=365)
    assert says.root.consistent_snapshot


def test_online_is_trusted_with_namespaces_and_never_with_trust(store: DirectoryStore, root: bytes) -> None:
    """TUF's patterns do not cross slashes, so there are two."""
    delegations = trusted(store, root).targets.delegations
    assert delegations is not None
    assert delegations.roles is not None
    online = delegations.roles["online"]
    assert online.is_delegated_path("payments/flags.json")
    assert online.is_delegated_path("_repository/history/0.jsonl")
    assert not online.is_delegated_path("trust.json")


def test_a_store_is_founded_once(store: DirectoryStore, root: bytes) -> None:
    """The second ceremony changes nothing."""
    with pytest.raises(SnapshotError) as refused:
        found(store)
    assert refused.value.code == "AlreadyInitialised"
    assert trusted(store, root).root.version == 1


def test_a_ceremony_that_broke_off_can_be_held_again(store: DirectoryStore) -> None:
    """Root is written last; targets of the first attempt are stepped over."""
    found(store)
    (store.path / "metadata" / "1.root.json").unlink()
    root = found(store, root_signers=[CryptoSigner.generate_ed25519() for _ in range(2)])
    says = trusted(store, root)
    assert (says.targets.version, says.complete) == (2, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": 0},
        {"threshold": 4},
        {"root_signers": [OFFLINE[0], OFFLINE[0]]},
        {"online_key": OFFLINE[1].public_key},
        {"targets_signers": [ONLINE], "targets_threshold": 1},
    ],
)
def test_thresholds_that_mean_nothing_are_refused(store: DirectoryStore, changes: dict[str, object]) -> None:
    """Unreachable, met by one key twice, or an online key that is an offline one too."""
    with pytest.raises(UsageError):
        found(store, **changes)
    assert store.list("") == ()


def test_one_key_under_two_ids_counts_once(store: DirectoryStore) -> None:
    """An id is a name that anybody may choose."""
    twin = CryptoSigner(OFFLINE[0]._private_key, SSlibKey("other", "ed25519", "ed25519", OFFLINE[0].public_key.keyval))
    with pytest.raises(UsageError, match="twice"):
        found(store, root_signers=[OFFLINE[0], twin])


def test_root_keys_rotate_with_old_and_new_keys(store: DirectoryStore, root: bytes) -> None:
    """Whoever pinned the first root follows to the new keys."""
    new = [CryptoSigner.generate_ed25519() for _ in range(2)]
    says = rotate(
        store,
        root,
        "root",
        new_keys=[signer.public_key for signer in new],
        signers=[*OFFLINE[:2], *new],
        now=NOW,
    )
    assert [role.version for role in says.roots] == [1, 2]
    assert set(says.root.roles["root"].keyids) == {signer.public_key.keyid for signer in new}
    assert says.complete


def test_too_few_keys_cannot_rotate(store: DirectoryStore, root: bytes) -> None:
    """One of the old two, or the new ones alone: the message names the keys that are missing."""
    new = [CryptoSigner.generate_ed25519() for _ in range(2)]
    keys = [signer.public_key for signer in new]
    for signers in ([OFFLINE[0], *new], new, OFFLINE):
        with pytest.raises(SnapshotError) as refused:
            rotate(store, root, "root", new_keys=keys, signers=signers, now=NOW)
        assert refused.value.code == "SignaturesMissing"
    assert "Bring 2 more of these keys" in refused.value.remedy
    assert trusted(store, root).root.version == 1


def test_targets_keys_rotate_and_keep_what_was_trusted(store: DirectoryStore, root: bytes) -> None:
    """trust.json and the delegation are signed by the new keys; the old ones count no more."""
    new = CryptoSigner.generate_ed25519()
    says = rotate(store, root, "targets", new_keys=[new.public_key], threshold=1, signers=[*OFFLINE[:2], new], now=NOW)
    assert (says.trust, says.complete, says.targets.version) == (TRUST, True, 2)
    with pytest.raises(SnapshotError, match="targets needs 1 signatures"):
        set_trust(store, root, replace(TRUST, ref="refs/heads/x"), signers=OFFLINE, now=NOW)
    set_trust(store, root, replace(TRUST, ref="refs/heads/x"), signers=[new], now=NOW)


def test_the_online_key_rotates_everywhere_at_once(store: DirectoryStore, root: bytes) -> None:
    """Timestamp, snapshot and the delegation: with less, a client led astray would stay there."""
    new = CryptoSigner.generate_ed25519()
    says = rotate(store, root, "online", new_keys=[new.public_key], signers=OFFLINE[1:], now=NOW)
    roles = {role.name: role.keyids for role in says.roles()}
    assert {roles[name] for name in ("snapshot", "timestamp", "online")} == {(new.public_key.keyid,)}
    assert ONLINE.public_key.keyid not in says.root.keys


def test_a_rotation_that_broke_off_is_completed_by_running_it_again(
    store: DirectoryStore, root: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After root, before targets: it says so, and the second run writes what is missing only."""
    new = CryptoSigner.generate_ed25519()
    put_new = store.put_new

    def die_at_targets(name: str, data: bytes) -> None:
        if name.endswith("targets.json"):
            raise KeyboardInterrupt
        put_new(name, data)

    monkeypatch.setattr(store, "put_new", die_at_targets)
    with pytest.raises(KeyboardInterrupt):
        rotate(store, root, "online", new_keys=[new.public_key], signers=OFFLINE[:2], now=NOW)
    monkeypatch.undo()
    assert not trusted(store, root).complete
    says = rotate(store, root, "online", new_keys=[new.public_key], signers=OFFLINE[:2], now=NOW)
    assert (says.complete, says.root.version, says.targets.version) == (True, 2, 2)


def test_renewing_gives_another_year(store: DirectoryStore, root: bytes) -> None:
    """The keys stay."""
    later = NOW + timedelta(days=300)
    says = renew(store, root, signers=OFFLINE[:2], now=later)
    assert {says.root.expires, says.targets.expires} == {later + timedelta(days=365)}
    assert says.complete


def test_trust_changes_forward_only(store: DirectoryStore, root: bytes) -> None:
    """Attestors come and go; genesis never moves back, and never sideways."""
    ahead = replace(
        TRUST, genesis=Genesis("c" * 40, "sha256:" + "d" * 64, 150), attestors=(Attestor(ONLINE.public_key, until=9),)
    )
    assert set_trust(store, root, ahead, signers=OFFLINE[:2], now=NOW).trust == ahead
    for genesis in (TRUST.genesis, Genesis("e" * 40, "sha256:" + "d" * 64, 150)):
        with pytest.raises(SnapshotError) as refused:
            set_trust(store, root, replace(TRUST, genesis=genesis), signers=OFFLINE, now=NOW)
        assert refused.value.code == "GenesisMovesBack"
    for other in (replace(ahead, environment="staging"), replace(ahead, repository_id="git:" + "2" * 40)):
        with pytest.raises(SnapshotError) as refused:
            set_trust(store, root, other, signers=OFFLINE, now=NOW)
        assert refused.value.code == "OtherRepository"


def test_a_thief_of_the_online_key_cannot_change_trust(store: DirectoryStore, root: bytes) -> None:
    """Nor can one offline key of two."""
    for thieves in ([ONLINE], [ONLINE, OFFLINE[0]]):
        with pytest.raises(SnapshotError) as refused:
            set_trust(store, root, replace(TRUST, ref="refs/heads/evil"), signers=thieves, now=NOW)
        assert refused.value.code == "SignaturesMissing"


@pytest.mark.usefixtures("root")
def test_another_stores_root_trusts_nothing_here(store: DirectoryStore, tmp_path: Path) -> None:
    """The wrong pinned root is an error with a remedy, not an empty repository."""
    other = found(DirectoryStore(tmp_path / "other"), root_signers=[CryptoSigner.generate_ed25519() for _ in range(2)])
    with pytest.raises(SnapshotError) as refused:
        trusted(store, other)
    assert refused.value.code == "CeremonyIncomplete"
    with pytest.raises(Refused):
        trusted(store, b"{}")
