"""The company in a real git repository: commits signed by its people, approvals as notes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flagseal.approval.envelope import Envelope
from flagseal.approval.trust import Genesis, Trust
from flagseal.history import Head, HistoryEntry, Manifest, accept, genesis
from flagseal.intake import Candidate, advance, candidate
from flagseal.model.document import REVIEW_KINDS
from tests.approval.keyring import SshKey
from tests.history.company import MONDAY, policies
from tests.repository.gitrepo import GitRepository

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from flagseal.approval.envelope import Signature
    from flagseal.history import Acceptance
    from flagseal.model.document import Document
    from flagseal.repository import FlagRepository


def path_of(document: Document) -> str:
    """Say where a document lies."""
    if document.namespace is None:
        return f"{'reviews' if document.kind in REVIEW_KINDS else 'policies'}/{document.name}.yaml"
    return f"flags/{document.namespace}/{document.name}.yaml"


def text_of(document: Document) -> str:
    """Write a document as a file: JSON is YAML."""
    return json.dumps(document.body(), indent=2) + "\n"


@dataclass
class Branch:
    """A protected branch, and the head that a publisher has."""

    git: GitRepository
    start: tuple[Document, ...]
    trust: Trust = field(init=False)
    head: Head = field(init=False)
    repository: FlagRepository = field(init=False)
    entries: list[HistoryEntry] = field(default_factory=list)

    @staticmethod
    def at(path: Path, *documents: Document, date: str | None = None) -> Branch:
        """Begin with the company's policies and some documents."""
        return Branch(GitRepository.at(path), (*policies(), *documents)).begin(date)

    def begin(self, date: str | None = None) -> Branch:
        """Commit the beginning, and trust it."""
        self.git.put({path_of(document): text_of(document) for document in self.start})
        commit = self.git.commit("genesis", by="alice", date=date)
        self.repository = self.git.open()
        self.trust = Trust(
            repository_id=self.repository.identity,
            repository_name="acme/flags",
            ref="refs/heads/main",
            environment="production",
            genesis=Genesis(commit, Manifest.of({entry.subject: entry for entry in self.start}).digest),
        )
        self.head = genesis(self.trust, self.start)
        return self

    def commit(self, *documents: Document, by: str | None = "bob", message: str = "change", **how: Any) -> str:  # noqa: ANN401 (as GitRepository.commit)
        """Commit documents, signed by somebody or nobody."""
        self.git.put({path_of(document): text_of(document) for document in documents})
        return self.git.commit(message, by=by, **how)

    def remove(self, document: Document, by: str = "bob") -> str:
        """Commit the removal of a document."""
        self.git.put({path_of(document): None})
        return self.git.commit("remove", by=by)

    def candidate(self, revision: str = "HEAD") -> Candidate:
        """Give what is to be signed."""
        return candidate(self.repository, self.head, self.trust, revision)

    def approve(self, *people: str, revision: str = "HEAD") -> None:
        """Sign what is proposed for a revision, each with a line of their own."""
        payload = self.candidate(revision).proposal.statement.payload()
        for person in people:
            self.note(payload, SshKey.of(person).approve(payload), revision=revision)

    def note(self, payload: bytes, *signatures: Signature, revision: str = "HEAD") -> None:
        """Write an envelope into the notes."""
        self.repository.add_note(revision, Envelope(payload, tuple(sorted(signatures))).to_line())

    def judge(self, revision: str = "HEAD", now: datetime = MONDAY) -> Acceptance:
        """Try what is noted for a revision."""
        return accept(self.head, self.candidate(revision).bundle, self.trust, now=now)

    def poll(self, now: datetime = MONDAY) -> tuple[str, ...]:
        """Do what a publisher does; give the commits accepted."""
        moved = advance(self.repository, self.head, self.trust, now=now)
        self.head = moved.head
        self.entries += moved.entries
        return tuple(entry.envelope.statement.commit for entry in moved.entries)
