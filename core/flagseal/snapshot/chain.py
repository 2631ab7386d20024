"""A published state, verified from a trusted root down with ``tuf.api.metadata``.

``tuf.ngclient`` verifies while it downloads, by the machine's clock, and refuses what has expired. Three
callers need the same chain otherwise: a client that starts without network, from its cache; a publisher
that reads back what it published, perhaps under a key that was rotated since; and the publisher again, which
verifies what it is about to write. Signatures, thresholds, hashes and delegations are checked by TUF's own
methods; only the order of the steps is ours (TUF specification 5.3 to 5.6; docs/adr/0040-offline-start.md).

Expiry is reported, not enforced: whoever asks decides what an old but genuine state is good for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from tuf.api.exceptions import LengthOrHashMismatchError, UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from flagseal.snapshot.layout import ONLINE, metadata_name, namespace_of, role_of, target_name
from flagseal.snapshot.refusal import Refused
from flagseal.snapshot.signed_form import SignedForm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from tuf.api.metadata import MetaFile

    Read = Callable[[str], bytes | None]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_S = TypeVar("_S", Root, Timestamp, Snapshot, Targets)

MAX_ROOT_ROTATIONS = 256


@dataclass(frozen=True)
class Chain:
    """One published state, all of whose signatures hold.

    Attributes:
        root: The root under which it holds.
        roles: ``online`` and every ``ns-…`` role it delegates to.
        trusted: By namespace, the targets found so far that its role is trusted with; a cache.
    """

    root: Root
    timestamp: Timestamp
    snapshot: Snapshot
    targets: Targets
    roles: Mapping[str, Targets]
    trusted: dict[str, Mapping[str, TargetFile]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def version(self) -> int:
        """The snapshot's version: what people call the version of the state."""
        return self.snapshot.version

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Every namespace that has a role, those that went away included; sorted."""
        names = (namespace_of(role) for role in self.roles)
        return tuple(sorted(name for name in names if name is not None))

    def expiries(self) -> Iterator[tuple[str, datetime]]:
        """Give each role with the instant at which it expires."""
        for role in (self.root, self.targets, self.snapshot, self.timestamp):
            yield role.type, role.expires
        for name, role in self.roles.items():
            yield name, role.expires

    def target(self, path: str) -> TargetFile | None:
        """Look a target up the way the delegations lead (TUF 5.6.7); None if nobody trusted lists it with SHA-256."""
        if "/" not in path:
            file = self.targets.targets.get(path)
            return file if file is not None and _named_by_hash(file) else None
        return self._trusted(path.partition("/")[0]).get(path)

    def paths(self, namespace: str) -> tuple[str, ...]:
        """Name a namespace's targets, sorted."""
        return tuple(sorted(self._trusted(namespace)))

    def _trusted(self, namespace: str) -> Mapping[str, TargetFile]:
        """Find what a namespace's role lists and is trusted with; once, because matching patterns is slow."""
        if namespace not in self.trusted:
            role = role_of(namespace)
            files = self.roles[role].targets if role in self.roles else {}
            self.trusted[namespace] = {
                path: file
                for path, file in files.items()
                if _leads_to(self.targets, ONLINE, path)
                and _leads_to(self.roles[ONLINE], role, path)
                and _named_by_hash(file)
            }
        return self.trusted[namespace]


def load_root(data: bytes) -> Root:
    """Take a root that was handed over out of band; it must at least be signed by itself (TUF 5.2).

    Raises:
        Refused: It is no root metadata, or not signed by its own keys.
    """
    metadata = _parse(Root, data, "the pinned root")
    _verify(metadata.signed, Root.type, metadata, "the pinned root")
    return metadata.signed


def root_history(pinned: bytes, read: Read) -> tuple[Root, ...]:
    """Follow the rotations of root from the pinned one to the newest (TUF 5.3).

    Raises:
        Refused: A successor is not signed by its predecessor's keys and its own.
    """
    roots = [load_root(pinned)]
    while len(roots) <= MAX_ROOT_ROTATIONS:
        name = metadata_name(Root.type, roots[-1].version + 1)
        data = read(name)
        if data is None:
            return tuple(roots)
        roots.append(next_root(roots[-1], data, name))
    raise Refused("rollback", f"more than {MAX_ROOT_ROTATIONS} roots follow the pinned one: pin a newer one")


def next_root(root: Root, data: bytes, name: str) -> Root:
    """Take the successor of a root (TUF 5.3.4 and 5.3.5).

    Raises:
        Refused: Too few signatures of the old keys or the new, or the version is not the next.
    """
    metadata = _parse(Root, data, name)
    _verify(root, Root.type, metadata, name)
    _verify(metadata.signed, Root.type, metadata, name)
    if metadata.signed.version != root.version + 1:
        raise Refused("rollback", f"{name}: is version {metadata.signed.version}, expected {root.version + 1}")
    return metadata.signed


def verify_chain(read: Read, root: Root, *, timestamp: Timestamp | None = None, known: Chain | None = None) -> Chain:
    """Verify a published state from its timestamp down to every namespace.

    Args:
        read: Gives a file by its name in the store (``metadata/…``), None if it is missing.
        root: The newest trusted root.
        timestamp: Taken as verified in place of the store's; for a publisher whose own is damaged.
        known: A state verified before: what it has in the same version under the same keys is not verified again.

    Raises:
        Refused: Something is missing, damaged, unsigned, or belongs to another state.
    """
    if timestamp is None:
        name = metadata_name(Timestamp.type)
        timestamp_file = _parse(Timestamp, _read(read, name), name)
        _verify(root, Timestamp.type, timestamp_file, name)
        timestamp = timestamp_file.signed
    snapshot = _snapshot(read, root, timestamp.snapshot_meta)
    targets = _role(read, snapshot, Targets.type, root, known.targets if known and known.root == root else None)
    roles: dict[str, Targets] = {}
    if targets.delegations is not None and ONLINE in (targets.delegations.roles or {}):
        same_parent = known is not None and _same_keys(known.targets, targets, ONLINE)
        roles[ONLINE] = _role(read, snapshot, ONLINE, targets, known.roles[ONLINE] if known and same_parent else None)
        for role in _delegated(roles[ONLINE]):
            same = known is not None and role in known.roles and _same_keys(known.roles[ONLINE], roles[ONLINE], role)
            roles[role] = _role(read, snapshot, role, roles[ONLINE], known.roles[role] if known and same else None)
    chain = Chain(root, timestamp, snapshot, targets, roles)
    if known is not None:
        chain.trusted.update(_still_trusted(known, chain))
    return chain


def _still_trusted(known: Chain, chain: Chain) -> Iterator[tuple[str, Mapping[str, TargetFile]]]:
    """Carry over what was found for roles that are the same, under delegations that are the same."""
    if not _same_keys(known.targets, chain.targets, ONLINE):
        return
    for namespace, files in known.trusted.items():
        role = role_of(namespace)
        same = role in known.roles and known.roles[role] is chain.roles.get(role)
        if same and _same_keys(known.roles[ONLINE], chain.roles[ONLINE], role):
            yield namespace, files


def newest_targets(root: Root, names: tuple[str, ...], read: Read) -> tuple[int, bytes] | None:
    """Find the newest top-level targets that a ceremony left, whether or not a snapshot lists it yet.

    Args:
        root: Whose targets keys count.
        names: The store's ``metadata/…`` names.
        read: Gives a file by name.

    Returns:
        Version and bytes; None if none is signed by those keys.
    """
    suffix = f".{Targets.type}.json"
    versions = sorted(
        (int(number) for name in names if (number := _stem(name, suffix)).isdecimal()),
        reverse=True,
    )
    for version in versions:
        name = metadata_name(Targets.type, version)
        data = read(name)
        try:
            if data is not None and load_role(root, Targets.type, data, name).version == version:
                return version, data
        except Refused:
            continue  # junk beside the ceremony's file must not hide it
    return None


def load_role(delegator: Root | Targets, role: str, data: bytes, name: str) -> Targets:
    """Parse targets metadata and verify it against who delegates to it (TUF 5.6.3).

    Raises:
        Refused: It is no targets metadata, or lacks signatures.
    """
    metadata = _parse(Targets, data, name)
    _verify(delegator, role, metadata, name)
    return metadata.signed


def verify_target(read: Read, file: TargetFile) -> bytes:
    """Read a target and hold it against its signed length and hash (TUF 5.7.2).

    Raises:
        Refused: It is missing or differs.
    """
    name = target_name(file.path, file.hashes["sha256"])
    data = _read(read, name)
    try:
        file.verify_length_and_hashes(data)
    except LengthOrHashMismatchError as error:
        raise Refused("hash-mismatch", f"{name}: {error}") from error
    return data


def _snapshot(read: Read, root: Root, meta: MetaFile) -> Snapshot:
    name = metadata_name(Snapshot.type, meta.version)
    data = _read(read, name)
    _matches(meta, data, name)
    metadata = _parse(Snapshot, data, name)
    _verify(root, Snapshot.type, metadata, name)
    if metadata.signed.version != meta.version:
        raise Refused(
            "mix-and-match", f"{name}: is version {metadata.signed.version}, the timestamp says {meta.version}"
        )
    return metadata.signed


def _role(read: Read, snapshot: Snapshot, role: str, delegator: Root | Targets, known: Targets | None) -> Targets:
    meta = snapshot.meta.get(f"{role}.json")
    if meta is None:
        raise Refused("mix-and-match", f"{role}: is delegated, but not part of snapshot {snapshot.version}")
    if known is not None and known.version == meta.version:
        return known
    name = metadata_name(role, meta.version)
    data = _read(read, name)
    _matches(meta, data, name)
    signed = load_role(delegator, role, data, name)
    if signed.version != meta.version:
        raise Refused("mix-and-match", f"{name}: is version {signed.version}, the snapshot says {meta.version}")
    return signed


def _parse(kind: type[_S], data: bytes, name: str) -> Metadata[_S]:
    try:
        metadata = Metadata[_S].from_bytes(data)
    except DeserializationError as error:
        raise Refused("malformed", f"{name}: is not TUF metadata") from error
    if metadata.signed.type != kind.type:
        raise Refused("malformed", f"{name}: is {metadata.signed.type}, not {kind.type}")
    return metadata


def _verify(delegator: Root | Targets, role: str, metadata: Metadata[_S], name: str) -> None:
    try:
        delegator.verify_delegate(role, SignedForm().serialize(metadata.signed), metadata.signatures)
    except UnsignedMetadataError as error:
        raise Refused("wrong-signature", f"{name}: {error}") from error
    except ValueError as error:  # the delegator does not know the role
        raise Refused("wrong-signature", f"{name}: {error}") from error


def _matches(meta: MetaFile, data: bytes, name: str) -> None:
    try:
        meta.verify_length_and_hashes(data)
    except LengthOrHashMismatchError as error:
        raise Refused("hash-mismatch", f"{name}: {error}") from error


def _read(read: Read, name: str) -> bytes:
    data = read(name)
    if data is None:
        raise Refused("unreachable", f"{name}: is missing")
    return data


def _named_by_hash(file: TargetFile) -> bool:
    """Tell whether a target has a SHA-256: it becomes a file's name here and in the store, so it must be one."""
    return _SHA256.fullmatch(file.hashes.get("sha256", "")) is not None


def _leads_to(delegator: Targets, role: str, path: str) -> bool:
    delegated = (delegator.delegations.roles or {}).get(role) if delegator.delegations else None
    return delegated is not None and delegated.is_delegated_path(path)


def _delegated(delegator: Targets) -> tuple[str, ...]:
    return tuple((delegator.delegations.roles or {}) if delegator.delegations else ())


def _same_keys(before: Targets, after: Targets, role: str) -> bool:
    """Tell whether what was verified for a role under one delegator still is under the other."""
    if before is after:
        return True
    one, other = before.delegations, after.delegations
    if one is None or other is None or one.roles is None or other.roles is None:
        return False
    mine, theirs = one.roles.get(role), other.roles.get(role)
    return mine is not None and mine == theirs and one.keys == other.keys


def _stem(name: str, suffix: str) -> str:
    return name.rpartition("/")[2].removesuffix(suffix) if name.endswith(suffix) else ""
