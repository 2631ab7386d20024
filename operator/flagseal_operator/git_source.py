"""Statements and their content from a git repository on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal.intake import advance, recover

if TYPE_CHECKING:
    from datetime import datetime

    from flagseal.approval.trust import Trust
    from flagseal.history import Advance, Head
    from flagseal.model.document import Document
    from flagseal.repository import FlagRepository

_REFS: Final = "--format=%(objectname) %(refname)"


class GitSource:
    """Read the protected branch and its notes; see :class:`flagseal_operator.engine.Source`.

    Args:
        repository: Used from one thread at a time.
        trust: Names the branch and where its history begins.
    """

    def __init__(self, repository: FlagRepository, trust: Trust) -> None:
        self._repository = repository
        self._trust = trust

    def fingerprint(self) -> str:
        """Give a text that changes when the branch or any note moves; costs one call of git."""
        return self._repository.git.text("for-each-ref", _REFS, self._trust.ref, "refs/notes", "refs/remotes/*/notes")

    def genesis_documents(self) -> tuple[Document, ...]:
        """Give the governed documents of the genesis commit."""
        documents, _ = self._repository.documents(self._trust.genesis.commit)
        return documents

    def advance(self, head: Head, now: datetime) -> Advance:
        """Accept what can be accepted on the branch."""
        return advance(self._repository, head, self._trust, now=now)

    def recover(self, now: datetime) -> Advance:
        """Rebuild the history from genesis by the whole chain."""
        return recover(self._repository, self._trust, now=now)
