"""What the protection must hold, computed from the policies; and what a change of that word is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.model.errors import InvalidDocuments
from flagseal.model.policy_set import load_policies
from flagseal.policy.policy_change import classify_policies
from flagseal_validators.forge.facts import RequiredCheck
from flagseal_validators.forge.protection import Required, required
from flagseal_validators.plan.authority import authority
from tests.history.company import approval_policy, document, policies

if TYPE_CHECKING:
    from flagseal.model.policies import PolicySet

BYPASS: dict[str, Any] = {"actor": "team", "id": 9, "mode": "always", "reason": "Night shift."}
CHECK: dict[str, Any] = {"name": "ci", "app": 15368}
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


def by(**rows: Any) -> PolicySet:  # noqa: ANN401 (parts of the approval policy)
    """Give the company's policies with other rows."""
    others = [entry for entry in policies() if entry.kind != "ApprovalPolicy"]
    return load_policies([*others, document("ApprovalPolicy", "approvals", approval_policy() | rows)])


def row(count: int, evidence: str) -> dict[str, Any]:
    """Give a row that asks for so many of one role."""
    return {"approvals": [{"role": "security", "count": count}], "evidence": evidence}


def rows(*given: dict[str, Any]) -> dict[str, Any]:
    """Give an approval policy of these rows alone; the last one is that of policies."""
    classes = ("widen", "toward-safe", "metadata")
    side = dict(zip(classes, given[:-1], strict=False))
    return {"tiers": {"sensitive": {"production": side}}, "policies": {"widen": given[-1]}}


@pytest.mark.parametrize(
    ("given", "least", "most"),
    [
        ([row(2, "forge"), row(3, "either")], 2, 3),
        ([row(2, "both"), row(2, "forge")], 2, 2),
        ([row(1, "keys"), row(2, "forge"), row(4, "both")], 2, 4),
        ([row(2, "keys"), row(3, "keys")], 1, 1),
        ([row(12, "forge"), row(11, "forge")], 10, 12),
    ],
)
def test_as_many_approvals_as_no_row_is_held_up_by(given: list[dict[str, Any]], least: int, most: int) -> None:
    """The fewest that a row asks for whose proof is the forge's; GitHub takes no more than ten."""
    found = required(by(**rows(*given)).approval)
    assert (found.approvals, found.most) == (least, most)


def test_checks_and_who_may_pass_are_what_the_policies_name() -> None:
    """And nothing where they name nothing."""
    assert required(by().approval) == Required(approvals=1, most=2)
    found = required(by(protection={"checks": [CHECK], "bypass": [BYPASS]}).approval)
    assert found.checks == (RequiredCheck("ci", 15368),)
    assert found.passers == {"team 9 (always)"}


@pytest.mark.parametrize(
    "protection",
    [
        {"bypass": [{**BYPASS, "actor": "deploy-key"}]},
        {"bypass": [{**BYPASS, "mode": "sometimes"}]},
        {"bypass": [{name: value for name, value in BYPASS.items() if name != "id"}]},
        {"bypass": [{name: value for name, value in BYPASS.items() if name != "reason"}]},
        {"bypass": []},
        {"checks": [{"name": "ci"}]},
        {"approvals": 3},
    ],
)
def test_whoever_may_pass_has_a_number_and_a_reason(protection: dict[str, Any]) -> None:
    """And a check the app that gives it; nothing else can be said."""
    with pytest.raises(InvalidDocuments):
        by(protection=protection)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"protection": {"bypass": [BYPASS]}}),
        ({"protection": {"bypass": [BYPASS]}}, {"protection": {"bypass": [{**BYPASS, "mode": "exempt"}]}}),
        ({"protection": {"checks": [CHECK]}}, {}),
    ],
)
def test_loosening_it_needs_what_the_widest_change_of_policies_needs(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Whoever may pass, or no longer has to, is never taken for authority taken away."""
    one, other = (document("ApprovalPolicy", "approvals", approval_policy() | given) for given in (before, after))
    assert classify_policies([(one, other)])[0] == "widen"


def test_a_plan_says_who_may_pass_and_what_for() -> None:
    """In sentences, both ways."""
    plain, open_ = by(), by(protection={"bypass": [BYPASS], "checks": [CHECK]})
    assert authority(plain, open_, (), NOW).rules == (
        "protection: the forge's team 9 may pass its rules by, always, for: Night shift.",
        "protection: also asks for the check ci of app 15368",
    )
    assert authority(open_, plain, (), NOW).rules == (
        "protection: the forge's team 9 may no longer pass its rules by, always",
        "protection: no longer asks for the check ci of app 15368",
    )
