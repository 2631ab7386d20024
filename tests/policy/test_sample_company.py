"""The company of ``flags/`` and ``policies/``, decided upon as the tour and an incident would."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import cast

import pytest

from flagseal.model.loader import load_text
from flagseal.policy.state import State
from tests.policy.company import Company, Spec, edited

TOP = Path(__file__).parents[2]
LOADED = [
    document
    for folder in ("flags", "policies")
    for path in sorted((TOP / folder).rglob("*.yaml"))
    for document in load_text(path.read_bytes(), file=path.relative_to(TOP).as_posix()).documents
]
COMPANY = Company(State({document.subject: document for document in LOADED if document.kind != "PolicyTest"}))


def spec_of(subject: str) -> Spec:
    """Give the spec of one of the company's documents."""
    return cast("Spec", COMPANY.accepted[subject].spec)


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
