"""A publisher beside a protected branch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from securesystemslib.signer import CryptoSigner

from flagseal.snapshot import ceremony
from flagseal.snapshot.client import SnapshotClient
from flagseal.snapshot.marks import FileMarks
from flagseal.snapshot.publish import Publisher
from flagseal.snapshot.store import DirectoryStore
from flagseal_operator.engine import Engine
from flagseal_operator.git_source import GitSource
from tests.history.branch import Branch
from tests.snapshot.world import Clock

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.model.document import Document
    from flagseal.snapshot.verified import Verified


@dataclass
class Site:
    """A branch, a store, the engine between them, and a client that verifies in full."""

    folder: Path
    branch: Branch
    clock: Clock
    root: bytes
    online: CryptoSigner
    engine: Engine

    @staticmethod
    def at(folder: Path, *documents: Document, now: datetime) -> Site:
        """Found a site on a branch that begins with the company's policies and some documents."""
        branch = Branch.at(folder / "repo", *documents)
        online = CryptoSigner.generate_ed25519()
        root = ceremony.init(
            DirectoryStore(folder / "store"),
            trust=branch.trust,
            root_signers=[CryptoSigner.generate_ed25519()],
            threshold=1,
            online_key=online.public_key,
            now=now,
        )
        site = Site(folder, branch, Clock(now), root, online, engine=None)  # type: ignore[arg-type]  # the next line
        site.restart()
        return site

    def restart(self) -> None:
        """Begin with a new process: everything in memory is gone."""
        publisher = Publisher(
            DirectoryStore(self.folder / "store"),
            self.root,
            self.online,
            clock=self.clock,
            marks=FileMarks(self.folder / "marks.json"),
        )
        source = GitSource(self.branch.git.open(), self.branch.trust)
        self.engine = Engine(source, publisher, self.branch.trust, clock=self.clock)

    def approved(self, document: Document, *people: str) -> str:
        """Commit a change and have it approved, on top of what is accepted; the engine has not seen it yet."""
        self.branch.poll(now=self.clock.now)
        commit = self.branch.commit(document)
        self.branch.approve(*people)
        return commit

    def served(self) -> Verified:
        """Give what a new client serves after verifying in full."""
        cache = self.folder / f"cache-{self.clock.now.timestamp():.0f}-{len(list(self.folder.iterdir()))}"
        with SnapshotClient(cache, DirectoryStore(self.folder / "store"), self.root, clock=self.clock) as client:
            outcome = client.refresh()
            assert outcome.reason is None, outcome.message
            assert client.current is not None
            return client.current

    def wait(self, **time: float) -> None:
        """Let time pass, and the engine look."""
        self.clock.now += timedelta(**time)
        self.engine.step()
