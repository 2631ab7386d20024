"""FS609: every tier has a way back in production."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    if declared.policies is None:
        return
    rows = declared.policies.approval.tiers
    for document in declared.of_kind("ApprovalPolicy"):
        for tier in sorted({tier for tier, side, _ in rows if side == "production"}):
            if (tier, "production", "toward-safe") not in rows:
                message = f"tier {tier} has no `toward-safe` row in production"
                yield Complaint(document, f"$.spec.tiers.{tier}.production", message)


RULE = Rule(
    id="FS609",
    title="A tier without a way back",
    severity="error",
    scope="references",
    reads=("policies",),
    why="Its kill switch would need what a widening needs: windows, steps and all.",
    remedy="Add a `toward-safe` row that one person on call can satisfy.",
    bad=Example(
        """\
tiers:
  sensitive:
    production:
      widen: {approvals: [{role: owner, count: 1}], evidence: either}
""",
        file="policies/approvals.yaml",
    ),
    good=Example(
        """\
tiers:
  sensitive:
    production:
      widen: {approvals: [{role: owner, count: 1}], evidence: either}
      toward-safe: {approvals: [{role: flag-approver, count: 1}], evidence: either}
""",
        file="policies/approvals.yaml",
    ),
    check=_check,
)
