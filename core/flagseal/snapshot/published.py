"""Read back what is published, as a publisher that has just started must (distribution.md, Publishing)."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tuf.api.metadata import Metadata, MetaFile, Timestamp
from tuf.api.serialization import DeserializationError

from flagseal.approval.trust import Trust
from flagseal.model.errors import ApprovalError, SnapshotError
from flagseal.snapshot.ceremony import Trusted, trusted
from flagseal.snapshot.chain import Chain, verify_chain, verify_target
from flagseal.snapshot.content import Content, verify_content
from flagseal.snapshot.layout import TRUST, metadata_name
from flagseal.snapshot.marks import Mark
from flagseal.snapshot.refusal import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from tuf.api.metadata import Root

    from flagseal.snapshot.chain import Read
    from flagseal.snapshot.store import Store

_LOG = logging.getLogger(__name__)

_TIMESTAMP = metadata_name(Timestamp.type)
_SNAPSHOT = re.compile(r"metadata/([1-9][0-9]{0,17})\.snapshot\.json")
_MOST_CANDIDATES = 64
_ABSURD = 2**53
_DAMAGE: Final = frozenset({"hash-mismatch", "oversized", "unreachable"})
"""Why a file may be refused of which the online key signed other bytes, or which is not there."""


class ChainFiles:
    """The targets of a verified chain, read from wherever the chain's files lie."""

    def __init__(self, chain: Chain, read: Read) -> None:
        self._chain = chain
        self._read = read

    def namespaces(self) -> tuple[str, ...]:
        """Name every namespace."""
        return self._chain.namespaces

    def paths(self, namespace: str) -> tuple[str, ...]:
        """Name a namespace's targets."""
        return self._chain.paths(namespace)

    def sha256(self, path: str) -> str | None:
        """Give the signed hash of a target."""
        file = self._chain.target(path)
        return None if file is None else file.hashes["sha256"]

    def trust(self) -> Trust:
        """Give the trust of this snapshot.

        Raises:
            Refused: There is none, or it cannot be understood.
        """
        try:
            return Trust.parse(self.read(TRUST))
        except ApprovalError as error:
            raise Refused("malformed", f"{TRUST}: {error.message}") from error

    def read(self, path: str) -> bytes:
        """Give a target's bytes."""
        file = self._chain.target(path)
        if file is None:
            raise Refused("mix-and-match", f"{path}: no role lists it")
        return verify_target(self._read, file)


@dataclass(frozen=True)
class Live:
    """What lies in the store now.

    Attributes:
        trusted: What the offline keys say.
        targets_length: Bytes of the newest top-level targets.
        etag: Of ``timestamp.json``; None if there is none.
        chain: The published state; None if there is none that counts.
        content: Its content, if that is approved.
    """

    trusted: Trusted
    targets_length: int
    etag: str | None
    chain: Chain | None = None
    content: Content | None = None


def read_live(store: Store, root: bytes, mark: Mark, *, now: datetime, known: Live | None = None) -> Live:
    """Read and verify what is published.

    Tried in this order: what the timestamp says under the newest root; after damage to the timestamp, the
    newest snapshot that holds in full; after a rotation of the online key, the same under the roots before.

    Args:
        store: The store.
        root: The pinned root.
        mark: How far publishing had got, from outside the store.
        now: The clock.
        known: What was read before: what has not changed since is not verified again.

    Raises:
        SnapshotError: A ceremony was not completed; the store was rolled back or lost (``StoreRolledBack``);
            what is published is signed by the online key, and yet not what people approved
            (``PublishedContentRefused``); a file of it is damaged or gone (``PublishedFileDamaged``).
    """
    says = trusted(store, root)
    if not says.complete:
        raise SnapshotError(
            f"root version {says.root.version} and targets version {says.targets.version} do not fit together",
            code="CeremonyIncomplete",
            remedy="Run the last `flagseal trust rotate` again, with the same keys.",
        )
    length = _length(store, metadata_name(says.targets.type, says.targets.version))
    stored = store.get(_TIMESTAMP)
    live = Live(says, length, None if stored is None else stored.etag)
    if stored is None and (mark.lost or not mark.snapshot):
        return live

    def read(name: str) -> bytes | None:
        there = store.get(name)
        return None if there is None else there.data

    reader = _LiveReader(read, live, now, known)
    found = reader.by_timestamp(says.root)
    if found is None:
        snapshots = _snapshots(store, mark)
        version = _claimed(stored.data if stored is not None else b"")
        found = reader.by_snapshot(says.root, snapshots, version)
        for old in reversed(says.roots[:-1]):
            found = found or reader.before_rotation(old, snapshots, version)
    if found is None:
        if mark.snapshot and not mark.lost:
            raise rolled_back(mark, "nothing that verifies")
        return live
    check_mark(found, mark)
    return found


class _LiveReader:
    def __init__(self, read: Read, live: Live, now: datetime, known: Live | None) -> None:
        self._read = read
        self._live = live
        self._now = now
        self._known = known

    def by_timestamp(self, root: Root) -> Live | None:
        """Take what the timestamp says, if it verifies; content that does not is an alarm."""
        chain = self._chain(root, None)
        if chain is None:
            return None
        try:
            return self._with_content(chain)
        except Refused as error:
            if error.reason in _DAMAGE:
                raise SnapshotError(
                    f"what is published cannot be read back: {error.message}",
                    code="PublishedFileDamaged",
                    remedy="Bring the file back from a copy of the store. Without one, `flagseal trust rotate online`"
                    " and a restart build everything anew from what is approved.",
                ) from error
            raise SnapshotError(
                f"what is published is signed by the online key, and is not what was approved: {error.message}",
                code="PublishedContentRefused",
                remedy="The online key must be counted as stolen: `flagseal trust rotate online`, then restart.",
            ) from error

    def by_snapshot(self, root: Root, snapshots: tuple[int, ...], timestamp_version: int) -> Live | None:
        """Find the newest snapshot that holds in full, when the timestamp is missing or damaged."""
        for version in snapshots:
            # Due at once, and above what clients may have seen.
            timestamp = Timestamp(timestamp_version, expires=self._now, snapshot_meta=MetaFile(version))
            chain = self._chain(root, timestamp)
            if chain is not None:
                try:
                    found = self._with_content(chain)
                except Refused:
                    continue
                _LOG.warning("timestamp.json does not verify; going on from snapshot %d", version)
                return found
        return None

    def before_rotation(self, root: Root, snapshots: tuple[int, ...], timestamp_version: int) -> Live | None:
        """Take what a rotated key signed last; a thief may have signed it, so only content that holds counts."""
        chain = self._chain(root, None)
        if chain is not None:
            try:
                return self._with_content(chain)
            except Refused as error:
                _LOG.warning("what the rotated key signed last is not what was approved: %s", error.message)
        found = self.by_snapshot(root, snapshots, timestamp_version)
        if found is None and chain is not None:
            content = self._known.content if self._known is not None else None
            return replace(self._live, chain=chain, content=content)
        return found

    def _chain(self, root: Root, timestamp: Timestamp | None) -> Chain | None:
        known = self._known.chain if self._known is not None else None
        try:
            return verify_chain(self._read, root, timestamp=timestamp, known=known)
        except Refused:
            return None

    def _with_content(self, chain: Chain) -> Live:
        base = self._known.content if self._known is not None else None
        files = ChainFiles(chain, self._read)
        # By the trust it was published under: what a ceremony changed since is for the next snapshot.
        content = verify_content(files, files.trust(), now=self._now, base=base)
        return replace(self._live, chain=chain, content=content)


def check_mark(live: Live, mark: Mark) -> None:
    """Hold a store that is behind what was published from here.

    Raises:
        SnapshotError: ``StoreRolledBack``.
    """
    if mark.lost:
        return  # What is published next is held against the mark's sequence all the same.
    if live.chain is not None and live.chain.version < mark.snapshot:
        raise rolled_back(mark, f"snapshot {live.chain.version}")
    if live.content is not None and live.content.head.sequence < mark.sequence:
        raise rolled_back(mark, f"sequence {live.content.head.sequence}")


def rolled_back(mark: Mark, found: str) -> SnapshotError:
    """Say that the store is behind the mark."""
    return SnapshotError(
        f"the store holds {found}, but snapshot {mark.snapshot} with sequence {mark.sequence} was published from here",
        code="StoreRolledBack",
        remedy="Bring the newer files back. Only if they are lost for good, say so: `flagseal cluster store-lost`, or"
        " `flagseal trust restore` where the data are; what is approved is then published anew, above what clients have"
        " seen.",
    )


def incomplete(mark: Mark, sequence: int) -> SnapshotError:
    """Say that what is here of what was approved does not lead to what was published before."""
    return SnapshotError(
        f"statements up to {sequence} are here, and {mark.sequence} was published before the store was lost",
        code="HistoryIncomplete",
        remedy="Wait for the git source, or bring the others with `flagseal cluster apply`. If one of them cannot be"
        " accepted again, `flagseal approvals show` says what it lacks.",
    )


def _claimed(data: bytes) -> int:
    """Read the version of a timestamp that does not verify: going on above it is harmless, below it is not."""
    try:
        version = Metadata[Timestamp].from_bytes(data).signed.version
    except DeserializationError:
        return 1
    return version if version < _ABSURD else 1


def _snapshots(store: Store, mark: Mark) -> tuple[int, ...]:
    """Name the versions of snapshots in the store, the newest first, none below the mark."""
    if mark.lost:
        mark = Mark()
    versions = [int(match.group(1)) for name in store.list("metadata/") if (match := _SNAPSHOT.fullmatch(name))]
    return tuple(sorted((version for version in versions if version >= mark.snapshot), reverse=True)[:_MOST_CANDIDATES])


def _length(store: Store, name: str) -> int:
    stored = store.get(name)
    return 0 if stored is None else len(stored.data)
