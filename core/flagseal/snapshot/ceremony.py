"""What only offline keys decide: who signs what, and where trust begins (approval.md, Genesis).

A ceremony reads the store, signs the next ``root`` and ``targets``, and leaves them there; it never needs the
online private key. The publisher finds what was left, checks it, and publishes under it. Root is written
first: while a key is stolen, taking it out of root is what matters, and a ceremony that broke off is
completed by running it again.
"""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, TypeVar

from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from flagseal.approval.trust import Trust
from flagseal.model.errors import SnapshotError, UsageError
from flagseal.snapshot.chain import load_role, newest_targets, root_history, verify_target
from flagseal.snapshot.keys import same_key
from flagseal.snapshot.layout import ONLINE, ONLINE_PATHS, TRUST, metadata_name, target_name
from flagseal.snapshot.store import AlreadyExists

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from securesystemslib.signer import Key, Signer

    from flagseal.snapshot.store import Store

LIFETIME = timedelta(days=365)
"""How long root and targets hold: they are renewed by hand, once a year."""

_MAX_SKIPPED = 64

_S = TypeVar("_S", Root, Targets)

RotatedRole = Literal["root", "targets", "online"]


@dataclass(frozen=True)
class Trusted:
    """What the offline keys say now.

    Attributes:
        roots: From the pinned root to the newest.
        targets: The newest top-level targets they signed.
        signed_under: Version of the root whose keys signed ``targets``.
        trust: ``trust.json`` as ``targets`` names it.
    """

    roots: tuple[Root, ...]
    targets: Targets
    signed_under: Root
    trust: Trust

    @property
    def root(self) -> Root:
        """The newest root."""
        return self.roots[-1]

    @property
    def complete(self) -> bool:
        """Whether root and targets fit together: no ceremony broke off in between."""
        return not _targets_are_due(self.root, self.targets, self.signed_under)

    def roles(self) -> tuple[RoleView, ...]:
        """Say who may sign what."""
        root, targets = self.root, self.targets
        own = {Root.type: (root.version, root.expires), Targets.type: (targets.version, targets.expires)}
        views = [
            RoleView(name, tuple(role.keyids), role.threshold, *own.get(name, (None, None)))
            for name, role in root.roles.items()
        ]
        delegated = targets.delegations.roles or {} if targets.delegations else {}
        views.extend(RoleView(role.name, tuple(role.keyids), role.threshold) for role in delegated.values())
        return tuple(views)


@dataclass(frozen=True)
class RoleView:
    """Who may sign one role.

    Attributes:
        version: Of the metadata; None for what the online key signs.
    """

    name: str
    keyids: tuple[str, ...]
    threshold: int
    version: int | None = None
    expires: datetime | None = None


def init(
    store: Store,
    *,
    trust: Trust,
    root_signers: Sequence[Signer],
    threshold: int,
    online_key: Key,
    now: datetime,
    targets_signers: Sequence[Signer] | None = None,
    targets_threshold: int | None = None,
) -> bytes:
    """Found a repository: root, targets, trust.json.

    Args:
        store: An empty one.
        trust: Where trust in the content begins.
        root_signers: All root keys; each must be at hand this once.
        threshold: How many of them a new root will need.
        online_key: Signs timestamp, snapshot, ``online`` and the namespaces.
        now: The start of the metadata's life.
        targets_signers: Keys of targets, which may change trust.json; those of root if None.
        targets_threshold: How many of them; that of root if None.

    Raises:
        SnapshotError: There is a repository already, or the store cannot be written.
        UsageError: The threshold cannot be met, a key is given twice, or the online key is an offline one.

    Returns:
        The root to pin: hand it to every client by a way of its own.
    """
    targets_signers = root_signers if targets_signers is None else targets_signers
    targets_threshold = threshold if targets_threshold is None else targets_threshold
    root_keys = [signer.public_key for signer in root_signers]
    targets_keys = [signer.public_key for signer in targets_signers]
    _distinct(root_keys, threshold, Root.type)
    _distinct(targets_keys, targets_threshold, Targets.type)
    _apart(online_key, root_keys + targets_keys)
    if store.get(metadata_name(Root.type, 1)) is not None:
        raise _initialised()
    root = Root(expires=now + LIFETIME, consistent_snapshot=True)
    _set_keys(root, Root.type, root_keys, threshold)
    _set_keys(root, Targets.type, targets_keys, targets_threshold)
    _set_keys(root, Timestamp.type, [online_key], 1)
    _set_keys(root, Snapshot.type, [online_key], 1)
    root_file = _signed(root, Root.type, (root,), root_signers)
    targets = Targets(delegations=delegations_to(online_key))
    put_trust(store, targets, trust)
    put_targets(store, targets, root, targets_signers, now)
    # Last, because it is the fence: a store with a root is a repository, and a ceremony that broke off
    # before can be held again.
    try:
        store.put_new(metadata_name(Root.type, 1), root_file)
    except AlreadyExists:
        raise _initialised() from None
    return root_file


def trusted(store: Store, root: bytes) -> Trusted:
    """Read what the offline keys say.

    Args:
        store: Where the ceremonies left their work.
        root: The pinned root.

    Raises:
        SnapshotError: The store is not this root's, or holds no targets these keys ever signed.
    """

    def read(name: str) -> bytes | None:
        stored = store.get(name)
        return None if stored is None else stored.data

    roots = root_history(root, read)
    names = store.list("metadata/")
    # A rotation of targets that broke off leaves targets signed by the keys before.
    for signed_under in reversed(roots):
        found = newest_targets(signed_under, names, read)
        if found is not None:
            break
    else:
        raise SnapshotError(
            "the store holds no targets signed by this root's keys",
            code="CeremonyIncomplete",
            remedy="If the store was lost, bring it back from a copy. Otherwise: is this the root of that store?",
        )
    version, data = found
    targets = load_role(signed_under, Targets.type, data, metadata_name(Targets.type, version))
    file = targets.targets.get(TRUST)
    if file is None:
        raise SnapshotError(f"targets version {version} names no {TRUST}", code="TrustMissing")
    return Trusted(roots, targets, signed_under, Trust.parse(verify_target(read, file)))


def rotate(
    store: Store,
    root: bytes,
    role: RotatedRole,
    *,
    new_keys: Sequence[Key],
    signers: Sequence[Signer],
    now: datetime,
    threshold: int | None = None,
) -> Trusted:
    """Replace the keys of a role. Run again, it completes what broke off and changes nothing else.

    ``online`` replaces the key of timestamp, snapshot, ``online`` and all namespaces at once: with only the
    timestamp's replaced, clients that a thief had led to version 9999 of the snapshot would stay there
    (TUF 5.3.11 and 6.1).

    Args:
        store: The repository.
        root: The pinned root.
        role: Which role.
        new_keys: All keys the role has from now on, those to be kept included. ``online`` has one.
        signers: Offline keys: enough of root's (the old and the new ones, if root itself rotates) and, unless
            only root rotates, enough of targets'.
        now: The start of the new metadata's life.
        threshold: How many of the new keys are needed; as before if None.

    Raises:
        SnapshotError: Keys that are needed were not given (``SignaturesMissing``); or the store fails.
        UsageError: The threshold cannot be met, or a key is given twice.
    """
    was = trusted(store, root)
    new_root = deepcopy(was.root)
    if role == ONLINE:
        if len(new_keys) != 1:
            raise UsageError("online has exactly one key", remedy="Give one.")
        _apart(new_keys[0], _keys(new_root, Root.type) + _keys(new_root, Targets.type))
        _set_keys(new_root, Timestamp.type, new_keys, 1)
        _set_keys(new_root, Snapshot.type, new_keys, 1)
    else:
        kept = new_root.roles[role].threshold if threshold is None else threshold
        _distinct(new_keys, kept, role)
        _apart(_keys(new_root, Timestamp.type)[0], new_keys)
        _set_keys(new_root, role, new_keys, kept)
    if new_root != was.root:
        _put_root(store, new_root, was.root, signers, now)
    if _targets_are_due(new_root, was.targets, was.signed_under):
        targets = deepcopy(was.targets)
        targets.delegations = delegations_to(_keys(new_root, Timestamp.type)[0])
        put_targets(store, targets, new_root, signers, now)
    return trusted(store, root)


def renew(store: Store, root: bytes, *, signers: Sequence[Signer], now: datetime) -> Trusted:
    """Sign root and targets for another year, with the keys they have.

    Raises:
        SnapshotError: Keys that are needed were not given, or the store fails.
    """
    was = trusted(store, root)
    new_root = deepcopy(was.root)
    _put_root(store, new_root, was.root, signers, now)
    put_targets(store, deepcopy(was.targets), new_root, signers, now)
    return trusted(store, root)


def _put_root(store: Store, root: Root, before: Root, signers: Sequence[Signer], now: datetime) -> None:
    root.version = before.version + 1
    root.expires = now + LIFETIME
    name = metadata_name(Root.type, root.version)
    try:
        store.put_new(name, _signed(root, Root.type, (before, root), signers))
    except AlreadyExists as error:
        raise SnapshotError(
            f"{name}: another ceremony was faster", code="Conflict", remedy="Look at its work, then decide again."
        ) from error


def put_trust(store: Store, targets: Targets, trust: Trust) -> None:
    """Write trust.json, and let targets name it."""
    data = trust.to_bytes()
    file = TargetFile.from_data(TRUST, data, ["sha256"])
    with suppress(AlreadyExists):  # named by its hash: what is there is this, or clients refuse it
        store.put_new(target_name(TRUST, file.hashes["sha256"]), data)
    targets.targets[TRUST] = file


def put_targets(store: Store, targets: Targets, root: Root, signers: Sequence[Signer], now: datetime) -> None:
    """Sign targets as the next version that is free: what somebody else left in its way is skipped.

    Raises:
        SnapshotError: Keys that are needed were not given (``SignaturesMissing``), or the store fails.
    """
    targets.expires = now + LIFETIME
    for _ in range(_MAX_SKIPPED):
        with suppress(AlreadyExists):
            store.put_new(
                metadata_name(Targets.type, targets.version), _signed(targets, Targets.type, (root,), signers)
            )
            return
        targets.version += 1
    raise SnapshotError("the store is full of targets nobody signed", code="Conflict", remedy="Clean it up.")


def _signed(signed: _S, role: str, delegators: Iterable[Root], signers: Sequence[Signer]) -> bytes:
    """Sign with every key that counts, and make sure they suffice for each delegator."""
    delegators = tuple(delegators)
    metadata = Metadata(signed)
    ids = {keyid for delegator in delegators for keyid in delegator.roles[role].keyids}
    for signer in signers:
        if signer.public_key.keyid in ids:
            metadata.sign(signer, append=True)
    for delegator in delegators:
        result = delegator.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
        if not result:
            raise SnapshotError(
                f"{role} needs {result.threshold} signatures, and got {len(result.signed)}",
                code="SignaturesMissing",
                remedy=f"Bring {result.missing} more of these keys: " + ", ".join(sorted(result.unsigned)),
            )
    return metadata.to_bytes()


def _targets_are_due(root: Root, targets: Targets, signed_under: Root) -> bool:
    """Tell whether targets must be signed again for this root: other keys, or another online key."""
    signers = (root.roles[Targets.type], _keys(root, Targets.type))
    before = (signed_under.roles[Targets.type], _keys(signed_under, Targets.type))
    return signers != before or targets.delegations != delegations_to(_keys(root, Timestamp.type)[0])


def delegations_to(online_key: Key) -> Delegations:
    """Trust the online key with every namespace, and with nothing else."""
    role = DelegatedRole(ONLINE, [online_key.keyid], 1, terminating=True, paths=list(ONLINE_PATHS))
    return Delegations({online_key.keyid: online_key}, {ONLINE: role})


def _keys(root: Root, role: str) -> list[Key]:
    return [root.get_key(keyid) for keyid in root.roles[role].keyids]


def _set_keys(root: Root, role: str, keys: Sequence[Key], threshold: int) -> None:
    for keyid in list(root.roles[role].keyids):
        root.revoke_key(keyid, role)
    for key in keys:
        root.add_key(key, role)
    root.roles[role].threshold = threshold


def _distinct(keys: Sequence[Key], threshold: int, role: str) -> None:
    """Refuse a threshold that cannot be met, or that one key could meet twice under two ids."""
    for index, key in enumerate(keys):
        if any(same_key(key, other) or key.keyid == other.keyid for other in keys[:index]):
            raise UsageError(f"{role}: key {key.keyid} is given twice", remedy="A threshold counts different keys.")
    if not 1 <= threshold <= len(keys):
        raise UsageError(
            f"{role}: {threshold} of {len(keys)} keys cannot sign",
            remedy="Choose a threshold between 1 and the number of keys; 2 of 3 is usual.",
        )


def _apart(online_key: Key, offline: Sequence[Key]) -> None:
    """Refuse an online key that is an offline key too: its thief would own both."""
    if any(same_key(online_key, key) for key in offline):
        raise UsageError(
            f"the online key {online_key.keyid} is an offline key as well",
            remedy="Make a key for the publisher alone: whoever breaks into it must not get the others.",
        )


def _initialised() -> SnapshotError:
    return SnapshotError(
        "the store holds a repository already",
        code="AlreadyInitialised",
        remedy="Use another directory, or `flagseal trust rotate`.",
    )
