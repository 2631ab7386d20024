"""What to sign next: from what is published and what is wanted to the files of the next snapshot. Writes nothing.

Only what changes is signed: a namespace whose files are the same keeps its role, version and all, unless the
key was rotated or half of its life is over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.layout import ONLINE, REPOSITORY, metadata_name, paths_of, role_of
from flagseal.snapshot.signed_form import SignedForm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from securesystemslib.signer import Key, Signer

    from flagseal.snapshot.chain import Chain
    from flagseal.snapshot.marks import Mark

    Wanted = Mapping[str, Mapping[str, TargetFile]]

_S = TypeVar("_S", Timestamp, Snapshot, Targets)


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long each kind of online metadata holds; it is signed again at half of that.

    The timestamp's life is how long a thief of the *store* can hold back news. The others only need to outlast
    an outage of the publisher: they are bound to the timestamp anyway.
    """

    timestamp: timedelta = timedelta(minutes=10)
    snapshot: timedelta = timedelta(days=1)
    roles: timedelta = timedelta(days=30)


@dataclass(frozen=True)
class Draft:
    """The next snapshot, signed and not yet written.

    Attributes:
        roles: New role files by name in the store.
        snapshot: Name and bytes of the new snapshot; None if the published one stays.
        timestamp: The new timestamp; None if the published one stays.
        namespaces: Those whose files changed.
    """

    roles: Mapping[str, bytes] = field(default_factory=dict)
    snapshot: tuple[str, bytes] | None = None
    timestamp: bytes | None = None
    namespaces: tuple[str, ...] = ()

    @property
    def files(self) -> dict[str, bytes]:
        """Everything the draft would write, by name."""
        files = dict(self.roles)
        if self.snapshot is not None:
            files[self.snapshot[0]] = self.snapshot[1]
        if self.timestamp is not None:
            files[metadata_name(Timestamp.type)] = self.timestamp
        return files


@dataclass(frozen=True)
class Composer:
    """Sign what is due.

    Attributes:
        signer: The online key.
        lifetimes: How long what it signs will hold.
        now: The instant of signing.
        mark: What was published before, as remembered outside the store: versions go on above it.
        taken: Tells which names of the store somebody owns already: a publisher that died, or that is faster.
    """

    signer: Signer
    lifetimes: Lifetimes
    now: datetime
    mark: Mark
    taken: Callable[[str], bool]

    def compose(self, root: Root, targets: tuple[Targets, int], published: Chain | None, wanted: Wanted) -> Draft:
        """Draft the next snapshot.

        Args:
            root: The newest root.
            targets: The newest top-level targets, and the length of their file.
            published: What is published now; None if nothing is, or its timestamp does not count any more.
            wanted: For every namespace its targets by path; a namespace that is published and not wanted is
                emptied, never dropped: clients that know it would refuse every snapshot without it.

        Raises:
            SnapshotError: The online key is not the one root trusts.
        """
        key = root.get_key(root.roles[Timestamp.type].keyids[0])
        if self.signer.public_key.keyid != key.keyid:
            raise SnapshotError(
                f"the online key is {self.signer.public_key.keyid}, and root version {root.version} trusts {key.keyid}",
                code="KeyNotTrusted",
                remedy="Give the publisher the key of the last `flagseal trust rotate online`.",
            )
        was = published if published is not None and _online_key(published) == key else None
        roles, changed = self._roles(published, was, wanted)
        online = self._online(published, was, tuple(wanted), key)
        if online is not None:
            roles[ONLINE] = online
        meta = self._meta(published, targets, roles)
        keep = was is not None and was.snapshot.meta == meta and not self._due(was.snapshot, self.lifetimes.snapshot)
        if keep and was is not None and not self._due(was.timestamp, self.lifetimes.timestamp):
            return Draft()
        snapshot_meta = was.timestamp.snapshot_meta if keep and was is not None else None
        snapshot = None
        if snapshot_meta is None:
            version = self._free(Snapshot.type, max(published.version if published else 0, self.mark.snapshot))
            data = self._sign(Snapshot(version=version, expires=self.now + self.lifetimes.snapshot, meta=meta))
            snapshot = (metadata_name(Snapshot.type, version), data)
            snapshot_meta = MetaFile.from_data(version, data, ["sha256"])
        timestamp = Timestamp(
            version=max(published.timestamp.version if published else 0, self.mark.timestamp) + 1,
            expires=self.now + self.lifetimes.timestamp,
            snapshot_meta=snapshot_meta,
        )
        return Draft(
            {metadata_name(role, version): data for role, (version, data) in roles.items()},
            snapshot,
            self._sign(timestamp),
            changed,
        )

    def _roles(
        self, published: Chain | None, was: Chain | None, wanted: Wanted
    ) -> tuple[dict[str, tuple[int, bytes]], tuple[str, ...]]:
        """Sign the namespaces that changed, or are due; give them with their versions, and name the changed."""
        signed: dict[str, tuple[int, bytes]] = {}
        changed: list[str] = []
        known = published.roles if published else {}
        for namespace in sorted({*wanted, *(published.namespaces if published else ())}):
            role = role_of(namespace)
            files = dict(wanted.get(namespace, {}))
            same = role in known and known[role].targets == files
            if not same:
                changed.append(namespace)
            if same and was is not None and not self._due(known[role], self.lifetimes.roles):
                continue
            version = self._free(role, known[role].version if role in known else 0)
            metadata = Targets(version=version, expires=self.now + self.lifetimes.roles, targets=files)
            signed[role] = (version, self._sign(metadata))
        return signed, tuple(changed)

    def _online(
        self, published: Chain | None, was: Chain | None, wanted: tuple[str, ...], key: Key
    ) -> tuple[int, bytes] | None:
        """Sign the delegations to namespaces, if they change."""
        names = {*wanted, *(published.namespaces if published else ())}
        # The repository's own first: every client asks for it, and a look-up goes down the list.
        roles = {
            role_of(name): DelegatedRole(role_of(name), [key.keyid], 1, terminating=True, paths=paths_of(name))
            for name in sorted(names, key=lambda name: (name != REPOSITORY, name))
        }
        delegations = Delegations({key.keyid: key}, roles)
        known = published.roles.get(ONLINE) if published else None
        if (
            known is not None
            and was is not None
            and known.delegations == delegations
            and not self._due(known, self.lifetimes.roles)
        ):
            return None
        version = self._free(ONLINE, known.version if known else 0)
        metadata = Targets(version=version, expires=self.now + self.lifetimes.roles, delegations=delegations)
        return version, self._sign(metadata)

    def _meta(
        self, published: Chain | None, targets: tuple[Targets, int], signed: Mapping[str, tuple[int, bytes]]
    ) -> dict[str, MetaFile]:
        meta = dict(published.snapshot.meta) if published else {}
        # Lengths, so that a client stops reading; no hashes, which would double what every change costs every
        # client: a version under one key is written once, and content is verified beyond TUF (content.py).
        meta[f"{Targets.type}.json"] = MetaFile(targets[0].version, targets[1])
        meta |= {f"{role}.json": MetaFile(version, len(data)) for role, (version, data) in signed.items()}
        return meta

    def _free(self, role: str, above: int) -> int:
        # No role was written more often than the snapshot that lists it.
        version = max(above, self.mark.snapshot if self.mark.lost else 0) + 1
        while self.taken(metadata_name(role, version)):
            version += 1
        return version

    def _due(self, signed: Targets | Snapshot | Timestamp, lifetime: timedelta) -> bool:
        return self.now >= signed.expires - lifetime / 2

    def _sign(self, signed: _S) -> bytes:
        metadata = Metadata(signed)
        metadata.sign(self.signer, signed_serializer=SignedForm())
        # Compact: a third less for every client to fetch, and written by the C encoder, which never indents.
        return metadata.to_bytes(JSONSerializer(compact=True))


def _online_key(published: Chain) -> Key | None:
    """Give the key under which all of a published state's online metadata verified; None if there are several."""
    keys = [published.root.get_key(keyid) for keyid in published.root.roles[Timestamp.type].keyids]
    delegated = published.targets.delegations
    if len(keys) != 1 or delegated is None or delegated.keys != {keys[0].keyid: keys[0]}:
        return None
    return keys[0]
