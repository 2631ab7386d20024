"""What is to be signed: the statement that takes the head to a later commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.approval.statement import Statement
from flagseal.history.bundle import Bundle
from flagseal.model.document import Document, split_subject
from flagseal.model.errors import ApprovalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flagseal.approval.envelope import Envelope
    from flagseal.approval.trust import Trust
    from flagseal.history.head import Head


@dataclass(frozen=True)
class Proposal:
    """A statement nobody has signed yet, with the content it speaks of."""

    statement: Statement
    documents: Mapping[str, Document]

    def bundle(self, envelope: Envelope) -> Bundle:
        """Carry it with the signatures collected."""
        return Bundle(envelope, self.documents)


def changes(head: Head, documents: Iterable[Document]) -> dict[str, Document]:
    """Compare the head with what a commit holds.

    Args:
        head: The accepted state.
        documents: All governed documents of the commit; none is a tombstone.

    Returns:
        By subject, every document that differs; a tombstone for each that is there no more. None of them: nothing is
        left to approve.
    """
    known = head.manifest.entries
    found = {document.subject: document for document in documents}
    different = {subject: document for subject, document in found.items() if known.get(subject) != document.digest}
    for subject, document in head.documents.items():
        if subject not in found and not document.is_tombstone:
            different[subject] = Document(*split_subject(subject), spec=None)
    return dict(sorted(different.items()))


def propose(
    head: Head,
    trust: Trust,
    *,
    commit: str,
    tree: str,
    different: Mapping[str, Document],
    contributors: Iterable[str],
    ticket: str | None,
) -> Proposal:
    """Write the statement that approves the net change from the head to a commit.

    A function of its arguments, so that every approver signs the same bytes.

    Args:
        head: The accepted state.
        trust: Names the repository and the branch.
        commit: A later commit on the branch's first-parent line.
        tree: Its whole tree.
        different: What :func:`changes` finds between the head and the commit.
        contributors: Who signed the commits between.
        ticket: Of the change.

    Raises:
        ApprovalError: ``NothingChanges`` if nothing does.
    """
    if not different:
        raise ApprovalError(
            f"{commit[:12]} changes no governed document.",
            code="NothingChanges",
            remedy="There is nothing to approve.",
        )
    digests = {subject: document.digest for subject, document in different.items()}
    statement = Statement(
        repository_id=trust.repository_id,
        repository_name=trust.repository_name,
        ref=trust.ref,
        from_commit=head.commit,
        commit=commit,
        tree=tree,
        sequence=head.sequence + 1,
        before=head.manifest.digest,
        after=head.manifest.changed(digests).digest,
        subjects=digests,
        replaces={subject: head.manifest.entries.get(subject) for subject in different},
        contributors=tuple(sorted(set(contributors))),
        ticket=ticket,
    )
    return Proposal(statement, different)
