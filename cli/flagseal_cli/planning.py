"""What a plan is made from: a state before, a state after, and who had a hand in the difference."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flagseal.history import changes
from flagseal.history.waiting import Change
from flagseal.model.document import Document, split_subject
from flagseal.model.errors import InvalidDocuments, SnapshotError, UsageError
from flagseal.model.policy_set import load_policies
from flagseal.policy import Facts, State
from flagseal_cli.console import note
from flagseal_cli.published import published_state
from flagseal_cli.workspace import data_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from flagseal.history import Head
    from flagseal.model.finding import Finding
    from flagseal.model.policies import PolicySet
    from flagseal.repository import FlagRepository


@dataclass(frozen=True)
class Base:
    """What a change is held against.

    Attributes:
        commit: Its id.
        state: Its documents.
        policies: Those in force there.
        head: The accepted state, if that is what the commit stands for.
    """

    commit: str
    state: State
    policies: PolicySet
    head: Head | None


def sound(read: tuple[tuple[Document, ...], tuple[Finding, ...]]) -> tuple[Document, ...]:
    """Take documents that were read without an error.

    Raises:
        InvalidDocuments: There is one.
    """
    documents, findings = read
    if errors := [finding for finding in findings if finding.severity == "error"]:
        raise InvalidDocuments(errors)
    return documents


def base_of(git: FlagRepository, revision: str, repository: Path, environment: str | None, data: Path | None) -> Base:
    """Read the base; where it is the accepted commit of a local installation, with what history knows of it."""
    commit = git.resolve(revision)
    try:
        folder = data_folder(repository, environment, data)
    except UsageError:
        folder = None
    if folder is not None and folder.is_initialised:
        try:
            head = published_state(folder).head
        except SnapshotError as error:
            note(f"What is accepted cannot be told: {error.message}")
        else:
            if head.commit == commit:
                return Base(commit, head.documents, head.policies, head)
    documents = sound(git.documents(commit))
    state = State({document.subject: document for document in documents})
    return Base(commit, state, load_policies(documents), None)


def judged(base: Base, different: Mapping[str, Document], contributors: tuple[str, ...], ticket: str | None) -> Facts:
    """Put together what a decision on a change of the base is made from, at this instant."""
    after = base.state.changed(different)
    now = datetime.now(UTC).replace(microsecond=0)
    in_effect, pending = {}, {}
    if base.head is not None:
        head, clock = base.head, max(now, base.head.accepted_at)
        change = Change.of(head, after, tuple(different), head.sequence + 1, clock)
        for name in base.policies.environments:
            if head.waiting(name, clock):
                in_effect[name] = head.effective(name, clock)
            if linked := change.linked(name):
                pending[name] = max(entry.effective_from for entry in linked)
    return Facts(
        accepted=base.state,
        after=after,
        subjects=tuple(different),
        contributors=contributors,
        approvals=(),
        now=now,
        ticket=ticket,
        in_effect=in_effect,
        pending_until=pending,
        accepted_at=base.head.accepted_at if base.head is not None else None,
        # Of a base that nobody accepted, the commit says as well what its documents are, at no cost.
        head=None if base.head is not None else base.commit,
    )


def changes_of(base: Base, documents: tuple[Document, ...]) -> Mapping[str, Document]:
    """Name the documents that differ from the base, tombstones of those that are gone included, by subject."""
    if base.head is not None:
        return changes(base.head, documents)
    found = {document.subject: document for document in documents}
    different = {
        subject: document
        for subject, document in found.items()
        if (known := base.state.documents.get(subject)) is not document
        and (known is None or known.digest != document.digest)
    }
    gone = (subject for subject in base.state.documents if subject not in found)
    return dict(sorted({**different, **{it: Document(*split_subject(it), spec=None) for it in gone}}.items()))
