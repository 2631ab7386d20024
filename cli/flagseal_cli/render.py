"""Standings and decisions as lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from flagseal.approval.statement import Statement
    from flagseal.history import Acceptance, Head
    from flagseal.model.policies import Organisation
    from flagseal.policy.decision import Check, Decision
    from flagseal.policy.facts import Approval
    from flagseal_operator.standing import Standing

INSTANT = "%Y-%m-%d %H:%M UTC"


def change_lines(stands: Standing) -> Iterator[str]:
    """Say what a revision changes, of which class and tier, and why."""
    if stands.candidate is None:
        return
    statement = stands.candidate.proposal.statement
    for subject in sorted(statement.subjects):
        document = stands.candidate.proposal.documents[subject]
        replaced = statement.replaces[subject]
        new = replaced in {None, document.tombstone().digest}
        what = "removes" if document.is_tombstone else "adds" if new else "changes"
        yield f"  {what} {subject}"
    decision = stands.acceptance.decision if stands.acceptance else None
    if decision is not None:
        yield from decision_lines(decision)


def decision_lines(decision: Decision) -> Iterator[str]:
    """Say what was decided, by environment."""
    for name, entry in sorted(decision.environments.items()):
        when = "" if entry.effective_from is None else f", from {entry.effective_from:{INSTANT}}"
        yield f"  {name}: {entry.change_class}, {entry.tier}{when}"
        for why in entry.why:
            yield f"      {why}"
    if decision.policy_class is not None:
        yield f"  policies: {decision.policy_class}"
        for why in decision.policy_why:
            yield f"      {why}"


def missing_lines(stands: Standing) -> Iterator[str]:
    """Say what a revision still needs, or that it needs nothing."""
    if stands.problem is not None:
        yield f"Cannot be approved: {stands.problem.message}"
        if stands.problem.remedy:
            yield f"  → {stands.problem.remedy}"
        return
    if stands.acceptance is not None:
        yield from _shortfall(stands.acceptance, stands.branch)


def _shortfall(acceptance: Acceptance, branch: str | None) -> Iterator[str]:
    if acceptance.head is not None:
        when = f"once {branch} has it, on its first-parent line" if branch else "as soon as `flagseal up` sees it"
        yield f"Nothing is missing: it is accepted {when}."
        return
    decision = acceptance.decision
    if decision is None:
        yield f"Refused: {acceptance.refusal.message if acceptance.refusal else 'no reason is known'}"
        return
    if decision.missing:
        yield "Missing:"
        for missing in decision.missing:
            yield f"  {missing.environment or 'policies'}: {missing.text()}"
    told = {"approvals", "evidence", "self-approval"} if decision.missing else set()
    for check in decision.failed:
        if check.id not in told:
            yield f"Refused by {check.id}{f' ({check.environment})' if check.environment else ''}: {check.reason}"
            if check.remedy:
                yield f"  → {check.remedy}"


def approval_lines(approvals: tuple[Approval, ...], organisation: Organisation) -> Iterator[str]:
    """Name the people whose signatures count."""
    for approval in approvals:
        person = organisation.people.get(approval.person)
        name = f" ({person.name})" if person else ""
        yield f"  {approval.person}{name}, by {' and '.join(sorted(approval.evidence))}"


def check_lines(checks: Iterable[Check]) -> Iterator[str]:
    """Say what each check found, and what to do where it refuses."""
    for check in checks:
        place = f" ({check.environment})" if check.environment else ""
        yield f"  {'ok  ' if check.passed else 'FAIL'} {check.id}{place}: {check.reason}"
        if check.remedy and not check.passed:
            yield f"       → {check.remedy}"


def attested_lines(statement: Statement) -> Iterator[str]:
    """Say what a statement says that the forge knew; nothing where it says nothing."""
    match statement.forge:
        case {"request": {"number": number, "mergedAt": merged, **rest}, "approvals": list(approvals), **more}:
            yield f"By the git host: request {number}, merged at {merged} by {_login(rest.get('mergedBy'))}"
            yield f"  opened by {_login(rest.get('author'))}"
            for approval in approvals:
                if isinstance(approval, dict):
                    reviewed, roles = str(approval.get("reviewed"))[:12], approval.get("roles")
                    held = ", ".join(map(str, roles)) if isinstance(roles, list) else ""
                    yield f"  {_login(approval)} approved {reviewed} at {approval.get('at')} ({held})"
            yield f"  attested by {more.get('verifier')}, facts of {more.get('observedAt')}"


def _login(account: object) -> str:
    match account:
        case {"person": person, "login": login}:
            return f"{person or 'nobody known'} ({login})"
        case _:
            return "nobody known"


def pending_lines(head: Head, environment: str, now: datetime) -> Iterator[str]:
    """Say what is accepted and waits for its time."""
    for entry in head.waiting(environment, now):
        yield f"  statement {entry.sequence}: in effect from {entry.effective_from:{INSTANT}}"
        for subject in sorted(entry.before):
            yield f"      {subject}"
