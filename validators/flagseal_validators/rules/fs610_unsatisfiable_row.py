"""FS610: every row can be satisfied by the people there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.policies import OWNER_ROLE
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from flagseal.model.document import Document
    from flagseal.model.policies import Organisation, PolicyRow
    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    if declared.policies is None:
        return
    approval = declared.policies.approval
    for document in declared.of_kind("ApprovalPolicy"):
        for row in (*approval.tiers.values(), *approval.policies.values()):
            yield from _row(document, row, declared.policies.organisation, declared.today)


def _row(document: Document, row: PolicyRow, organisation: Organisation, today: date) -> Iterator[Complaint]:
    """Complain where a role of a row, or all of them together, need more people than hold them."""
    named = [(index, needed) for index, needed in enumerate(row.approvals) if needed.role != OWNER_ROLE]
    everybody: set[str] = set()
    alone = True
    for index, needed in named:
        holders = _holders(organisation, needed.role, today)
        everybody |= holders
        if len(holders) < needed.count:
            alone = False
            path = f"$.spec.{row.place}.approvals[{index}]"
            message = f"{needed.count} of role {needed.role} are asked for, and {_number(holders)} holds it"
            yield Complaint(document, path, message)
    asked = sum(needed.count for _, needed in named)
    if alone and asked > len(everybody):
        message = f"{asked} distinct people are asked for, {len(everybody)} could give it"
        yield Complaint(document, f"$.spec.{row.place}.approvals", message)


def _holders(organisation: Organisation, role: str, today: date) -> set[str]:
    declaration = organisation.roles[role]
    people = set(declaration.people)
    for team in declaration.teams:
        members = organisation.teams[team]
        people |= {it.person for it in members if it.until is None or it.until >= today}
    return people


def _number(people: set[str]) -> str:
    return f"only {', '.join(sorted(people))}" if people else "nobody"


RULE = Rule(
    id="FS610",
    title="A row that nobody can satisfy",
    severity="error",
    scope="references",
    reads=("policies", "day"),
    why="The change it speaks of could never be approved, not even the one that mends it.",
    remedy="Ask for fewer, or give the role to more people.",
    bad=Example(
        "policies: {widen: {approvals: [{role: security, count: 5}], evidence: either}}\n",
        file="policies/approvals.yaml",
    ),
    good=Example(
        "policies: {widen: {approvals: [{role: security, count: 1}], evidence: either}}\n",
        file="policies/approvals.yaml",
    ),
    check=_check,
)
