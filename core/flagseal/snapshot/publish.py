"""Publish builds as signed snapshots (distribution.md, Publishing).

Build, verify as a client would, then write, in this order, each write atomic::

    targets/…/<sha256>.flags.json      named by content: creating one twice is the same
    metadata/8.ns-payments.json        created or skipped: nobody overwrites a version
    metadata/12.snapshot.json          created: whoever creates N owns N
    metadata/timestamp.json            replaced, if it is still the one that was read

Until the last write every reader sees the old snapshot whole, so a crash between any two leaves it in place.
Two publishers that both believe to be active meet at the last two writes: one of them starts over from what
the other published.
"""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

from tuf.api.metadata import Timestamp

from flagseal.emergency import EMPTY, take
from flagseal.history import build, reviewed
from flagseal.model.errors import SnapshotError
from flagseal.snapshot.chain import verify_chain
from flagseal.snapshot.compose import Composer, Lifetimes
from flagseal.snapshot.content import Known, verify_content
from flagseal.snapshot.foreseeing import ProposedFiles, foresee
from flagseal.snapshot.layout import metadata_name, target_name
from flagseal.snapshot.marks import Mark
from flagseal.snapshot.proposal import as_published, propose
from flagseal.snapshot.published import ChainFiles, check_mark, incomplete, read_live, rolled_back
from flagseal.snapshot.refusal import Refused
from flagseal.snapshot.store import AlreadyExists, Conflict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from securesystemslib.signer import Signer
    from tuf.api.metadata import TargetFile

    from flagseal.approval.trust import Trust
    from flagseal.history import Build, Head, HistoryEntry
    from flagseal.model.document import Document
    from flagseal.snapshot.compose import Draft
    from flagseal.snapshot.content import Content, Files
    from flagseal.snapshot.foreseeing import Foreseen
    from flagseal.snapshot.marks import Marks
    from flagseal.snapshot.proposal import Proposal
    from flagseal.snapshot.published import Live
    from flagseal.snapshot.store import Store

_TIMESTAMP = metadata_name(Timestamp.type)
_MOST_ATTEMPTS = 32


def utc_now() -> datetime:
    """Read the machine's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Published:
    """What lies in the store after a call.

    Attributes:
        version: Of the snapshot.
        sequence: Of the head in it.
        changed: Whether the call changed what clients evaluate or verify; re-signing alone does not.
        namespaces: Those whose files changed, ``_repository`` included.
        expires: When the timestamp expires unless it is signed again.
    """

    version: int
    sequence: int
    changed: bool
    namespaces: tuple[str, ...]
    expires: datetime


class Publisher:
    """Publish to one store. Safe to call from several threads, and to run beside another by mistake.

    Args:
        store: Where to.
        root: The pinned root.
        online: The online key.
        clock: Gives the time in UTC.
        marks: Memory outside the store.
        lifetimes: How long signatures hold.
    """

    def __init__(
        self,
        store: Store,
        root: bytes,
        online: Signer,
        *,
        marks: Marks,
        clock: Callable[[], datetime] = utc_now,
        lifetimes: Lifetimes | None = None,
    ) -> None:
        self._store = store
        self._root = root
        self._online = online
        self._marks = marks
        self._clock = clock
        self._lifetimes = lifetimes or Lifetimes()
        self._live: Live | None = None
        self._foreseen: Foreseen | None = None
        self._lock = Lock()

    @property
    def trust(self) -> Trust | None:
        """What the offline keys said when the store was looked at last; None before the first look."""
        live = self._live
        return None if live is None else live.trusted.trust

    def load(self) -> Content | None:
        """Read back what is published, verified as a client would: where a restarted builder goes on from.

        Raises:
            SnapshotError: What :func:`~flagseal.snapshot.published.read_live` says.

        Returns:
            Trust, head and build; None if nothing is published yet, or nothing that is approved under a key that
            counts: then the next :meth:`publish` takes the whole history.
        """
        with self._lock:
            return self._sync().content

    def publish(
        self,
        build: Build,
        entries: Sequence[HistoryEntry] = (),
        genesis_documents: Sequence[Document] | None = None,
    ) -> Published:
        """Publish a build, if it differs from what is published.

        Args:
            build: What to publish.
            entries: The history that leads to its head, in order: at least what was accepted since the published
                head; what is published already is passed over.
            genesis_documents: Needed once, at the first snapshot, and where genesis has moved past what is published.

        Raises:
            SnapshotError: The store is behind the mark (``StoreRolledBack``) or cannot be written; the build is
                behind what is published (``Superseded``), leads elsewhere (``HistoryForked``), or would be refused by
                its clients (``BuildRefused``); its history has a gap (``HistoryGap``).
        """
        with self._lock:
            return self._until_written(
                lambda live, files: propose(
                    live, files, build, entries, genesis_documents, lost=self._marks.read().lost
                )
            )

    def rehearse(
        self,
        head: Head,
        now: datetime,
        entries: Sequence[HistoryEntry],
        genesis_documents: Sequence[Document] | None = None,
    ) -> Build:
        """Decide beforehand, as clients will, what leads to a head: publishing it then does not take that time.

        Holds up nobody who publishes meanwhile. Writes and signs nothing.

        Args:
            head: What to publish.
            now: The clock.
            entries: As for :meth:`publish`.
            genesis_documents: The same.

        Raises:
            SnapshotError: As for :meth:`publish`.

        Returns:
            What that head comes to by the emergencies that are published: not what to publish, which has those of
            its own moment, but what to build that from.
        """
        with self._lock:
            live = self._sync()
        trust, content = live.trusted.trust, live.content
        previous = None if content is None else content.build
        # What that head's organisation lets hold: it may have taken somebody's role away.
        emergencies, _ = take(
            EMPTY if previous is None else previous.emergencies, (), head.policies.organisation, trust, now=now,
            reviewed=lambda it: reviewed(head, it) is not None,
        )  # fmt: skip
        rehearsed = build(head, trust.environment, now, previous=previous, emergencies=emergencies)
        proposal = propose(live, self._files(live), rehearsed, entries, genesis_documents)
        with _refusing():
            at = self._clock()
            files = ProposedFiles(proposal, self._read)
            self._foreseen = foresee(files, trust, now=at, base=content, known=_known(content, at))
        return rehearsed

    def refresh(self) -> Published | None:
        """Sign again what is due, and take up what a ceremony left in the store. Call it every minute or so.

        Raises:
            SnapshotError: As for :meth:`publish`.

        Returns:
            None if nothing is published yet.
        """
        with self._lock:
            if self._sync().content is None:
                return None
            return self._until_written(lambda live, files: as_published(live, files, self._clock()))

    def _until_written(self, proposal_for: Callable[[Live, Files | None], Proposal]) -> Published:
        taken: set[str] = set()
        for attempt in range(_MOST_ATTEMPTS):
            live = self._sync()
            try:
                return self._write(live, proposal_for(live, self._files(live)), taken)
            except _Taken as error:
                # Somebody died here, or is faster; what is published by now is read again before the next try.
                taken.add(error.name)
            except Conflict:
                self._live = None
            # Two that collide once must not collide for ever.
            time.sleep(secrets.randbelow(1 + 2 * attempt) / 1000)
        raise SnapshotError(
            "other publishers keep changing the store", code="StoreContended", remedy="Run one publisher a store."
        )

    def _sync(self) -> Live:
        """Know what is published: from memory if nobody else wrote, else from the store, verified."""
        mark = self._marks.read()
        live = self._live
        stored = self._store.get(_TIMESTAMP)
        if live is None or live.etag != (None if stored is None else stored.etag) or self._ceremony_held(live):
            live = read_live(self._store, self._root, mark, now=self._clock(), known=live)
            self._live = live
        check_mark(live, mark)
        return live

    def _ceremony_held(self, live: Live) -> bool:
        root, targets = live.trusted.root, live.trusted.targets
        return any(self._store.get(metadata_name(role.type, role.version + 1)) is not None for role in (root, targets))

    def _write(self, live: Live, proposal: Proposal, taken: set[str]) -> Published:
        now, mark = self._clock(), self._marks.read()

        def is_taken(name: str) -> bool:
            return name in taken or self._store.get(name) is not None

        composer = Composer(self._online, self._lifetimes, now, mark, is_taken)
        targets = (live.trusted.targets, live.targets_length)
        draft = composer.compose(live.trusted.root, targets, live.chain, proposal.wanted)
        if draft.timestamp is None:
            # Whoever published this may have died before it could remember.
            self._remember(live, mark)
            return _report(live, draft)
        after = self._verified(live, draft, proposal, now)
        if after.content is None or after.chain is None or after.content.head.sequence < mark.sequence:
            if mark.lost and after.content is not None:
                raise incomplete(mark, after.content.head.sequence)
            raise rolled_back(mark, "no newer state")
        for path, data in proposal.added.items():
            self._put_target(proposal.wanted[path.partition("/")[0]][path], data)
        for name, data in draft.roles.items():
            self._put_new(name, data)
        if draft.snapshot is not None:
            self._put_new(*draft.snapshot)
        etag = self._store.replace(_TIMESTAMP, draft.timestamp, if_match=live.etag)
        self._live = replace(after, etag=etag)
        if self._foreseen is not None and self._foreseen.content.build.head.sequence <= after.content.head.sequence:
            self._foreseen = None
        self._remember(after, mark)
        return _report(after, draft)

    def _remember(self, live: Live, mark: Mark) -> None:
        """Raise the mark to what lies in the store, verified."""
        if live.chain is None or live.content is None:
            return
        reached = Mark(live.content.head.sequence, live.chain.version, live.chain.timestamp.version)
        if mark.raised(reached) != mark:
            self._marks.reach(reached)

    def _verified(self, live: Live, draft: Draft, proposal: Proposal, now: datetime) -> Live:
        """Verify, before anything is written, what clients will see once it is."""
        overlay = draft.files
        for path, data in proposal.added.items():
            file = proposal.wanted[path.partition("/")[0]][path]
            overlay[target_name(path, file.hashes["sha256"])] = data

        def read(name: str) -> bytes | None:
            return overlay[name] if name in overlay else self._read(name)

        known = _known(live.content, now)
        with _refusing():
            chain = verify_chain(read, live.trusted.root, known=live.chain)
            files = ChainFiles(chain, read)
            content = verify_content(
                files, files.trust(), now=now, base=live.content, known=known, foreseen=self._foreseen
            )
        return replace(live, chain=chain, content=content)

    def _files(self, live: Live) -> ChainFiles | None:
        return None if live.chain is None else ChainFiles(live.chain, self._read)

    def _read(self, name: str) -> bytes | None:
        stored = self._store.get(name)
        return None if stored is None else stored.data

    def _put_new(self, name: str, data: bytes) -> None:
        try:
            self._store.put_new(name, data)
        except AlreadyExists as error:
            raise _Taken(name) from error

    def _put_target(self, file: TargetFile, data: bytes) -> None:
        """Create a target; mend one that is there and is not what its name says."""
        name = target_name(file.path, file.hashes["sha256"])
        try:
            self._store.put_new(name, data)
        except AlreadyExists:
            there = self._store.get(name)
            if there is None or there.data != data:
                self._store.replace(name, data, if_match=None if there is None else there.etag)


def _known(content: Content | None, now: datetime) -> Known | None:
    """Decide as who looked just now: what was accepted too long before, they would refuse, and everything after it.

    Not of emergencies: a builder takes what is not published yet anew at each step, so they cannot grow old.
    """
    return None if content is None else Known(content.head.sequence, content.head.statement, now, of_emergencies=False)


@contextmanager
def _refusing() -> Iterator[None]:
    """Say of what clients would refuse that it is not published."""
    try:
        yield
    except Refused as error:
        raise SnapshotError(
            f"clients would refuse this snapshot ({error.reason}): {error.message}",
            code="BuildRefused",
            remedy="Nothing was published. Load what is published and build again; if it persists, report it.",
        ) from error


class _Taken(Exception):
    """Say that a versioned name belongs to somebody else."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _report(live: Live, draft: Draft) -> Published:
    if live.chain is None or live.content is None:
        raise SnapshotError("nothing is published", code="NothingPublished")
    return Published(
        version=live.chain.version,
        sequence=live.content.head.sequence,
        changed=bool(draft.namespaces),
        namespaces=draft.namespaces,
        expires=live.chain.timestamp.expires,
    )
