"""``flagseal policy test --mutate``: each thing that policies ask for, loosened by one step, and who notices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from flagseal.model.loader import parse_body
from flagseal.model.policy_set import load_policies
from flagseal.model.schema.vocabulary import LIFECYCLES
from flagseal_cli.main import run
from flagseal_validators.policy_tests import (
    MutationReport,
    mutate,
    mutations_as_record,
    mutations_as_text,
    run_policy_tests,
)
from flagseal_validators.policy_tests.loosening import loosenings
from flagseal_validators.tree import read_tree
from tests.policy.builders import NOW
from tests.policy.company import CALENDAR, ORGANISATION, POLICIES, documents, edited

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.document import Document
    from tests.policy.company import Spec

TOP = Path(__file__).parents[2]


def enrich(spec: Spec) -> None:
    """Give somebody an account that could be taken away, and somebody a membership that ends."""
    spec["people"]["bob"]["github"] = {"login": "bob-k", "id": 102}
    spec["teams"]["team-search"]["members"].append({"person": "mallory", "until": "2027-03-31"})


def strict(spec: Spec) -> None:
    """Let whoever merges not count among the approvers."""
    spec["tiers"]["sensitive"]["production"]["widen"]["merger"] = "not-counted"


RICH = {
    **POLICIES,
    "ApprovalPolicy/approvals": edited(POLICIES["ApprovalPolicy/approvals"], strict),
    "Organisation/organisation": edited(ORGANISATION, enrich),
    "TrustTiers/trust-tiers": {"tiers": {"partner": {"protocols": ["hmac", "mtls"], "onFailure": "deny"}}},
}


def cases_as_tests(*cases: Spec) -> list[Document]:
    """Make a policy test of cases."""
    body = {"apiVersion": "flagseal.dev/v1alpha1", "kind": "PolicyTest", "metadata": {"name": "t"}}
    return [parse_body({**body, "spec": {"cases": list(cases)}}, place="t")] if cases else []


def mutated(*cases: Spec, policies: Mapping[str, Spec] = RICH) -> MutationReport:
    """Loosen policies under some cases."""
    return mutate([*documents(policies).values(), *cases_as_tests(*cases)], now=NOW)


def kinds(policies: Mapping[str, Spec]) -> set[tuple[str, str]]:
    """Name every loosening there is."""
    return {(it.place, it.what) for it in loosenings(load_policies(documents(policies).values()))}


def case_of(text: str) -> Spec:
    """Read a suggested case back, as somebody who copies it into a file."""
    (found,) = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


def test_the_samples_tests_notice_every_loosening(capsys: pytest.CaptureFixture[str]) -> None:
    """The whole of the sample's policies is guarded, and nothing is without effect."""
    assert run(["policy", "test", "--mutate", "--repo", str(TOP)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    number = last.split()[0]
    assert last == f"{number} loosenings, {number} noticed."
    assert int(number) >= 40


def test_every_thing_that_rows_ask_for_is_loosened() -> None:
    """By one step each: counts, roles, proofs, tickets, windows, what comes first, steps, and fallbacks."""
    found = kinds(RICH)
    high = "tiers.high-risk.production.widen"
    assert {what for place, what in found if place == high} == {
        "does not ask for owner",
        "does not ask for security",
        "takes the evidence forge instead of both",
        "takes the evidence keys instead of both",
        "takes the evidence either instead of both",
        "asks for no ticket",
        "waits for no window (business-hours)",
        "knows no largest step (25)",
        "lets steps be 26 instead of 25",
    }
    assert ("tiers.sensitive.production.widen", "does not ask for staging first") in found
    assert ("policies.widen", "asks for 1 × security instead of 2") in found
    assert ("tiers.sensitive.production.widen", "counts whoever merged it") in found
    fallback = "is gone, so that tiers.sensitive.production.widen decides"
    assert ("tiers.sensitive.production.toward-safe", fallback) in found
    # Its fallback asks for all that it does, and more: without it nothing is looser.
    assert ("tiers.sensitive.production.metadata", fallback) not in found


def test_people_places_and_times_are_loosened_too() -> None:
    """Roles, teams, memberships, environments, windows, blackouts, lifetimes."""
    found = kinds(RICH)
    assert ("roles.security", "is held by everybody") in found
    assert ("roles.security", "counts everywhere instead of in production") in found
    assert ("teams.team-payments", "has everybody in it, as owners of its flags") in found
    assert ("teams.team-search", "keeps mallory after 2027-03-31") in found
    assert ("environments.production", "goes by the rows of nonProduction") in found
    assert ("windows.business-hours", "opens every day") in found
    assert ("windows.business-hours", "is open all day") in found
    assert ("blackouts[0]", "year end is gone") in found
    assert ("blackouts[0]", "year end does not hold sensitive flags") in found
    assert ("maxLifetime.release", "release flags may live 181 days instead of 180") in found
    assert ("review.entitlement", "entitlement flags may go without a review for any number of days") in found
    assert ("transitions.draft", "draft flags may take any step") in found
    assert ("trustTiers.partner", "lets partner workloads be proven by anything") in found


def test_what_no_row_asks_for_is_not_loosened() -> None:
    """A role for emergencies, a window that nobody waits for: no test could notice."""
    idle = edited(ORGANISATION, lambda spec: spec["roles"].update({"flag-emergency-override": {"people": ["erin"]}}))
    calendar = edited(CALENDAR, lambda spec: spec["windows"].update(night=spec["windows"]["business-hours"]))
    found = kinds({**RICH, "Organisation/organisation": idle, "ChangeCalendar/calendar": calendar})
    assert not [place for place, _ in found if place in {"roles.flag-emergency-override", "windows.night"}]


def test_a_suggested_case_notices_what_it_was_made_for() -> None:
    """Without any test nearly everything survives; with the cases it suggests, copied as they are, nothing does."""
    report = mutated()
    survivors = [mutation for mutation in report.mutations if mutation.survives]
    assert len(survivors) > 30
    cases = [case_of(mutation.case) for mutation in survivors]
    governed = documents(RICH).values()
    assert all(result.passed for result in run_policy_tests([*governed, *cases_as_tests(*cases)], now=NOW).cases)
    again = mutated(*cases)
    assert again.passed
    idle = {(it.place, it.what) for it in report.mutations if it.noticed_by is None and not it.survives}
    assert {(it.place, it.what) for it in again.mutations if it.noticed_by is None} == idle


def test_what_decides_nothing_otherwise_is_listed_and_fails_nothing() -> None:
    """Security is asked for in production alone, so where else it counts makes no difference."""
    report = mutated()
    (idle,) = [it for it in report.mutations if it.what.startswith("counts everywhere")]
    assert (idle.noticed_by, idle.case, idle.survives) == (None, "", False)
    assert "roles.security counts everywhere instead of in production: no case was found" in mutations_as_text(report)


def test_the_first_case_that_fails_is_named() -> None:
    """Whoever reads the report sees which test guards what."""
    change = {"class": "widen", "policies": ["ApprovalPolicy"]}
    given = {"change": change, "approvals": ["frank"], "time": "2026-11-23T10:00:00Z"}
    guard = {"name": "two of security", "given": given, "expect": {"verdict": "deny", "missing": ["security"]}}
    by = {(it.place, it.what): it.noticed_by for it in mutated(guard).mutations}
    assert by["policies.widen", "asks for 1 × security instead of 2"] == "two of security"
    assert by["tiers.high-risk.production.widen", "asks for no ticket"] is None


def test_whoever_merged_and_a_step_of_life_are_noticed_by_cases_of_their_own() -> None:
    """The cases it suggests name who merged it, and which step is taken."""
    made = {(it.place, it.what): it.case for it in mutated().mutations if it.survives}
    merged = case_of(made["tiers.sensitive.production.widen", "counts whoever merged it"])
    (merger,) = merged["given"]["mergers"]
    assert merger in merged["given"]["approvals"]
    assert merged["expect"]["verdict"] == "deny"
    step = case_of(made["transitions.draft", "draft flags may take any step"])
    assert step["given"]["change"]["lifecycle"]["from"] == "draft"
    assert step["expect"]["findings"] == ["FS214"]


def test_a_policy_that_lets_every_step_be_taken_has_none_to_loosen() -> None:
    """Nothing looser than that can be written."""
    free = edited(RICH["LifecyclePolicy/lifecycle"], lambda spec: spec["transitions"].update({"*": list(LIFECYCLES)}))
    assert not [place for place, _ in kinds({**RICH, "LifecyclePolicy/lifecycle": free}) if place[:5] == "trans"]


def test_a_survivor_is_told_with_its_case_in_text_and_json() -> None:
    """To be copied; and a program gets the same."""
    report = mutated()
    text = mutations_as_text(report)
    assert "FAIL policies.widen asks for 1 × security instead of 2\n       no case fails. This one would:\n" in text
    record: dict[str, Any] = json.loads(json.dumps(mutations_as_record(report)))
    assert record["passed"] is False
    told = next(it for it in record["loosenings"] if it["place"] == "policies.widen")
    assert case_of(told["case"])["expect"] == {"verdict": "deny", "missing": ["security"]}


def test_nothing_is_loosened_while_a_case_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is broken already says nothing about what is guarded."""
    for name in ("policies/tests", ".git"):
        (tmp_path / name).mkdir(parents=True)
    for path in (TOP / "policies").rglob("*.yaml"):
        (tmp_path / path.relative_to(TOP)).write_text(path.read_text())
    tests = tmp_path / "policies/tests/approvals.yaml"
    tests.write_text(tests.read_text().replace("missing: [release-manager]", "missing: [owner]"))
    assert run(["policy", "test", "--mutate", "--repo", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "Loosened" not in said.out
    assert "Nothing was loosened" in said.err


def test_a_survivor_ends_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A test taken away leaves something unguarded, and the command says so by its exit code."""
    for name in ("policies/tests", ".git"):
        (tmp_path / name).mkdir(parents=True)
    for path in (TOP / "policies").rglob("*.yaml"):
        (tmp_path / path.relative_to(TOP)).write_text(path.read_text())
    (tmp_path / "policies/tests/lifecycle.yaml").unlink()
    assert run(["policy", "test", "--mutate", "--repo", str(tmp_path), "--format", "json"]) == 1
    mutation = json.loads(capsys.readouterr().out)["mutation"]
    assert {it["place"].split(".")[0] for it in mutation["loosenings"] if it["survives"]} == {
        "maxLifetime",
        "review",
        "transitions",
    }


@pytest.mark.parametrize("tree", [TOP], ids=["sample"])
def test_a_loosening_is_a_valid_document(tree: Path) -> None:
    """Every mutant could be committed: it is no broken file that tests stumble over."""
    policies = load_policies(read_tree(tree).documents)
    for loosening in loosenings(policies):
        others = [it for it in policies.documents.values() if it.subject != loosening.document.subject]
        assert load_policies([*others, loosening.document]).digest != policies.digest
