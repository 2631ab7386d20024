"""Accepting a statement: the one function by which publisher and clients decide (approval.md).

::

    statement ─ chain ─► content ─► evidence ─► policy.decide ─► whole ─► head
                  │         │           │             │            │
                  └─────────┴───────────┴─────────────┴────────────┴──► refusal, with its reason; the head stays
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from flagseal.approval.evidence import approvers, attested, gather
from flagseal.history.bundle import HistoryEntry
from flagseal.history.head import Head, ReviewApproval
from flagseal.history.waiting import Change, remembered, settle
from flagseal.history.wholeness import require_compiling, require_policies
from flagseal.model.document import POLICY_KINDS
from flagseal.model.errors import ApprovalError, FlagsealError, InvalidDocuments
from flagseal.model.loader import parse_body
from flagseal.policy.classify import reached
from flagseal.policy.decide import decide
from flagseal.policy.facts import Facts
from flagseal.policy.reviews import is_review, requesters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.approval.envelope import Envelope
    from flagseal.approval.evidence import Evidence
    from flagseal.approval.statement import Statement
    from flagseal.approval.trust import Trust
    from flagseal.history.bundle import Bundle
    from flagseal.history.manifest import Manifest
    from flagseal.model.document import Document
    from flagseal.policy.decision import Decision
    from flagseal.policy.facts import Approval

_REMEDY_STALE = (
    "Another change was accepted first. Sign again: `flagseal status` shows the statement that builds on it."
)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Say what became of a statement.

    Attributes:
        head: The new head; None if it was refused.
        decision: The record, as far as it came to a decision; it says what is missing.
        refusal: Why it was refused; None if it was accepted.
        entry: What the history keeps of it, signatures that did not count left out; None if it was refused.
    """

    head: Head | None
    decision: Decision | None
    refusal: FlagsealError | None
    entry: HistoryEntry | None

    def require(self) -> Head:
        """Give the new head.

        Raises:
            FlagsealError: The refusal.
        """
        if self.head is None:
            raise self.refusal or ApprovalError("Refused.")
        return self.head


@dataclass(frozen=True, slots=True)
class _Judged:
    """A statement whose chain and content are in order, with everything that decides about it."""

    statement: Statement
    documents: Mapping[str, Document]
    manifest: Manifest
    change: Change
    evidence: Evidence
    decision: Decision

    @property
    def counting(self) -> tuple[str, ...]:
        """Who approved, but for those who wrote it or asked for what it reviews; sorted."""
        apart = requesters(self.statement.subjects, self.change.head.documents, self.change.after)
        people = {approval.person for approval in self.evidence.approvals}
        return tuple(sorted(people - apart.union(self.statement.contributors)))


def accept(head: Head, bundle: Bundle, trust: Trust, *, now: datetime) -> Acceptance:
    """Take the head to the next manifest, or say why not.

    Args:
        head: The accepted state.
        bundle: A statement with the content of its subjects; it does not matter who carries it.
        trust: Names the repository, the branch and the attestors.
        now: Aware. The clock is the later of this and the last acceptance, in whole seconds.

    Returns:
        The new head, or a refusal with one of these codes: ``EnvelopeMalformed``, ``StatementMalformed``,
        ``StatementTooLarge``; ``WrongRepository``, ``WrongBranch``, ``StatementReplayed``, ``SequenceGap``,
        ``BeforeMismatch``, ``FromMismatch``; ``ContentMissing``, ``DigestMismatch``, ``InvalidContent``,
        ``SubjectsMismatch``; ``AuthorUnknown``; ``PoliciesInvalid``, ``NotUnique``, ``NotCompiling``;
        ``ReviewWithPolicies``, ``RequesterUnknown``;
        ``NoValidSignature``; ``ApprovalMissing``, ``SelfApproval``, ``RoleMissing`` and whatever else policies refuse.
    """
    clock = max(now.astimezone(UTC).replace(microsecond=0), head.accepted_at)
    decision = None
    try:
        judged = _judge(head, bundle, trust, clock)
        decision = judged.decision
        _require_approval(judged)
        successor = _successor(head, judged, clock)
    except FlagsealError as error:
        return Acceptance(None, decision, error, None)
    return Acceptance(successor, decision, None, HistoryEntry(judged.evidence.envelope, judged.documents, clock))


def is_signed(head: Head, envelope: Envelope, trust: Trust) -> bool:
    """Tell whether any signature around a statement is somebody's: without one it is never accepted.

    Costs little beside :func:`accept`. Whoever offers statements that anybody may have made asks it first, so that
    thousands of forged ones are as good as none.

    Args:
        head: The accepted state: its organisation says whose keys count.
        envelope: Of the statement.
        trust: Names the attestors.
    """
    if not envelope.signatures:
        return False
    return bool(approvers(envelope, head.policies.organisation) or attested(envelope, trust.attestors, 0))


def _judge(head: Head, bundle: Bundle, trust: Trust, clock: datetime) -> _Judged:
    statement = bundle.envelope.statement
    require_chain(head, statement, trust)
    documents = _content(statement, bundle)
    manifest = _manifest(head, statement, documents)
    organisation = head.policies.organisation
    unknown = [person for person in statement.contributors if person not in organisation.people]
    if unknown:
        raise ApprovalError(
            f"{', '.join(unknown)} contributed, and nobody of that name is in the organisation.", code="AuthorUnknown"
        )
    evidence = gather(bundle.envelope, statement, organisation, trust.attestors)
    facts, change = facts_about(head, statement, documents, evidence.approvals, clock)
    return _Judged(statement, documents, manifest, change, evidence, decide(facts, head.policies))


def facts_about(
    head: Head,
    statement: Statement,
    documents: Mapping[str, Document],
    approvals: tuple[Approval, ...],
    clock: datetime,
) -> tuple[Facts, Change]:
    """Collect what a statement is decided from.

    Args:
        head: The accepted state.
        statement: It builds on the head.
        documents: Its subjects' content.
        approvals: Given for it.
        clock: The time of acceptance.
    """
    after = head.documents.changed(documents)
    change = Change.of(head, after, statement.subjects, statement.sequence, clock)
    environments = head.policies.environments
    linked = {name: change.linked(name) for name in environments}
    facts = Facts(
        accepted=head.documents,
        after=after,
        subjects=tuple(statement.subjects),
        contributors=statement.contributors,
        approvals=approvals,
        now=clock,
        ticket=statement.ticket,
        in_effect={name: head.effective(name, clock) for name in environments if head.waiting(name, clock)},
        pending_until={name: max(entry.effective_from for entry in some) for name, some in linked.items() if some},
        accepted_at=head.accepted_at,
        head=head.manifest.digest,
        mergers=statement.forge_mergers(),
    )
    return facts, change


def require_chain(head: Head, statement: Statement, trust: Trust) -> None:
    """Check that a statement continues this history and no other (approval.md, check 1).

    Raises:
        ApprovalError: See :func:`accept`.
    """
    if statement.repository_id != trust.repository_id or statement.repository_id != head.repository_id:
        raise ApprovalError(
            f"The statement speaks of the repository {statement.repository_id}, and this one is {trust.repository_id}.",
            code="WrongRepository",
        )
    if statement.ref != trust.ref:
        raise ApprovalError(
            f"The statement speaks of {statement.ref}, and the protected branch is {trust.ref}.", code="WrongBranch"
        )
    if statement.sequence <= head.sequence:
        raise ApprovalError(
            f"The statement has number {statement.sequence}, and {head.sequence} is accepted already.",
            code="StatementReplayed",
            remedy="To go back to an earlier state, commit it again: that is a new statement.",
        )
    if statement.sequence != head.sequence + 1:
        raise ApprovalError(
            f"The statement has number {statement.sequence}, and {head.sequence + 1} is missing.",
            code="SequenceGap",
            remedy="Bring the statements between; none can be left out.",
        )
    if statement.before != head.manifest.digest:
        raise ApprovalError(
            f"The statement builds on the manifest {statement.before[:19]}…, and {head.manifest.digest[:19]}… is"
            " accepted.",
            code="BeforeMismatch",
            remedy=_REMEDY_STALE,
        )
    if statement.from_commit != head.commit:
        raise ApprovalError(
            f"The statement goes on from commit {statement.from_commit[:12]}, and {head.commit[:12]} is accepted.",
            code="FromMismatch",
            remedy=_REMEDY_STALE,
        )


def _content(statement: Statement, bundle: Bundle) -> dict[str, Document]:
    """Take the subjects' documents out of the bundle, each valid and of the digest approved (check 3)."""
    documents = {}
    for subject, digest in statement.subjects.items():
        document = bundle.documents.get(subject)
        if document is None:
            raise ApprovalError(
                f"{subject}: its content was not delivered.",
                code="ContentMissing",
                remedy="A statement is accepted whole: bring every document that it names.",
            )
        if document.subject != subject:
            raise ApprovalError(f"{subject}: {document.subject} was delivered for it.", code="InvalidContent")
        try:
            # A copy of our own: what is hashed, decided on and kept is one value.
            own = parse_body(document.body(), place=subject, allow_tombstone=True)
        except InvalidDocuments as error:
            raise ApprovalError(error.message, code="InvalidContent", remedy=error.remedy) from error
        if own.digest != digest:
            raise ApprovalError(
                f"{subject}: the content has the digest {own.digest[:19]}…, and {digest[:19]}… was approved.",
                code="DigestMismatch",
                remedy="An edit after approval needs a new approval.",
            )
        documents[subject] = own.packed()
    return documents


def _manifest(head: Head, statement: Statement, documents: Mapping[str, Document]) -> Manifest:
    """Give the manifest afterwards, held against what the statement says of it."""
    known = head.manifest.entries
    for subject, digest in statement.subjects.items():
        if statement.replaces[subject] != known.get(subject):
            raise ApprovalError(
                f"{subject}: the statement replaces another content than the accepted one.",
                code="SubjectsMismatch",
                remedy=_REMEDY_STALE,
            )
        if digest == known.get(subject):
            raise ApprovalError(f"{subject}: nothing changes.", code="SubjectsMismatch")
        if documents[subject].is_tombstone and subject not in known:
            raise ApprovalError(f"{subject}: what never was cannot be removed.", code="SubjectsMismatch")
    manifest = head.manifest.changed(statement.subjects)
    if manifest.digest != statement.after:
        raise ApprovalError("The statement's subjects do not lead to its manifest.", code="SubjectsMismatch")
    return manifest


def _require_approval(judged: _Judged) -> None:
    """Refuse what the decision denies, and what nobody but its contributors approved, whatever the policies say."""
    people = {approval.person for approval in judged.evidence.approvals}
    counting = set(judged.counting)
    failed = {check.id for check in judged.decision.failed}
    if not people and failed <= _ABOUT_PEOPLE:
        raise ApprovalError(
            "No signature of anybody in the organisation is on the statement yet.",
            code="NoValidSignature",
            remedy=_remedy(judged.decision),
        )
    if not judged.decision.allowed:
        raise refusal_of(judged.decision, approved=bool(counting))
    if not counting:
        raise ApprovalError(
            "Nobody approved the change but who wrote it, or asked for what it reviews.", code="SelfApproval"
        )


_CODES = {
    "subjects": "SubjectsMismatch",
    "policies-in-force": "PoliciesInvalid",
    "policies-valid": "PoliciesInvalid",
    "compiles": "NotCompiling",
    "unique": "NotUnique",
    "environments": "UnknownEnvironment",
    "review-apart": "ReviewWithPolicies",
    "requester": "RequesterUnknown",
    "policy-may-not-wait": "PolicyMayNotWait",
    "default-deny": "NotCovered",
    "self-approval": "SelfApproval",
    "approvals": "RoleMissing",
    "evidence": "EvidenceMissing",
    "merger": "MergerUnknown",
    "ticket": "TicketMissing",
    "window": "OutsideWindow",
    "schedule": "OutsideWindow",
    "max-step": "StepTooLarge",
    "staging-first": "StagingFirst",
}
"""Code by check; of several that failed, the first of this list gives its name to the refusal."""

_ABOUT_PEOPLE = frozenset({"approvals", "evidence"})


def refusal_of(decision: Decision, *, approved: bool) -> ApprovalError:
    """Turn a decision that denies into an error whose message names everything that failed.

    Args:
        decision: It denies.
        approved: Whether anybody who may approve did so at all.
    """
    failed = {check.id for check in decision.failed}
    first = next((name for name in _CODES if name in failed), "")
    code = "ApprovalMissing" if first == "approvals" and not approved else _CODES.get(first, "PolicyDenied")
    reasons = dict.fromkeys(
        f"{check.environment}: {check.reason}" if check.environment else check.reason for check in decision.failed
    )
    return ApprovalError(". ".join(reasons) + ".", code=code, remedy=_remedy(decision))


def _remedy(decision: Decision) -> str:
    return " ".join(dict.fromkeys(check.remedy for check in decision.failed if check.remedy))


def _successor(head: Head, judged: _Judged, clock: datetime) -> Head:
    statement, change, decided = judged.statement, judged.change, judged.decision.environments
    # Names and keys are the decision's to check: it looks only where something is claimed anew.
    policies, flags = head.policies, reached(statement.subjects, head.documents, change.after)
    governing = any(subject.partition("/")[0] in POLICY_KINDS for subject in statement.subjects)
    if governing:
        policies, flags = require_policies(change.after.values()), frozenset(change.after.catalogue.flags)
    require_compiling(change.after, flags, policies)
    if nowhen := sorted(name for name, entry in decided.items() if entry.effective_from is None):
        raise ApprovalError(
            f"{', '.join(nowhen)}: there is no time at which this may take effect.", code="OutsideWindow"
        )
    successor = Head(
        repository_id=head.repository_id,
        ref=head.ref,
        sequence=statement.sequence,
        commit=statement.commit,
        manifest=judged.manifest,
        documents=change.after,
        approvals=MappingProxyType({**head.approvals, **dict.fromkeys(statement.subjects, statement.id)}),
        pending=(),
        accepted_at=clock,
        statement=statement.id,
        policies=policies,
        reviews=_reviews(head, judged, clock),
    )
    pending = settle(
        change,
        policies.environments,
        effective_from={name: entry.effective_from for name, entry in decided.items() if entry.effective_from},
        at_once=frozenset(name for name, entry in decided.items() if entry.toward_safe_now),
    )
    waits = any(entry.sequence == statement.sequence for entry in pending)
    if waits and governing:
        raise ApprovalError(
            "The change would have to wait for its time, and policies are in force when they are accepted.",
            code="PolicyMayNotWait",
            remedy="Commit the change of policies apart from the change of flags.",
        )
    return replace(successor, pending=pending, recent=remembered(change, policies.environments, pending))


def _reviews(head: Head, judged: _Judged, clock: datetime) -> Mapping[str, ReviewApproval]:
    """Keep how the reviews that are there were approved; one that is edited was approved anew, or not at all."""
    subjects = [subject for subject in judged.statement.subjects if is_review(subject)]
    if not subjects:
        return head.reviews
    statement = judged.statement
    approval = ReviewApproval(statement.id, statement.sequence, clock, judged.counting)
    found = {**head.reviews, **dict.fromkeys(subjects, approval)}
    return {subject: it for subject, it in found.items() if judged.change.after.live(subject) is not None}
