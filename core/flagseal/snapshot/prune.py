"""Remove what no client needs any more: old versions, and targets that only they name (docs/adr/0113).

What is kept is what the newest snapshots lead to, and everything that is not known to be one of our files. A publisher
may be at work meanwhile, and be about to name a file that is just being removed: an old one again, or a new one that it
has written and that nothing names yet. So ``timestamp.json`` is changed before anything is removed, and after each
batch: a publisher that began before finds it changed, and begins again, even if pruning was killed since; one that was
faster is found out, and what it needs is put back. What a run that was killed has left missing the next one puts back.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.layout import metadata_name, target_name
from flagseal.snapshot.published import read_live
from flagseal.snapshot.store import AlreadyExists, Conflict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from flagseal.snapshot.content import Content
    from flagseal.snapshot.marks import Mark
    from flagseal.snapshot.store import PrunedStore, Store

KEEP: Final = 10
"""Snapshots kept in full: a client may be in the middle of one, and a damaged timestamp goes back to one."""

_VERSIONED: Final = re.compile(r"metadata/([1-9][0-9]{0,17})\.([A-Za-z0-9_-]+)\.json")
_BLOB: Final = re.compile(r"targets/(?:[^/]+/)*[0-9a-f]{64}\.[^/]+")
_FOREVER: Final = frozenset({Root.type, Targets.type})
"""Clients walk every root; a ceremony that broke off may need older targets. Both are few."""

_TIMESTAMP: Final = metadata_name(Timestamp.type)
_BATCH: Final = 32 * 1024 * 1024
"""Bytes held in memory at a time, to be put back if need be."""

_LOW: Final = b"\n"
_HIGH: Final = b" "
_DIGITS: Final = _LOW + _HIGH
"""The count of batches at the end of a timestamp is written in these: readers fetch it every second."""

_MOST_ATTEMPTS: Final = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """What a store holds, and what of it may go.

    Attributes:
        version: Of the published snapshot.
        etag: Of the timestamp that the plan was made by.
        kept: How many files stay.
        garbage: Names of those that may go, sorted.
        missing: What the published snapshot names and a run that was killed has removed, by name; it is built anew.
    """

    version: int
    etag: str
    kept: int
    garbage: tuple[str, ...]
    missing: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was done.

    Attributes:
        removed: How many files went for good.
        size: How many bytes they had.
        restored: Names of those put back: a publisher named them again meanwhile, or an earlier run was killed.
    """

    removed: int = 0
    size: int = 0
    restored: tuple[str, ...] = ()


def plan(store: Store, root: bytes, mark: Mark, *, now: datetime, keep: int = KEEP) -> Plan:
    """Find out what may go. Writes nothing.

    Args:
        store: The store.
        root: The pinned root.
        mark: How far publishing had got, as far as it is known here.
        now: The clock.
        keep: How many of the newest snapshots stay in full; versions above what is published always do.

    Raises:
        SnapshotError: What is published does not verify, or nothing is (``NothingPublished``): a store that is not
            whole is not pruned.
    """
    version, etag, published = _published(store, root, mark, now)
    names = store.list("")
    needed = _needed(store, names, version, keep)
    garbage = tuple(name for name in names if name not in needed and (_is_old(name) or _BLOB.fullmatch(name)))
    there = frozenset(names)
    missing = {name: data for name, data in published.items() if name not in there}
    return Plan(version, etag, len(names) - len(garbage), garbage, missing)


def _published(store: Store, root: bytes, mark: Mark, now: datetime) -> tuple[int, str, Mapping[str, bytes]]:
    """Verify what is published; give its version, the tag of the timestamp that says so, and built files by name."""
    for _ in range(_MOST_ATTEMPTS):
        live = read_live(store, root, mark, now=now)
        if live.chain is None or live.content is None or live.etag is None:
            raise SnapshotError(
                "nothing is published here, so nothing is known to be superfluous",
                code="NothingPublished",
                remedy="Prune once a publisher has published.",
            )
        stored = store.get(_TIMESTAMP)
        if stored is None or stored.etag != live.etag:
            continue  # Somebody published just now.
        if _snapshot_version(stored.data) == live.chain.version:
            return live.chain.version, live.etag, _built(live.content)
        raise SnapshotError(
            f"{_TIMESTAMP} does not say what is published",
            code="TimestampDamaged",
            remedy="Let the publisher write it anew, and prune then.",
        )
    raise _contended()


def _built(content: Content) -> dict[str, bytes]:
    """Give what clients build themselves and others fetch, by name; nothing where another compiler published it."""
    if content.foreign:
        return {}
    return {target_name(path, content.hashes[path]): data for path, data in content.build.files.items()}


def _contended() -> SnapshotError:
    return SnapshotError(
        "publishers keep changing the store", code="StoreContended", remedy="Run it again when less is published."
    )


def prune(store: PrunedStore, root: bytes, mark: Mark, *, now: datetime, keep: int = KEEP) -> Pruned:
    """Remove what may go; publishers and clients may be at work meanwhile.

    Args:
        store: One that can remove.
        root: As :func:`plan`.
        mark: As :func:`plan`.
        now: As :func:`plan`.
        keep: As :func:`plan`.

    Raises:
        SnapshotError: As :func:`plan`; others keep changing the store (``StoreContended``); it cannot be written.
    """
    done = Pruned()
    for _ in range(_MOST_ATTEMPTS):
        found = plan(store, root, mark, now=now, keep=keep)
        restored = _mended(store, found.missing)
        done = _added(done, {}, restored)
        if not found.garbage:
            return done
        # Who began before may have written files that nothing names yet, and that are taken for old ones.
        etag = _closed(store, found.etag)
        if etag is None:
            continue
        for batch in _batches(store, found.garbage):
            for name in batch:
                store.remove(name)
            etag = _closed(store, etag)
            if etag is None:
                # Somebody published meanwhile. Whatever it names of this batch has to be there.
                restored = _put_back(store, batch, keep)
                gone = {name: data for name, data in batch.items() if name not in restored}
                done = _added(done, gone, restored)
                break
            done = _added(done, batch, ())
        else:
            return done
    raise _contended()


def _mended(store: Store, missing: Mapping[str, bytes]) -> tuple[str, ...]:
    restored = []
    for name, data in missing.items():
        try:
            store.put_new(name, data)
            restored.append(name)
        except AlreadyExists:
            continue
    return tuple(restored)


def _added(done: Pruned, gone: Mapping[str, bytes], restored: tuple[str, ...]) -> Pruned:
    size = sum(map(len, gone.values()))
    return Pruned(done.removed + len(gone), done.size + size, (*done.restored, *restored))


def _closed(store: Store, etag: str | None) -> str | None:
    """Change the timestamp's bytes, and nothing that they say; give its tag, or None if it is another by now.

    Signatures are over what the file says, not over white space at its end; but every publisher that read it before
    has to read it again before it can replace it.
    """
    there = store.get(_TIMESTAMP)
    if there is None or there.etag != etag:
        return None
    says = there.data.rstrip(_DIGITS)
    try:
        return store.replace(_TIMESTAMP, says + _counted(there.data.removeprefix(says)), if_match=etag)
    except Conflict:
        return None


def _counted(blank: bytes) -> bytes:
    """Count on by one, in the two digits without a nought: no number is ever written in two ways, or comes again.

    Were it to begin again, it would be the file that a publisher has read which stalled for long enough.
    """
    head = blank.rstrip(_HIGH)
    raised = head[:-1] + _HIGH if head else _LOW
    return raised + _LOW * (len(blank) - len(head))


def _put_back(store: Store, batch: Mapping[str, bytes], keep: int) -> tuple[str, ...]:
    """Put back what is named again, as often as somebody publishes in between."""
    restored: dict[str, None] = {}
    for _ in range(_MOST_ATTEMPTS):
        there = store.get(_TIMESTAMP)
        version = _snapshot_version(there.data if there is not None else b"")
        needed = _needed(store, store.list(""), version, keep)
        restored |= dict.fromkeys(_mended(store, {name: batch[name] for name in needed & batch.keys()}))
        if _closed(store, there.etag if there is not None else None) is not None:
            return tuple(restored)
    raise _contended()


def _batches(store: Store, names: tuple[str, ...]) -> Iterator[dict[str, bytes]]:
    """Read what is to go, a few at a time."""
    batch: dict[str, bytes] = {}
    size = 0
    for name in names:
        stored = store.get(name)
        if stored is None:
            continue
        batch[name] = stored.data
        size += len(stored.data)
        if size >= _BATCH:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch


def _is_old(name: str) -> bool:
    """Tell whether a file is a version of a role of which old ones may go."""
    found = _VERSIONED.fullmatch(name)
    return found is not None and found[2] not in _FOREVER


def _needed(store: Store, names: tuple[str, ...], version: int, keep: int) -> set[str]:
    """Name what the newest snapshots, and every top-level targets, lead to; whatever lies there, signed or not."""
    versions = {name: int(found[1]) for name in names if (found := _VERSIONED.fullmatch(name)) is not None}
    roles = {name: found[2] for name in names if (found := _VERSIONED.fullmatch(name)) is not None}
    published = sorted((it for name, it in versions.items() if roles[name] == Snapshot.type and it <= version))
    oldest = published[-keep] if len(published) >= keep else 0
    needed: set[str] = set()
    top = [name for name in names if roles.get(name) == Targets.type]
    newest: dict[str, int] = {}
    for name in names:
        if roles.get(name) != Snapshot.type or versions[name] < oldest:
            continue
        needed.add(name)
        for role, meta in _mapping(_signed(store, name).get("meta")).items():
            number = _mapping(meta).get("version")
            if isinstance(number, int) and role.endswith(".json"):
                needed.add(metadata_name(role.removesuffix(".json"), number))
                newest[role] = max(newest.get(role, 0), number)
    # A version above those that are published is another publisher's, which may be at work just now.
    needed |= {
        name for name in names if _is_old(name) and versions[name] > newest.get(f"{roles[name]}.json", versions[name])
    }
    for name in [*top, *(name for name in sorted(needed) if roles.get(name, Snapshot.type) != Snapshot.type)]:
        for path, file in _mapping(_signed(store, name).get("targets")).items():
            sha256 = _mapping(_mapping(file).get("hashes")).get("sha256")
            if isinstance(sha256, str):
                needed.add(target_name(path, sha256))
    return needed


def _signed(store: Store, name: str) -> Mapping[str, Any]:
    """Read what a metadata file says; nothing if it says nothing that can be understood."""
    stored = store.get(name)
    try:
        return _mapping(_mapping(json.loads(stored.data if stored is not None else b"{}")).get("signed"))
    except (ValueError, RecursionError):
        return {}


def _snapshot_version(timestamp: bytes) -> int:
    try:
        version = json.loads(timestamp)["signed"]["meta"]["snapshot.json"]["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return 0
    return version if isinstance(version, int) else 0


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
