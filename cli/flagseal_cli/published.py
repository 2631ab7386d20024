"""The verified state of a data folder, for commands that ask and sign."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.marks import FileMarks
from flagseal.snapshot.published import ChainFiles, read_live
from flagseal.snapshot.store import DirectoryStore
from flagseal.snapshot.trail import Trail

if TYPE_CHECKING:
    from flagseal.approval.trust import Trust
    from flagseal.history import Build, Head
    from flagseal.snapshot.chain import Chain
    from flagseal.snapshot.marks import Mark
    from flagseal.snapshot.store import Store
    from flagseal_cli.workspace import DataFolder


@dataclass(frozen=True)
class PublishedState:
    """What is published, verified in full just now.

    Attributes:
        chain: The signed metadata.
        trust: By which it was verified.
        head: The accepted state.
        build: What of it is in effect, compiled.
        trail: Its history.
        now: When it was verified.
    """

    chain: Chain
    trust: Trust
    head: Head
    build: Build
    trail: Trail
    now: datetime

    @property
    def stale(self) -> bool:
        """Whether nobody signed it again in time: no publisher is running."""
        return self.chain.timestamp.expires <= self.now


def published_state(data: DataFolder) -> PublishedState:
    """Verify what is published, from the pinned root and the store alone; a stopped publisher is no obstacle.

    Raises:
        UsageError: Nothing was founded there.
        SnapshotError: It does not verify, or nothing is published yet.
    """
    found = stored_state(DirectoryStore(data.store), data.read_root(), FileMarks(data.marks).read())
    if found is None:
        raise SnapshotError(
            f"{data.store}: nothing is published yet",
            code="NothingPublished",
            remedy="Start `flagseal up`; it publishes what is approved.",
        )
    return found


def stored_state(store: Store, root: bytes, marks: Mark) -> PublishedState | None:
    """Verify what a store has; None if nothing is published in it yet.

    Raises:
        SnapshotError: It does not verify.
    """
    now = datetime.now(UTC)
    live = read_live(store, root, marks, now=now)
    if live.chain is None or live.content is None:
        return None

    def read(name: str) -> bytes | None:
        stored = store.get(name)
        return None if stored is None else stored.data

    content = live.content
    trail = Trail(ChainFiles(live.chain, read), content.trust)
    return PublishedState(live.chain, content.trust, content.head, content.build, trail, now)
