"""FS610: every row can be satisfied by the people there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.policies import OWNER_ROLE
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.policies import Organisation, PolicyRow
    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    document = declared.policy("ApprovalPolicy")
    if document is None or declared.policies is None:
        return
    approval = declared.policies.approval
    organisation = declared.policies.organisation
    for row in (*approval.tiers.values(), *approval.policies.values()):
        for index, needed in enumerate(row.approvals):
            if needed.role == OWNER_ROLE:
                continue  # another team for each flag
            holders = _holders(organisation, needed.role, declared)
            if len(holders) < needed.count:
                path = f"$.spec.{row.place}.approvals[{index}]"
                message = f"{needed.count} of role {needed.role} are asked for, and {_number(holders)} holds it"
                yield Complaint(document, path, message)
        yield from _together(declared, row)


def _together(declared: Declared, row: PolicyRow) -> Iterator[Complaint]:
    """Complain where the roles of a row, taken together, need more people than hold any of them."""
    document = declared.policy("ApprovalPolicy")
    if document is None or declared.policies is None:
        return
    organisation = declared.policies.organisation
    named = [needed for needed in row.approvals if needed.role != OWNER_ROLE]
    everybody = set().union(*(_holders(organisation, needed.role, declared) for needed in named))
    alone = all(len(_holders(organisation, needed.role, declared)) >= needed.count for needed in named)
    if alone and sum(needed.count for needed in named) > len(everybody):
        message = (
            f"{sum(needed.count for needed in named)} distinct people are asked for, {len(everybody)} could give it"
        )
        yield Complaint(document, f"$.spec.{row.place}.approvals", message)


def _holders(organisation: Organisation, role: str, declared: Declared) -> set[str]:
    declaration = organisation.roles[role]
    people = set(declaration.people)
    for team in declaration.teams:
        members = organisation.teams[team]
        people |= {it.person for it in members if it.until is None or it.until >= declared.today}
    return people


def _number(people: set[str]) -> str:
    return f"only {', '.join(sorted(people))}" if people else "nobody"


RULE = Rule(
    id="FS610",
    title="A row that nobody can satisfy",
    severity="error",
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
