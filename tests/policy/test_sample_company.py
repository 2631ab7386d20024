"""The company of ``flags/`` and ``policies/``: its policies decide what ``policies/tests`` says they do."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest

from flagseal.model.loader import load_text
from flagseal.policy import Approval
from flagseal.policy.state import State
from tests.policy.company import Company, Spec, edited, flag, orgs, production

TOP = Path(__file__).parents[2]
LOADED = [
    document
    for folder in ("flags", "policies")
    for path in sorted((TOP / folder).rglob("*.yaml"))
    for document in load_text(path.read_bytes(), file=path.relative_to(TOP).as_posix()).documents
]
COMPANY = Company(State({document.subject: document for document in LOADED if document.kind != "PolicyTest"}))
CASES: list[dict[str, Any]] = [
    case
    for document in LOADED
    if document.kind == "PolicyTest"
    for case in cast("dict[str, Any]", document.spec)["cases"]
]
SUBJECT = "FlagDefinition/tests/case"


def spec_of(subject: str) -> Spec:
    """Give the spec of one of the company's documents."""
    return cast("Spec", COMPANY.accepted[subject].spec)


def flags_of(change: Spec) -> tuple[Spec, Spec]:
    """Make a flag before and after a change of a class, in one environment."""
    small, large = [[], [orgs("acme")]] if change["tier"] != "high-risk" else [[], [share()]]
    rules = {"widen": (small, large), "toward-safe": (large, small), "metadata": (small, small)}[change["class"]]

    def made(rules_here: list[Spec], description: str) -> Spec:
        environments = production()
        section = environments[change["environment"]]
        section.update(default="disabled", rules=rules_here)
        return flag(owner=change["owner"], riskTier=change["tier"], environments=environments, description=description)

    return made(rules[0], "Before."), made(rules[1], "After." if change["class"] == "metadata" else "Before.")


def share() -> Spec:
    """Serve no more than a row for high risk lets anybody take at once."""
    return {"name": "share", "split": {"enabled": 25, "disabled": 75}}


def changes_of(case: Spec) -> tuple[dict[str, Spec | None], Company]:
    """Make the change of a case, and the company in which it is made."""
    change = case["given"]["change"]
    if "policies" in change:
        organisation = spec_of("Organisation/organisation")
        if change["class"] == "toward-safe":
            fewer = edited(organisation, lambda spec: spec["teams"]["team-security"]["members"].pop())
            return {"Organisation/organisation": fewer}, COMPANY
        rows = edited(spec_of("ApprovalPolicy/approvals"), lambda spec: spec["policies"].pop("toward-safe"))
        return {"ApprovalPolicy/approvals": rows}, COMPANY
    before, after = flags_of(change)
    return {SUBJECT: after}, COMPANY.then({SUBJECT: before})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_policies_decide_as_their_tests_say(case: Spec) -> None:
    """Each case as a real change, decided from its content."""
    changes, company = changes_of(case)
    given = case["given"]
    evidence = frozenset(given.get("evidence", ["keys"]))
    decision = company.decide(
        changes,
        tuple(Approval(person, evidence) for person in given["approvals"]),
        author=" ".join([given["author"], *given.get("contributors", ())]),
        now=datetime.fromisoformat(given["time"]),
        ticket=given["change"].get("ticket"),
    )
    classes: set[str | None] = {found.change_class for found in decision.environments.values()}
    assert (classes or {decision.policy_class}) == {given["change"]["class"]}
    assert decision.verdict == case["expect"]["verdict"]
    if "missing" in case["expect"]:
        assert sorted({missing.role for missing in decision.missing}) == sorted(case["expect"]["missing"])
    assert {check.id for check in decision.failed} >= set(case["expect"].get("rules", ()))


def test_the_tour_widens_new_checkout_with_an_owner_and_the_release_manager() -> None:
    """Bob edits one line; alice and dora approve, and nobody else has to."""
    subject = "FlagDefinition/payments/new-checkout"

    def widen(spec: Spec) -> None:
        spec["environments"]["production"]["rules"][0]["when"]["org"]["in"].append("globex")

    changes: dict[str, Spec | None] = {subject: edited(spec_of(subject), widen)}
    decision = COMPANY.decide(changes)
    assert [missing.text() for missing in decision.missing] == [
        "1 × owner (team-payments): alice",
        "1 × release-manager: dora",
    ]
    assert COMPANY.decide(changes, "alice dora").verdict == "allow"


@pytest.mark.parametrize("subject", [document.subject for document in LOADED if document.kind == "FlagDefinition"])
def test_every_flag_of_the_company_can_be_switched_off_by_one_approver(subject: str) -> None:
    """The way back is never hard, whatever the flag: no owner, no window, no ticket."""

    def off(spec: Spec) -> None:
        for section in spec["environments"].values():
            section["off"] = True

    spec = edited(spec_of(subject), off)
    if spec == spec_of(subject):
        pytest.skip("it is off already")
    decision = COMPANY.decide({subject: spec}, "carol", now=datetime.fromisoformat("2026-12-26T03:00:00+00:00"))
    assert decision.verdict == "allow", decision.failed
    assert all(found.toward_safe_now for found in decision.environments.values())
