"""What a thief of the online key can do: sign anything that key may sign, and write it over the store.

It uses TUF's own API and none of the publisher's code, so it is not held back by the publisher's checks.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tuf.api.metadata import (
    DelegatedRole,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from tests.snapshot.stores import overwrite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from securesystemslib.signer import Signer

    from flagseal.snapshot.store import DirectoryStore

DAY = timedelta(days=1)


class Thief:
    """Hold the online key and the store.

    Args:
        store: The victim's store.
        signer: The stolen key.
        clock: Gives the time.
    """

    def __init__(self, store: DirectoryStore, signer: Signer, clock: Callable[[], datetime]) -> None:
        self.store = store
        self.signer = signer
        self.clock = clock

    def read(self, path: str) -> bytes:
        """Read a published target."""
        role = self.role(f"ns-{path.partition('/')[0]}")
        folder, _, base = path.rpartition("/")
        stored = self.store.get(f"targets/{folder}/{role.targets[path].hashes['sha256']}.{base}")
        assert stored is not None
        return stored.data

    def head(self) -> dict[str, Any]:
        """Read what head.json says."""
        body: dict[str, Any] = json.loads(self.read("_repository/head.json"))
        return body

    def role(self, name: str) -> Targets:
        """Read a role as published."""
        return Metadata[Targets].from_bytes(self._file(f"{self.snapshot().meta[f'{name}.json'].version}.{name}")).signed

    def snapshot(self) -> Snapshot:
        """Read the published snapshot."""
        version = self.timestamp().snapshot_meta.version
        return Metadata[Snapshot].from_bytes(self._file(f"{version}.snapshot")).signed

    def timestamp(self) -> Timestamp:
        """Read the published timestamp."""
        return Metadata[Timestamp].from_bytes(self._file("timestamp")).signed

    def publish(
        self,
        files: Mapping[str, bytes | None],
        *,
        leap: int = 1,
        edit: Callable[[dict[str, Targets]], None] | None = None,
    ) -> int:
        """Sign and write a snapshot in which some files are others, or gone.

        Args:
            files: By target path; None takes the file away.
            leap: By how much every version grows.
            edit: Does whatever else to the roles before they are signed.

        Returns:
            The version of the snapshot.
        """
        timestamp, snapshot = self.timestamp(), self.snapshot()
        roles = {name.removesuffix(".json"): self.role(name.removesuffix(".json")) for name in snapshot.meta}
        online = roles["online"]
        assert online.delegations is not None
        assert online.delegations.roles is not None
        for path, data in files.items():
            namespace = path.partition("/")[0]
            role = f"ns-{namespace}"
            if role not in roles:
                roles[role] = Targets()
                keyid = self.signer.public_key.keyid
                online.delegations.roles[role] = DelegatedRole(role, [keyid], 1, True, [f"{namespace}/*"])
            if data is None:
                roles[role].targets.pop(path, None)
                continue
            file = TargetFile.from_data(path, data, ["sha256"])
            roles[role].targets[path] = file
            folder, _, base = path.rpartition("/")
            overwrite(self.store, f"targets/{folder}/{file.hashes['sha256']}.{base}", data)
        if edit is not None:
            edit(roles)
        roles.pop("targets")  # offline keys sign that
        for name, signed in roles.items():
            signed.version += leap
            signed.expires = self.clock() + 30 * DAY
            overwrite(self.store, f"metadata/{signed.version}.{name}.json", self.sign(signed))
            snapshot.meta[f"{name}.json"] = MetaFile(signed.version)
        snapshot.version += leap
        snapshot.expires = self.clock() + DAY
        self.write_snapshot(snapshot, timestamp.version + leap)
        return snapshot.version

    def write_snapshot(self, snapshot: Snapshot, timestamp_version: int) -> None:
        """Sign a snapshot, and a timestamp that names it."""
        data = self.sign(snapshot)
        overwrite(self.store, f"metadata/{snapshot.version}.snapshot.json", data)
        meta = MetaFile.from_data(snapshot.version, data, ["sha256"])
        timestamp = Timestamp(timestamp_version, expires=self.clock() + timedelta(minutes=10), snapshot_meta=meta)
        overwrite(self.store, "metadata/timestamp.json", self.sign(timestamp))

    def sign(self, signed: Targets | Snapshot | Timestamp | Root) -> bytes:
        """Sign anything."""
        metadata = Metadata[Any](signed)
        metadata.sign(self.signer)
        return metadata.to_bytes()

    def _file(self, name: str) -> bytes:
        stored = self.store.get(f"metadata/{name}.json")
        assert stored is not None, name
        return stored.data


def sha256(data: bytes) -> str:
    """Hash bytes."""
    return hashlib.sha256(data).hexdigest()
