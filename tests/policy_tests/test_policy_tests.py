"""``flagseal policy test``: cases against the policies that decide in earnest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from flagseal.model.loader import parse_body
from flagseal_cli.main import run
from flagseal_validators.policy_tests import TestReport, as_record, as_text, run_policy_tests
from flagseal_validators.policy_tests.change import merge_patch
from flagseal_validators.tree import read_tree
from tests.policy.builders import NOW
from tests.policy.company import CHECKOUT, POLICIES, documents, edited, flag, orgs, production

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.policy.company import Spec

TOP = Path(__file__).parents[2]
WIDEN: Spec = {"class": "widen", "tier": "sensitive", "environment": "production", "owner": "team-payments"}
MONDAY = "2026-11-23T10:00:00Z"
WITH_ACCOUNT: dict[str, Spec] = {
    **POLICIES,
    "Organisation/organisation": edited(
        POLICIES["Organisation/organisation"],
        lambda spec: spec["people"]["bob"].update(github={"login": "bob-k", "id": 102}),
    ),
}


def case(change: Spec, approvals: list[Any], expect: Spec, **given: Any) -> Spec:  # noqa: ANN401 (JSON)
    """Write one case."""
    given = {"change": change, "author": "bob", "approvals": approvals, "time": MONDAY, **given}
    return {"name": "a case", "given": given, "expect": expect}


def report_of(*cases: Spec, policies: Mapping[str, Spec] = POLICIES, **specs: Spec) -> TestReport:
    """Run cases against policies and, maybe, flags."""
    body = {"apiVersion": "flagseal.dev/v1alpha1", "kind": "PolicyTest", "metadata": {"name": "t"}}
    tests = [parse_body({**body, "spec": {"cases": list(cases)}}, place="t")] if cases else []
    governed = documents({**policies, **{subject.replace("__", "/"): spec for subject, spec in specs.items()}})
    return run_policy_tests([*governed.values(), *tests], now=NOW)


def failures(*cases: Spec, **more: Any) -> tuple[str, ...]:  # noqa: ANN401
    """Run one case, and give what went otherwise than expected."""
    (result,) = report_of(*cases, **more).cases
    return result.failures


def test_the_samples_rows_are_all_exercised_and_every_case_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """The sample's policies are fully covered: this is what CI runs."""
    assert run(["policy", "test", "--repo", str(TOP)]) == 0
    assert "all exercised" in capsys.readouterr().out


@pytest.mark.parametrize("change_class", ["metadata", "toward-safe", "widen"])
@pytest.mark.parametrize("tier", ["informational", "operational", "sensitive", "high-risk"])
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_change_can_be_made_of_every_class_and_tier(change_class: str, tier: str, environment: str) -> None:
    """What a case names is what is decided on, everywhere; a row without cases can therefore always be given one."""
    change = {**WIDEN, "class": change_class, "tier": tier, "environment": environment}
    (result,) = report_of(case(change, [], {"verdict": "deny"})).cases
    assert result.failures == ()
    assert result.decision is not None
    assert {name: found.change_class for name, found in result.decision.environments.items()} == {
        environment: change_class
    }


@pytest.mark.parametrize(
    "kind", ["Organisation", "EnvironmentList", "ApprovalPolicy", "LifecyclePolicy", "ChangeCalendar"]
)
def test_a_change_can_be_made_of_every_policy(kind: str) -> None:
    """Two of security change any policy."""
    change = {"class": "widen", "policies": [kind]}
    assert failures(case(change, ["frank", "grace"], {"verdict": "allow"})) == ()


def test_taking_authority_away_needs_one() -> None:
    """Of the kinds that hand out authority, a removal can be made."""
    change = {"class": "toward-safe", "policies": ["Organisation"]}
    assert failures(case(change, ["frank"], {"verdict": "allow"}), policies=WITH_ACCOUNT) == ()


def test_what_is_decided_otherwise_is_told_with_its_reasons() -> None:
    """A failure says what was decided, by which rule, and whose approval is missing."""
    (told,) = failures(case(WIDEN, ["alice"], {"verdict": "allow"}))
    assert told.startswith("expected allow, decided deny (")
    assert "approvals: missing 1 × release-manager" in told
    (told,) = failures(case(WIDEN, ["alice"], {"verdict": "deny", "missing": ["owner"]}))
    assert told == "expected owner to be missing, and release-manager is"
    (told,) = failures(case(WIDEN, ["alice"], {"verdict": "deny", "rules": ["ticket"]}))
    assert told == "expected ticket to refuse it, and it does not"
    (told,) = failures(case(WIDEN, ["alice"], {"verdict": "deny", "rules": ["tikcet"]}))
    assert "there is no such rule here" in told


def test_a_loosened_row_fails_the_case_that_guards_it() -> None:
    """This is what policy tests are for."""
    guard = case(WIDEN, ["alice"], {"verdict": "deny", "missing": ["release-manager"]})
    assert failures(guard) == ()
    loose = edited(
        POLICIES["ApprovalPolicy/approvals"],
        lambda spec: spec["tiers"]["sensitive"]["production"]["widen"]["approvals"].pop(),
    )
    assert failures(guard, policies={**POLICIES, "ApprovalPolicy/approvals": loose})


def test_a_row_that_no_case_exercises_is_named_with_the_case_that_would() -> None:
    """The message says which row has no test, and the change it suggests exercises that row."""
    report = report_of(case(WIDEN, ["alice", "dora"], {"verdict": "allow"}), policies=WITH_ACCOUNT)
    assert all(result.passed for result in report.cases)
    assert not report.passed
    idle = [row for row in report.rows if not row.exercised]
    assert [row.place for row in report.rows if row.exercised] == ["tiers.sensitive.production.widen"]
    assert len(idle) == len(report.rows) - 1
    text = as_text(report)
    for row in idle:
        assert f"FAIL {row.place}" in text
        assert row.remedy in text
        assert row.case.splitlines()[0] in text


def test_the_suggested_cases_exercise_every_row() -> None:
    """Copied as they are, they pass, and no row is left."""
    suggested = [yaml.safe_load(row.case)[0] for row in report_of(policies=WITH_ACCOUNT).rows]
    report = report_of(*suggested, policies=WITH_ACCOUNT)
    assert all(row.exercised and row.case == "" for row in report.rows)
    assert report.passed
    # Where nobody has an account or a key, there is no authority to be taken away, and the remedy says so.
    (odd,) = [row for row in report_of().rows if not row.case]
    assert (odd.place, "nobody in the Organisation has an account" in odd.remedy) == ("policies.toward-safe", True)


def test_how_far_and_after_what_can_be_said_of_a_widening() -> None:
    """A step of so many points; and one that no other environment serves yet."""
    high = {**WIDEN, "tier": "high-risk", "ticket": "PAY-1"}
    both = ["forge", "keys"]
    people = ["alice", "frank"]
    assert failures(case({**high, "step": 25}, people, {"verdict": "allow"}, evidence=both)) == ()
    assert failures(case({**high, "step": 26}, people, {"verdict": "deny", "rules": ["max-step"]}, evidence=both)) == ()
    assert (
        failures(case({**high, "step": 100}, people, {"verdict": "deny", "rules": ["max-step"]}, evidence=both)) == ()
    )
    early = {**WIDEN, "behind": ["staging"]}
    assert failures(case(early, ["alice", "dora"], {"verdict": "deny", "rules": ["staging-first"]})) == ()


def test_how_long_a_flag_may_live_can_be_expected_of_the_gate() -> None:
    """The day after the last is too late; the last is not. An id that is no rule's fails the case."""
    late = {**WIDEN, "expires": "2027-05-23"}
    people = ["alice", "dora"]
    assert failures(case(late, people, {"verdict": "allow", "findings": ["FS205"]})) == ()
    on_time = {**WIDEN, "expires": "2027-05-22"}
    assert failures(case(on_time, people, {"verdict": "allow", "findings": ["FS205"]})) == (
        "expected FS205 to be found, and it is not",
    )
    assert failures(case(late, people, {"verdict": "allow", "findings": ["FS999"]})) == (
        "expected FS999 to be found, and there is no such rule",
    )
    seldom = {**WIDEN, "purpose": "entitlement", "review": "91d"}
    assert failures(case(seldom, people, {"verdict": "allow", "findings": ["FS210"]})) == ()


def test_without_cases_no_row_is_exercised() -> None:
    """A repository without policy tests does not pass."""
    report = report_of()
    assert not report.passed
    assert not any(row.exercised for row in report.rows)


def test_an_approval_may_have_a_proof_and_a_time_of_its_own() -> None:
    """Each approval's evidence and instant can be written beside the person."""
    high = {**WIDEN, "tier": "high-risk", "ticket": "PAY-1"}
    both = ["forge", "keys"]
    approvals: list[Any] = [{"person": "alice", "evidence": both}, {"person": "frank", "evidence": both}]
    assert failures(case(high, approvals, {"verdict": "allow"})) == ()
    approvals[1] = {"person": "frank", "evidence": ["forge"]}
    assert failures(case(high, approvals, {"verdict": "deny", "rules": ["approvals"]})) == ()


def test_the_time_at_which_it_takes_effect_can_be_expected() -> None:
    """On a Sunday it waits for Monday's window, in Berlin's winter time."""
    high = {**WIDEN, "tier": "high-risk", "ticket": "PAY-1"}
    given = {"time": "2026-11-22T10:00:00Z", "evidence": ["forge", "keys"]}
    expect = {"verdict": "allow", "effectiveFrom": "2026-11-23T08:00:00Z"}
    assert failures(case(high, ["alice", "frank"], expect, **given)) == ()
    late = {"verdict": "allow", "effectiveFrom": "2026-11-23T09:00:00Z"}
    assert failures(case(high, ["alice", "frank"], late, **given)) == (
        "expected it to be in effect from 2026-11-23T09:00:00Z, and it is from 2026-11-23T08:00:00Z",
    )


def test_a_case_may_change_documents_of_the_repository() -> None:
    """A merge patch of a real flag is decided on as that change would be."""
    rules = production([orgs("acme", "globex")])["production"]
    change = {"documents": [{"subject": CHECKOUT, "set": {"environments": {"production": rules}}}]}
    real = {CHECKOUT.replace("/", "__"): flag()}
    expect = {"verdict": "allow", "class": "widen"}
    assert failures(case(change, ["alice", "dora"], expect), **real) == ()
    removed = {"documents": [{"subject": CHECKOUT, "remove": True}]}
    assert failures(case(removed, ["alice", "dora"], {"verdict": "allow", "class": "widen"}), **real) == ()
    wrong = {"verdict": "allow", "class": "metadata"}
    assert failures(case(change, ["alice", "dora"], wrong), **real) == ("expected the class metadata, and it is widen",)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"class": "widen"}, "neither a tier nor policies"),
        ({**WIDEN, "environment": "moon"}, "no environment moon"),
        ({"class": "widen", "policies": ["TrustTiers"]}, "no TrustTiers"),
        ({"class": "toward-safe", "policies": ["ChangeCalendar"]}, "no change of ChangeCalendar"),
        ({"documents": [{"subject": "Flag/x", "remove": True}]}, "no subject"),
        ({"documents": [{"subject": "FlagDefinition/a/b", "remove": True}]}, "not there"),
        ({"documents": [{"subject": "FlagDefinition/a/b", "set": {"owner": "x"}}]}, "missing"),
    ],
    ids=["nothing", "environment", "kind", "class", "subject", "removal", "form"],
)
def test_a_case_that_cannot_be_made_fails_and_says_why(change: Spec, told: str) -> None:
    """It fails by itself; the others are run all the same."""
    report = report_of(case(change, [], {"verdict": "deny"}), case(WIDEN, [], {"verdict": "deny"}))
    assert told in report.cases[0].failures[0]
    assert report.cases[1].passed


def test_whoever_wrote_it_need_not_be_named() -> None:
    """Without an author it was somebody who approves nothing."""
    made = case(WIDEN, ["alice", "dora"], {"verdict": "allow"})
    del made["given"]["author"]
    assert failures(made) == ()


def test_failures_lead_to_the_line_of_the_case(tmp_path: Path) -> None:
    """The place is the file and line where the case begins."""
    for name in ("flags", "policies/tests", ".git"):
        (tmp_path / name).mkdir(parents=True)
    for path in (TOP / "policies").glob("*.yaml"):
        (tmp_path / "policies" / path.name).write_text(path.read_text())
    text = (TOP / "policies/tests/approvals.yaml").read_text()
    text = text.replace("missing: [release-manager]", "missing: [owner]", 1)
    (tmp_path / "policies/tests/approvals.yaml").write_text(text)
    report = run_policy_tests(read_tree(tmp_path).documents, now=NOW)
    (broken,) = [result for result in report.cases if not result.passed]
    line = next(n for n, it in enumerate(text.splitlines(), 1) if "the owner alone does not widen" in it)
    assert broken.place == f"policies/tests/approvals.yaml:{line}"
    assert run(["policy", "test", "--repo", str(tmp_path)]) == 1


def test_json_carries_the_decisions() -> None:
    """A program gets everything."""
    record = json.loads(json.dumps(as_record(report_of(case(WIDEN, ["alice"], {"verdict": "deny"})))))
    assert record["cases"][0]["decision"]["verdict"] == "deny"
    assert record["cases"][0]["rows"] == ["tiers.sensitive.production.widen"]


def test_broken_files_are_named_and_nothing_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A policy test that cannot be read must not look like one that passed."""
    for name in ("policies/tests", ".git"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "policies/tests/t.yaml").write_text("kind: PolicyTest\n")
    assert run(["policy", "test", "--repo", str(tmp_path)]) == 2
    assert "policies/tests/t.yaml" in capsys.readouterr().err


def test_a_merge_patch_is_that_of_the_specification() -> None:
    """The examples of RFC 7396, appendix A, that bear on objects."""
    assert merge_patch({"a": "b"}, {"a": "c"}) == {"a": "c"}
    assert merge_patch({"a": "b", "b": "c"}, {"a": None}) == {"b": "c"}
    assert merge_patch({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}) == {"a": {"b": "d"}}
    assert merge_patch({"a": [{"b": "c"}]}, {"a": [1]}) == {"a": [1]}
    assert merge_patch({}, {"a": {"bb": {"ccc": None}}}) == {"a": {"bb": {}}}
