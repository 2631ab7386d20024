"""Decide on past statements by other policies than those that decided.

Each is judged by itself, on the state that it really met: its content, its signatures, what was in effect and pending,
its time. Only rows, roles, people, windows and the rest of the policies are the candidate's; so are the keys by which
signatures are taken for somebody's. That the candidate is not what was in force is the one check that does not count.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final

from flagseal.approval.evidence import gather
from flagseal.history.waiting import Change
from flagseal.policy import Facts, decide
from flagseal_validators.policy_replay.values import Otherwise, ReplayReport

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from flagseal.approval.trust import Attestor
    from flagseal.model.policies import PolicySet
    from flagseal.policy.decision import Decision
    from flagseal_validators.policy_replay.values import Past

_OF_THE_REPLAY: Final = frozenset({"policies-in-force"})


def replay(
    pasts: Iterable[Past], candidate: PolicySet, *, genesis: str, attestors: tuple[Attestor, ...] = ()
) -> ReplayReport:
    """Decide on past statements by candidate policies.

    Args:
        pasts: In the order in which they were met.
        candidate: The policies to be tried.
        genesis: The commit with which the history begins.
        attestors: Keys whose word about a forge's facts counts.
    """
    statements = tuple(_otherwise(past, candidate, attestors) for past in pasts)
    return ReplayReport(genesis, candidate.digest, statements)


def _otherwise(past: Past, candidate: PolicySet, attestors: tuple[Attestor, ...]) -> Otherwise:
    statement = past.bundle.envelope.statement
    facts = _facts(past, candidate, attestors)
    decision = decide(facts, candidate)
    failed = [check for check in decision.failed if check.id not in _OF_THE_REPLAY]
    reasons = [f"{check.environment}: {check.reason}" if check.environment else check.reason for check in failed]
    unknown = sorted(set(statement.contributors) - candidate.organisation.people.keys())
    if unknown:
        reasons.insert(0, f"{', '.join(unknown)} contributed, and nobody of that name is in the organisation")
    approved = {approval.person for approval in facts.approvals}
    if not reasons and not approved - set(statement.contributors):
        reasons.append("nobody but its contributors approved the change")
    return Otherwise(
        sequence=statement.sequence,
        commit=statement.commit,
        at=past.at,
        fate=past.fate,
        subjects=tuple(sorted(statement.subjects)),
        approved_by=tuple(sorted(approved)),
        allowed=not reasons,
        reasons=tuple(dict.fromkeys(reasons)),
        remedies=tuple(dict.fromkeys(check.remedy for check in failed if check.remedy)),
        missing=tuple(f"{entry.environment or 'policies'}: {entry.text()}" for entry in decision.missing),
        later=_later(past, decision, attestors) if past.fate == "accepted" else {},
    )


def _facts(past: Past, policies: PolicySet, attestors: tuple[Attestor, ...]) -> Facts:
    """Gather the facts of a statement as acceptance does, with signatures read by some policies' keys."""
    head, statement = past.before, past.bundle.envelope.statement
    clock = max(past.at.astimezone(UTC).replace(microsecond=0), head.accepted_at)
    after = head.documents.changed(past.bundle.documents)
    change = Change.of(head, after, statement.subjects, statement.sequence, clock)
    environments = sorted({*head.policies.environments, *policies.environments})
    linked = {name: change.linked(name) for name in environments}
    return Facts(
        accepted=head.documents,
        after=after,
        subjects=tuple(statement.subjects),
        contributors=statement.contributors,
        approvals=gather(past.bundle.envelope, statement, policies.organisation, attestors).approvals,
        now=clock,
        ticket=statement.ticket,
        in_effect={name: head.effective(name, clock) for name in environments if head.waiting(name, clock)},
        pending_until={name: max(entry.effective_from for entry in some) for name, some in linked.items() if some},
        accepted_at=head.accepted_at,
        head=head.manifest.digest,
    )


def _later(past: Past, decision: Decision, attestors: tuple[Attestor, ...]) -> dict[str, tuple[datetime, datetime]]:
    """Find the environments in which it would take effect later than it did."""
    policies = past.before.policies
    then = decide(_facts(past, policies, attestors), policies).environments
    found = {}
    for name, entry in decision.environments.items():
        was = then[name].effective_from if name in then else None
        if entry.effective_from is not None and was is not None and entry.effective_from > was:
            found[name] = entry.effective_from, was
    return found
