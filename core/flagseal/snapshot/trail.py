"""The way back from what is served: by which statement, whose signatures and which policy it came to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.approval.evidence import gather
from flagseal.history import accept, genesis
from flagseal.model.errors import SnapshotError
from flagseal.snapshot.chain import root_history, verify_chain
from flagseal.snapshot.content import Claim, genesis_documents, head_at, history_entries
from flagseal.snapshot.layout import HEAD
from flagseal.snapshot.published import ChainFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from flagseal.approval.trust import Trust
    from flagseal.history import Head, HistoryEntry
    from flagseal.policy.decision import Decision
    from flagseal.policy.facts import Approval
    from flagseal.snapshot.content import Files
    from flagseal.snapshot.store import Reader


@dataclass(frozen=True)
class Approved:
    """One accepted statement, decided again.

    Attributes:
        entry: As the history keeps it.
        before: The head that it builds on, whose policies decided.
        approvals: Whose signatures count.
        decision: The record.
    """

    entry: HistoryEntry
    before: Head
    approvals: tuple[Approval, ...]
    decision: Decision

    @property
    def accepted_at(self) -> datetime:
        """When it was accepted."""
        return self.entry.accepted_at


class Trail:
    """The published history, for questions about the past. Ask only once what is published was verified in full.

    Args:
        files: The targets of the verified snapshot.
        trust: By which it was verified.
    """

    def __init__(self, files: Files, trust: Trust) -> None:
        self._files = files
        self.trust = trust
        self.sequence = Claim.parse(files.read(HEAD)).sequence

    @classmethod
    def of(cls, store: Reader, root: bytes) -> Trail:
        """Read a store's history, every file held against its signed hash.

        Raises:
            SnapshotError: The signatures do not hold.
        """

        def read(name: str) -> bytes | None:
            stored = store.get(name)
            return None if stored is None else stored.data

        files = ChainFiles(verify_chain(read, root_history(root, read)[-1]), read)
        return cls(files, files.trust())

    def entries(self) -> Iterator[HistoryEntry]:
        """Give the accepted statements since genesis, in order."""
        return history_entries(self._files, self.trust.genesis.sequence, self.sequence)

    def heads_as_of(self, instants: Iterable[datetime]) -> dict[datetime, Head]:
        """Rebuild the heads that were accepted at some instants, genesis before any, by one replay for all of them.

        Raises:
            FlagsealError: The history does not hold.
        """
        waiting = sorted(set(instants), reverse=True)
        found: dict[datetime, Head] = {}
        head = genesis(self.trust, genesis_documents(self._files))
        for entry in self.entries() if waiting else ():
            while waiting and waiting[-1] < entry.accepted_at:
                found[waiting.pop()] = head
            if not waiting:
                break
            head = accept(head, entry.bundle, self.trust, now=entry.accepted_at).require()
        return found | dict.fromkeys(waiting, head)

    def approved(self, statement: str) -> Approved | None:
        """Find an accepted statement by its id, and decide it again as it was decided.

        Raises:
            FlagsealError: The history does not hold.
        """
        entry = next((it for it in self.entries() if it.envelope.statement.id == statement), None)
        return None if entry is None else self._again(entry)

    def covering(self, commit: str) -> Approved | None:
        """Find the accepted statement that speaks of a commit."""
        entry = next((it for it in self.entries() if it.envelope.statement.commit == commit), None)
        return None if entry is None else self._again(entry)

    def _again(self, entry: HistoryEntry) -> Approved:
        said = entry.envelope.statement
        before = head_at(self._files, self.trust, said.sequence - 1)
        outcome = accept(before, entry.bundle, self.trust, now=entry.accepted_at)
        if outcome.decision is None or outcome.head is None:
            raise outcome.refusal or SnapshotError(f"statement {said.sequence} does not hold", code="HistoryBroken")
        evidence = gather(entry.envelope, said, before.policies.organisation, self.trust.attestors)
        return Approved(entry, before, evidence.approvals, outcome.decision)
