"""What the API server was seen to hold: a dictionary of our own, fed by watch events.

Events say that something may have changed, never what to do. They may come twice, late, out of order or not at all:
each resource is what its newest version says, and what a list no longer names is gone.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from flagseal.model.canonical import canonical_json, sha256_digest
from flagseal.model.document import API_VERSION, NAMESPACED_KINDS
from flagseal.model.errors import ApprovalError
from flagseal_operator.carriers import Carried, read_carrier
from flagseal_operator.resources import DECLARING, PLURALS, Ref

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_MOST_REMEMBERED: Final = 20_000
"""Deleted resources whose last version is remembered, so that a late event does not bring them back."""

_MOST_ORPHANED: Final = 64 * 1024 * 1024
"""Bytes of documents kept that no resource declares any more; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One resource as it was last seen.

    Attributes:
        uid: Of this incarnation.
        version: ``metadata.resourceVersion``.
        generation: ``metadata.generation``.
        created: ``metadata.creationTimestamp``.
        status: Its status, as canonical JSON; empty if it has none.
        digest: Of the document that it declares; None for kinds that declare none, and where there is a problem.
        problem: Why it cannot be read; None if it can.
        content: For a declared document its canonical form; for a FlagApproval what it carries; else the whole body.
    """

    uid: str
    version: str
    generation: int
    created: str
    status: bytes
    digest: str | None = None
    problem: str | None = None
    content: bytes | Carried | Mapping[str, Any] | None = field(default=None, repr=False)


class Inventory:
    """Hold what was seen. Fed from one thread, read from any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, dict[Ref, Seen]] = {kind: {} for kind in PLURALS}
        self._by_digest: dict[str, bytes] = {}
        self._declaring: Counter[str] = Counter()
        self._orphans: dict[str, int] = {}
        self._orphaned = 0
        self._gone: dict[Ref, tuple[str, int]] = {}
        self._revision = 0
        self._dirty: set[Ref] = set()

    @property
    def revision(self) -> int:
        """A number that grows whenever something changes that could change what is in force, or is to be reported."""
        return self._revision

    def __len__(self) -> int:
        return sum(map(len, self._seen.values()))

    def of(self, kind: str) -> dict[Ref, Seen]:
        """Give all resources of a kind."""
        with self._lock:
            return dict(self._seen[kind])

    def get(self, ref: Ref) -> Seen | None:
        """Give one resource; None if there is none."""
        return self._seen[ref.kind].get(ref)

    def content(self, digest: str) -> bytes | None:
        """Find a declared document by its digest, whichever resource declares it: its canonical form."""
        return self._by_digest.get(digest)

    def take_dirty(self) -> frozenset[Ref]:
        """Give, once, the resources of which something was seen since the last call."""
        with self._lock:
            dirty, self._dirty = self._dirty, set()
        return frozenset(dirty)

    def touch(self, ref: Ref) -> None:
        """Have a resource looked at again, soon, whatever else happens."""
        with self._lock:
            self._dirty.add(ref)
            self._revision += 1

    def see(self, kind: str, event: str | None, body: Mapping[str, Any]) -> bool:
        """Take note of an event.

        Args:
            kind: Of the resource.
            event: ``DELETED``; ``ADDED`` and ``MODIFIED`` mean the same, and so does None, for what a list found.
            body: The resource as the API server gives it.

        Returns:
            Whether anything but a status changed.
        """
        metadata = body.get("metadata") or {}
        ref = Ref(kind, metadata.get("namespace"), str(metadata.get("name")))
        uid, version = str(metadata.get("uid", "")), str(metadata.get("resourceVersion", ""))
        with self._lock:
            before = self._seen[kind].get(ref)
            if self._is_old(ref, before, uid, version):
                return False
            if event == "DELETED":
                self._remember(ref, uid, version)
                return self._drop(ref)
            seen = self._examined(ref, before, body, uid, version)
            self._seen[kind][ref] = seen
            self._dirty.add(ref)
            self._exchange(before, seen)
            changed = before is None or (before.uid, before.generation, before.content, before.problem) != (
                seen.uid,
                seen.generation,
                seen.content,
                seen.problem,
            )
            if changed:
                self._revision += 1
            return changed

    def keep_only(self, kind: str, refs: Collection[Ref], listed_at: str) -> int:
        """Drop what a list of a kind no longer names, and was not seen since the list was made.

        Args:
            kind: Of which everything was listed.
            refs: What the list named.
            listed_at: The resource version of the list.

        Returns:
            How many were dropped.
        """
        named = frozenset(refs)
        with self._lock:
            gone = [
                ref
                for ref, seen in self._seen[kind].items()
                if ref not in named and not _is_newer(seen.version, listed_at)
            ]
            for ref in gone:
                self._drop(ref)
            return len(gone)

    def _is_old(self, ref: Ref, before: Seen | None, uid: str, version: str) -> bool:
        if before is not None and _is_newer(before.version, version):
            return True
        known = self._gone.get(ref)
        return known is not None and known[0] == uid and known[1] >= (_number(version) or 0)

    def _remember(self, ref: Ref, uid: str, version: str) -> None:
        number = _number(version)
        if number is not None:
            self._gone.pop(ref, None)
            self._gone[ref] = (uid, number)
            while len(self._gone) > _MOST_REMEMBERED:
                del self._gone[next(iter(self._gone))]

    def _drop(self, ref: Ref) -> bool:
        seen = self._seen[ref.kind].pop(ref, None)
        if seen is None:
            return False
        self._exchange(seen, None)
        self._revision += 1
        return True

    def _exchange(self, before: Seen | None, after: Seen | None) -> None:
        """Note what a resource declares now, and declared before.

        What nothing declares any more stays at hand by its digest, since carrying proves nothing; but not without end,
        for whoever may edit one resource may edit it as often as they like.
        """
        if after is not None and after.digest is not None and isinstance(after.content, bytes):
            self._by_digest[after.digest] = after.content
            self._declaring[after.digest] += 1
            self._orphaned -= self._orphans.pop(after.digest, 0)
        if before is not None and before.digest is not None:
            self._declaring[before.digest] -= 1
            if self._declaring[before.digest] <= 0:
                del self._declaring[before.digest]
                size = self._orphans[before.digest] = len(self._by_digest[before.digest])
                self._orphaned += size
        while self._orphaned > _MOST_ORPHANED:
            oldest = next(iter(self._orphans))
            self._orphaned -= self._orphans.pop(oldest)
            del self._by_digest[oldest]

    def _examined(self, ref: Ref, before: Seen | None, body: Mapping[str, Any], uid: str, version: str) -> Seen:
        metadata, status = body.get("metadata") or {}, body.get("status")
        bare = Seen(
            uid,
            version,
            int(metadata.get("generation") or 0),
            str(metadata.get("creationTimestamp", "")),
            _canonical(status) or b"",
        )
        if ref.kind in DECLARING:
            canonical = _canonical(declared(ref, body))
            if canonical is None:
                return replace(
                    bare, problem="its values have no canonical form (a number too large, or half a character)"
                )
            if before is not None and before.content == canonical:
                return replace(bare, digest=before.digest, content=before.content)
            return replace(bare, digest=sha256_digest(canonical), content=canonical)
        if ref.kind == "FlagApproval":
            try:
                return replace(bare, content=read_carrier(body))
            except ApprovalError as error:
                return replace(bare, problem=error.message)
        own = {key: metadata[key] for key in ("name", "namespace", "labels", "annotations", "uid") if key in metadata}
        return replace(bare, content={"kind": ref.kind, "metadata": own, "spec": body.get("spec")})


def declared(ref: Ref, body: Mapping[str, Any]) -> object:
    """Give the document that a resource declares, as it stands in git."""
    if ref.kind in NAMESPACED_KINDS:
        metadata = {"name": ref.name, "namespace": ref.namespace}
        return {"apiVersion": API_VERSION, "kind": ref.kind, "metadata": metadata, "spec": body.get("spec")}
    spec = body.get("spec")
    return spec.get("document") if isinstance(spec, dict) else None


def _canonical(value: object) -> bytes | None:
    if value is None:
        return None
    try:
        return canonical_json(value)
    except (ValueError, RecursionError):
        return None


def _number(version: str) -> int | None:
    return int(version) if version.isascii() and version.isdigit() else None


def _is_newer(one: str, other: str) -> bool:
    """Tell whether a resource version is certainly newer than another (docs/adr/0085)."""
    first, second = _number(one), _number(other)
    return first is not None and second is not None and first > second
