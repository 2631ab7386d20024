"""FS215: the owner's team is large enough for the approvals that its flags need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.policies import OWNER_ROLE
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.flag import FlagDefinition
    from flagseal.model.policies import PolicyRow, PolicySet
    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    policies = declared.policies
    if policies is None:
        return
    for document, flag in declared.flags:
        members = policies.organisation.teams.get(flag.owner, ())
        count = len({it.person for it in members if it.until is None or it.until >= declared.today})
        if not count:
            continue  # told for itself
        asked, row = max(_asked(flag, policies), key=lambda it: it[0], default=(0, None))
        if row is not None and asked > count:
            who = f"{count} member{'s' * (count > 1)}"
            message = f"{row.place} asks for {asked} owners, and {flag.owner} has {who}"
            yield Complaint(document, "$.spec.owner", message)


def _asked(flag: FlagDefinition, policies: PolicySet) -> Iterator[tuple[int, PolicyRow]]:
    """Give the rows that changes of a flag fall under, and how many owners each asks for."""
    sides = {
        "production" if policies.environments[name].production else "nonProduction"
        for name in flag.environments
        if name in policies.environments
    }
    for (tier, side, _), row in policies.approval.tiers.items():
        if tier == flag.risk_tier and side in sides:
            for needed in row.approvals:
                if needed.role == OWNER_ROLE:
                    yield needed.count, row


_POLICY = {
    "policies/approvals.yaml": """\
tiers:
  high-risk:
    production:
      widen: {approvals: [{role: owner, count: 2}], evidence: either}
      toward-safe: {approvals: [{role: flag-approver, count: 1}], evidence: either}
"""
}

RULE = Rule(
    id="FS215",
    title="Too few owners for the approvals it needs",
    severity="error",
    scope="references",
    reads=("policies", "day"),
    why="A change of the flag could never be approved, not even by everyone who answers for it.",
    remedy="Give the flag to a larger team, the team more members, or ask for fewer owners.",
    bad=Example("riskTier: high-risk\nowner: team-one\n", others=_POLICY),
    good=Example("riskTier: high-risk\nowner: team-payments\n", others=_POLICY),
    check=_check,
)
