"""The head: the accepted state, and what of it is in effect where and when (docs/adr/0010-what-waits.md)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from flagseal.emergency.ledger import EMPTY
from flagseal.history.manifest import Manifest
from flagseal.history.wholeness import require_compiling, require_policies, require_unique
from flagseal.model.errors import ApprovalError
from flagseal.policy.state import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flagseal.approval.trust import Trust
    from flagseal.emergency.ledger import Emergencies
    from flagseal.model.document import Document
    from flagseal.model.policies import PolicySet

REMEMBERED = timedelta(hours=24)
"""How long a head remembers what took effect: as long as a freeze may hold it back (docs/adr/0115)."""

BEGINNING = datetime.fromtimestamp(0, UTC)
"""When a genesis counts as accepted: before everything, and the same for everybody."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Say when an accepted statement takes effect in one environment, or did, and what is in effect before.

    Attributes:
        environment: Where.
        sequence: Of the statement.
        effective_from: The instant from which it is in effect.
        before: What is in effect until then for its subjects; None where there is nothing.
        approvals: By which approval that is; the same subjects, where there is something.
    """

    environment: str
    sequence: int
    effective_from: datetime
    before: Mapping[str, Document | None]
    approvals: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ReviewApproval:
    """Say how a review was approved.

    Attributes:
        statement: Id of the statement that approved it as it is.
        sequence: Its number.
        accepted_at: When it was accepted.
        by: Who approved it, of those who count: nobody who wrote it, or asked for what it reviews. Sorted.
    """

    statement: str
    sequence: int
    accepted_at: datetime
    by: tuple[str, ...]


@dataclass(frozen=True)
class Head:
    """Hold the accepted state.

    A function of the trust, the genesis and the accepted entries alone; replaying them gives an equal head. What it
    remembers of the past does not count for that: who holds a head lets go of what no freeze can ask for any more.

    Attributes:
        repository_id: As in ``trust.json``.
        ref: The protected branch.
        sequence: Of the last accepted statement.
        commit: It approved this.
        manifest: Of all documents.
        documents: All governed documents by subject, tombstones included.
        approvals: Subject to the statement (its id) that approved its document; ``genesis:<commit>`` before any.
        pending: What waits, in the order of sequence and environment.
        accepted_at: When the last statement was accepted, by the clock of who accepted it.
        statement: Id of the last accepted statement; None at genesis.
        reviews: By subject, how each review among the documents was approved (docs/adr/0159).
        recent: What took effect in the :data:`REMEMBERED` time before the last acceptance, in that order.
        policies: Those in force: the accepted ones.
    """

    repository_id: str
    ref: str
    sequence: int
    commit: str
    manifest: Manifest
    documents: State
    approvals: Mapping[str, str]
    pending: tuple[Pending, ...]
    accepted_at: datetime
    statement: str | None
    reviews: Mapping[str, ReviewApproval] = field(default_factory=dict, kw_only=True)
    recent: tuple[Pending, ...] = field(default=(), kw_only=True, compare=False, repr=False)
    policies: PolicySet = field(compare=False, repr=False)
    _effective: dict[tuple[str, frozenset[int]], State] = field(default_factory=dict, compare=False, repr=False)

    def waiting(self, environment: str, now: datetime) -> tuple[Pending, ...]:
        """Give what waits in an environment at an instant; the clock never goes back behind the last acceptance."""
        clock = max(now, self.accepted_at)
        return tuple(
            entry for entry in self.pending if entry.environment == environment and entry.effective_from > clock
        )

    def remembering(self, environment: str, instant: datetime) -> Head:
        """Give the same head, which remembers only what took effect in one environment after an instant."""
        kept = tuple(it for it in self.recent if it.environment == environment and it.effective_from > instant)
        return self if len(kept) == len(self.recent) else replace(self, recent=kept)

    def since(self, environment: str, instant: datetime) -> tuple[Pending, ...]:
        """Give what takes effect after an instant, or took since, in order; no longer ago than :data:`REMEMBERED`."""
        found = (
            entry
            for entry in (*self.recent, *self.pending)
            if entry.environment == environment and entry.effective_from > instant
        )
        return tuple(sorted(found, key=lambda entry: (entry.effective_from, entry.sequence)))

    def effective(self, environment: str, now: datetime) -> State:
        """Give what is in effect in an environment at an instant: the accepted documents, but for what waits."""
        return self.effective_without(environment, self.waiting(environment, now))

    def effective_approvals(self, environment: str, now: datetime) -> Mapping[str, str]:
        """Give, for each subject in effect, the approval by which it is."""
        waiting = self.waiting(environment, now)
        if not waiting:
            return self.approvals
        approvals = dict(self.approvals)
        for entry in waiting:
            for subject, document in entry.before.items():
                if document is None:
                    del approvals[subject]
                else:
                    approvals[subject] = entry.approvals[subject]
        return approvals

    def effective_without(self, environment: str, undone: tuple[Pending, ...]) -> State:
        """Give what was in effect before something took effect.

        Args:
            environment: Where.
            undone: What :meth:`since` gives for some instant, or the end of it.
        """
        if not undone:
            return self.documents
        key = environment, frozenset(entry.sequence for entry in undone)
        if key not in self._effective:
            # The earliest has the last word: what was in effect before it is what was in effect before all.
            before = {subject: it for entry in reversed(undone) for subject, it in entry.before.items()}
            self._effective[key] = self.documents.changed(before)
        return self._effective[key]

    def approval_without(self, undone: Iterable[Pending], subject: str) -> str | None:
        """Give the approval by which a subject was in effect before something took effect; None if it was not there."""
        for entry in undone:
            if subject in entry.before:
                return entry.approvals.get(subject)
        return self.approvals.get(subject)


def genesis(trust: Trust, documents: Iterable[Document]) -> Head:
    """Begin a history.

    Args:
        trust: Pins the commit and the digest of its manifest.
        documents: All governed documents at that commit (and tombstones, if the genesis was moved forward).

    Raises:
        ApprovalError: ``GenesisMismatch``, ``PoliciesInvalid``, ``NotUnique``, ``NotCompiling``.

    Returns:
        A head whose statements begin at the genesis' sequence plus one.
    """
    found: dict[str, Document] = {}
    for document in documents:
        if document.subject in found:
            raise ApprovalError(f"{document.subject} is there twice at genesis.", code="GenesisMismatch")
        found[document.subject] = document.packed()
    manifest = Manifest.of(found)
    if manifest.digest != trust.genesis.manifest:
        raise ApprovalError(
            f"The documents of {trust.genesis.commit[:12]} have the manifest {manifest.digest}, and trust.json pins"
            f" {trust.genesis.manifest}.",
            code="GenesisMismatch",
            remedy="Use the repository and commit that trust.json names, or make a new trust with the offline keys.",
        )
    state = State(MappingProxyType(found))
    policies = require_policies(found.values())
    require_unique(found.values())
    require_compiling(state, state.catalogue.flags, policies)
    return Head(
        repository_id=trust.repository_id,
        ref=trust.ref,
        sequence=trust.genesis.sequence,
        commit=trust.genesis.commit,
        manifest=manifest,
        documents=state,
        approvals=dict.fromkeys(found, f"genesis:{trust.genesis.commit}"),
        pending=(),
        accepted_at=BEGINNING,
        statement=None,
        policies=policies,
    )


def in_effect(head: Head, environment: str, now: datetime) -> Mapping[str, Document]:
    """Give the documents in effect in an environment at an instant, by subject; tombstones included.

    Args:
        head: The accepted state.
        environment: Its name.
        now: Aware. An instant before the last acceptance counts as that.
    """
    return head.effective(environment, now)


def next_change(head: Head, environment: str, now: datetime, emergencies: Emergencies = EMPTY) -> datetime | None:
    """Give the instant at which something takes effect, or an emergency begins or ends, next; None if nothing will."""
    instants = [entry.effective_from for entry in head.waiting(environment, now)]
    emergency = emergencies.next_change(now)
    return min([*instants, *([] if emergency is None else [emergency])], default=None)
