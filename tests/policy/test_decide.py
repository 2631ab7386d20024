from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.model.canonical import canonical_json
from flagseal.model.policy_set import load_policies
from flagseal.policy import Approval, Decision, Facts, decide
from tests.policy.builders import FORGE, KEYS, NOW, at
from tests.policy.company import (
    APPROVALS,
    CHECKOUT,
    ENVIRONMENTS,
    ORGANISATION,
    POLICIES,
    Company,
    Spec,
    document,
    documents,
    edited,
    failed,
    flag,
    orgs,
    production,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.document import Document

COMPANY = Company.of({CHECKOUT: flag()})
WIDER = {CHECKOUT: flag(environments=production([orgs("acme", "globex")]))}
OFF = {CHECKOUT: flag(environments=production([orgs("acme")], off=True))}
RISKY = Company.of({CHECKOUT: flag(riskTier="high-risk", environments=production())})
BOTH = KEYS | FORGE


def tenth(weight: int = 10) -> dict[str, Spec]:
    """Serve a share of everybody, in production, by a flag of high risk."""
    split = {"name": "share", "split": {"enabled": weight, "disabled": 100 - weight}}
    return {CHECKOUT: flag(riskTier="high-risk", environments=production([split]))}


def risky(changes: dict[str, Spec] | None = None, *, company: Company = RISKY, **facts: Any) -> Decision:  # noqa: ANN401
    """Decide on a share for a flag of high risk, everything in order but for what is given."""
    given = {"approvals": "alice frank", "ticket": "PAY-1", "evidence": BOTH, **facts}
    return company.decide(changes or tenth(), **given)


# default-deny


def test_a_row_covers_what_it_names() -> None:
    """The record says which."""
    decision = COMPANY.decide(WIDER, "alice dora")
    assert decision.verdict == "allow"
    assert [check.reason for check in decision.checks if check.id == "default-deny"] == [
        "a change of class widen and tier sensitive: tiers.sensitive.production.widen"
    ]


def test_what_no_row_covers_is_refused() -> None:
    """Not even everybody's approval helps."""
    policies = {
        **POLICIES,
        "ApprovalPolicy/approvals": edited(APPROVALS, lambda spec: spec["tiers"].pop("sensitive")),
    }
    decision = Company.of({CHECKOUT: flag()}, policies).decide(WIDER, "alice dora carol frank grace heidi")
    assert decision.verdict == "deny"
    assert failed(decision) == {"default-deny"}


def test_a_missing_row_falls_back_to_widen_of_its_tier() -> None:
    """Operational has no row for metadata."""
    company = Company.of({CHECKOUT: flag(riskTier="operational")})
    decision = company.decide({CHECKOUT: flag(riskTier="operational", description="x")}, "alice", author="mallory")
    assert decision.environments["production"].change_class == "metadata"
    assert decision.verdict == "allow"
    assert any("tiers.operational.production.widen" in check.reason for check in decision.checks)


# approvals


def test_an_owner_and_a_release_manager_widen_a_sensitive_flag() -> None:
    """And the flag's whole environment is decided."""
    found = COMPANY.decide(WIDER, "alice dora").environments
    assert set(found) == {"production"}
    assert found["production"].verdict == "allow"
    assert found["production"].flags == ("payments/new-checkout",)
    assert found["production"].owners == ("team-payments",)


def test_without_an_approval_the_record_says_who_could_give_it() -> None:
    """Bob wrote it; alice can be owner, and dora or alice release manager."""
    decision = COMPANY.decide(WIDER)
    assert decision.verdict == "deny"
    assert failed(decision) == {"approvals"}
    assert [(m.environment, m.role, m.count, m.candidates, m.owner_team) for m in decision.missing] == [
        ("production", "owner", 1, ("alice",), "team-payments"),
        ("production", "release-manager", 1, ("alice", "dora"), None),
    ]
    assert decision.failed[0].remedy == "Ask alice or dora to approve."


def test_two_roles_by_one_person_are_one_approval() -> None:
    """Alice is an owner and a release manager."""
    decision = COMPANY.decide(WIDER, "alice", author="mallory")
    assert failed(decision) == {"approvals"}
    assert [missing.role for missing in decision.missing] == ["release-manager"]
    assert COMPANY.decide(WIDER, "alice bob", author="mallory").verdict == "allow"


def test_the_way_back_takes_one_approver_of_any_team() -> None:
    """A kill switch needs no owner."""
    assert COMPANY.decide(OFF, "carol").verdict == "allow"
    assert failed(COMPANY.decide(OFF, "dora")) == {"approvals"}


def test_each_environment_needs_what_it_needs() -> None:
    """Staging takes an approver, production two people; carol suffices for one of them."""
    both = {CHECKOUT: flag(owner="team-search")}
    decision = COMPANY.decide(both, "heidi")
    assert decision.environments["staging"].verdict == "allow"
    assert decision.environments["production"].verdict == "deny"
    assert decision.verdict == "deny"


def test_a_role_that_nobody_can_fill_is_said_to_be_so() -> None:
    """A team without anybody but the author."""
    company = Company.of({CHECKOUT: flag(riskTier="operational", owner="team-accounts")})
    after = {CHECKOUT: flag(riskTier="operational", owner="team-accounts", environments=production(default="enabled"))}
    decision = company.decide(after, "alice", author="heidi")
    assert "Nobody can stand for owner (team-accounts)" in decision.failed[0].remedy


# self-approval


def test_whoever_wrote_a_part_of_it_is_not_counted() -> None:
    """The record says whose approval that was."""
    decision = COMPANY.decide(WIDER, "bob dora")
    assert failed(decision) == {"approvals", "self-approval"}
    assert COMPANY.decide(WIDER, "alice dora", author="bob alice").verdict == "deny"


def test_an_authors_approval_beside_enough_others_does_no_harm() -> None:
    """It is left out, and nothing else."""
    assert COMPANY.decide(WIDER, "alice bob dora").verdict == "allow"


def test_a_change_that_nobody_is_known_to_have_written_is_refused() -> None:
    """Its author may be whoever approves."""
    assert failed(COMPANY.decide(WIDER, "alice dora", author="")) == {"self-approval"}


# evidence


def test_a_row_that_takes_both_proofs_needs_both_from_enough_people() -> None:
    """The forge's approvals and the keys' may be by different people, as long as each suffices."""
    assert risky().verdict == "allow"
    assert failed(risky(evidence=KEYS)) == {"approvals", "evidence"}
    assert failed(risky(evidence=FORGE)) == {"approvals", "evidence"}
    mixed = (Approval("alice", KEYS), Approval("frank", BOTH), Approval("bob", FORGE))
    assert risky(approvals=mixed, author="mallory").verdict == "allow"
    assert risky(approvals=mixed[:2], author="mallory").verdict == "deny"


@pytest.mark.parametrize(
    ("evidence", "enough", "short"), [("keys", KEYS, FORGE), ("forge", FORGE, KEYS), ("either", KEYS, frozenset())]
)
def test_a_row_takes_the_proof_it_names(evidence: str, enough: frozenset[str], short: frozenset[str]) -> None:
    """An approval that nothing proves is none."""
    policies = {
        **POLICIES,
        "ApprovalPolicy/approvals": edited(
            APPROVALS, lambda spec: spec["tiers"]["sensitive"]["production"]["widen"].update(evidence=evidence)
        ),
    }
    company = Company.of({CHECKOUT: flag()}, policies)
    assert company.decide(WIDER, "alice dora", evidence=enough).verdict == "allow"  # type: ignore[arg-type]
    assert company.decide(WIDER, "alice dora", evidence=short).verdict == "deny"  # type: ignore[arg-type]


def test_what_is_missing_says_which_proof() -> None:
    """Somebody who approved in the forge can still sign."""
    decision = risky(evidence=FORGE)
    assert [(missing.role, missing.evidence, missing.candidates) for missing in decision.missing] == [
        ("owner", "keys", ("alice",)),
        ("security", "keys", ("frank", "grace")),
    ]


# ticket


def test_a_row_that_requires_a_ticket_is_not_content_without() -> None:
    """A blank one is none."""
    assert failed(risky(ticket=None)) == {"ticket"}
    assert failed(risky(ticket=" ")) == {"ticket"}


# window


def test_a_change_outside_its_window_is_accepted_and_waits() -> None:
    """Approved on Friday, in effect on Monday at nine in Berlin."""
    decision = risky(now=at("2026-11-27T12:00"))
    assert decision.verdict == "allow"
    assert decision.environments["production"].effective_from == at("2026-11-30T08:00")


def test_a_change_inside_its_window_is_in_effect_at_once() -> None:
    """Monday, eleven o'clock."""
    assert risky().environments["production"].effective_from == NOW


def test_a_blackout_of_the_tier_makes_a_change_wait_without_any_window() -> None:
    """The row of a sensitive flag names no window."""
    decision = COMPANY.decide(WIDER, "alice dora", now=at("2026-12-24T12:00"))
    assert decision.verdict == "allow"
    assert decision.environments["production"].effective_from == at("2027-01-03T00:00")


def test_what_is_toward_safe_never_waits() -> None:
    """Not for Monday, not for the end of a blackout."""
    decision = COMPANY.decide(OFF, "carol", now=at("2026-12-26T03:00"))
    assert decision.environments["production"].effective_from == at("2026-12-26T03:00")
    assert decision.environments["production"].toward_safe_now


def test_a_window_that_never_opens_refuses() -> None:
    """It would be accepted and never be in effect."""
    policies = {
        **POLICIES,
        "ChangeCalendar/calendar": edited(
            POLICIES["ChangeCalendar/calendar"],
            lambda spec: spec["blackouts"][0].update({"from": "2026-01-01T00:00:00Z", "until": "2036-01-01T00:00:00Z"}),
        ),
    }  # fmt: skip
    decision = Company.of({CHECKOUT: flag()}, policies).decide(WIDER, "alice dora")
    assert failed(decision) == {"window"}
    assert decision.environments["production"].effective_from is None


def test_a_kill_switch_needs_no_proof_however_large_the_flag() -> None:
    """Twelve lists to look into are more cases than anybody looks at; off is off."""
    parts: list[Spec] = [{"roles": {"contains": f"role-{number}"}} for number in range(12)]
    large = production([{"name": "large", "when": {"any": parts}, "serve": "enabled"}])
    high = APPROVALS["tiers"]["high-risk"]["production"]
    rows = edited(APPROVALS, lambda spec: spec["tiers"]["sensitive"].update(production={"widen": high["widen"]}))
    company = Company.of({CHECKOUT: flag(environments=large)}, {**POLICIES, "ApprovalPolicy/approvals": rows})
    large_off = edited(large, lambda sections: sections["production"].update(off=True))
    decision = company.decide(
        {CHECKOUT: flag(environments=large_off)}, "alice frank", evidence=BOTH, ticket="T-1", now=at("2026-12-26T03:00")
    )
    assert decision.environments["production"].change_class == "toward-safe"
    assert decision.environments["production"].effective_from == at("2026-12-26T03:00")
    assert decision.verdict == "allow"


# schedule


def later(instant: str) -> dict[str, Spec]:
    """Serve globex from an instant on."""
    return {CHECKOUT: flag(environments=production([orgs("acme"), orgs("globex", name="later", **{"from": instant})]))}


def test_a_schedule_that_widens_inside_a_blackout_is_refused() -> None:
    """Approved in November for Christmas."""
    assert failed(COMPANY.decide(later("2026-12-24T18:00:00Z"), "alice dora")) == {"schedule"}
    assert COMPANY.decide(later("2026-12-19T18:00:00Z"), "alice dora").verdict == "allow"


def test_a_schedule_that_widens_outside_the_window_is_refused() -> None:
    """1 December 2026 is a Tuesday; the window is over at four in Berlin."""
    share = {"name": "share", "split": {"enabled": 10, "disabled": 90}}
    late, early = (
        {CHECKOUT: flag(riskTier="high-risk", environments=production([{**share, "from": instant}]))}
        for instant in ("2026-12-01T15:00:00Z", "2026-12-01T14:59:59Z")
    )
    assert failed(risky(late)) == {"schedule"}
    assert risky(early).verdict == "allow"


def test_an_end_that_only_takes_away_may_fall_into_a_blackout() -> None:
    """Nobody is served anything new when a rule ends."""
    ends = {CHECKOUT: flag(environments=production([orgs("acme", "globex", until="2026-12-24T18:00:00Z")]))}
    assert COMPANY.decide(ends, "alice dora").verdict == "allow"


def test_the_end_of_an_exception_widens() -> None:
    """When the rule that serves the safe variant ends, everybody is served the other."""
    exception = orgs("acme", serve="disabled", until="2026-12-24T18:00:00Z")
    after = {CHECKOUT: flag(environments=production([exception], default="enabled"))}
    assert failed(COMPANY.decide(after, "alice dora")) == {"schedule"}


def test_a_schedule_that_was_approved_before_is_not_judged_again() -> None:
    """Only what is new with respect to before counts: the blackout came later, or the row did."""
    scheduled = later("2026-12-24T18:00:00Z")
    company = Company.of(scheduled)
    changed = edited(
        scheduled[CHECKOUT],
        lambda spec: spec["environments"]["production"]["rules"][0]["when"]["org"]["in"].append("initech"),
    )
    assert company.decide({CHECKOUT: changed}, "alice dora").verdict == "allow"


def test_pausing_until_an_instant_in_a_blackout_is_a_schedule_that_widens() -> None:
    """It is toward-safe, and still it brings everybody back at Christmas, by the row of what widens."""
    company = Company.of({CHECKOUT: flag(environments=production(default="enabled"))})
    pause = {"name": "pause", "serve": "disabled", "until": "2026-12-24T18:00:00Z"}
    decision = company.decide({CHECKOUT: flag(environments=production([pause], default="enabled"))}, "carol")
    assert decision.environments["production"].change_class == "toward-safe"
    assert failed(decision) == {"schedule"}


def test_raw_targeting_that_reads_the_clock_is_a_schedule_nobody_can_read() -> None:
    """A blackout lies ahead, and it may widen within."""
    by_clock: Spec = {"if": [{">": [{"var": "$flagd.timestamp"}, 1798100000]}, "enabled", "disabled"]}
    by_context: Spec = {"if": [{"==": [{"var": "org"}, "globex"]}, "enabled", "disabled"]}
    clock, context = ({CHECKOUT: flag(environments=production(targeting=raw))} for raw in (by_clock, by_context))
    assert failed(COMPANY.decide(clock, "alice dora")) == {"schedule"}
    assert COMPANY.decide(context, "alice dora").verdict == "allow"


# max-step


def test_a_step_is_no_larger_than_the_row_says() -> None:
    """Twenty-five points at once, from whatever it is."""
    assert risky(tenth(25)).verdict == "allow"
    assert failed(risky(tenth(26))) == {"max-step"}
    wider = RISKY.then(tenth(25))
    assert risky(tenth(50), company=wider).verdict == "allow"
    assert failed(risky(tenth(51), company=wider)) == {"max-step"}


def test_each_step_of_a_ramp_is_measured() -> None:
    """From nothing to everybody in four steps of 25, or in two of 50; each within the window."""
    ramp = {"variant": "enabled", "from": 0, "to": 100, "start": "2026-11-24T09:00:00Z", "end": "2026-11-24T13:00:00Z"}
    rules = [{"name": "ramp", "ramp": {**ramp, "steps": steps}} for steps in (4, 2)]
    four, two = ({CHECKOUT: flag(riskTier="high-risk", environments=production([rule]))} for rule in rules)
    assert risky(four).verdict == "allow"
    assert failed(risky(two)) == {"max-step"}


def test_creating_a_flag_that_is_on_is_a_step_from_nothing() -> None:
    """And one that is off is none."""
    on, off = (
        risky({CHECKOUT: flag(riskTier="high-risk", environments=production(default=variant))}, company=Company.of({}))
        for variant in ("enabled", "disabled")
    )
    assert failed(on) == {"max-step"}
    assert off.verdict == "allow"


# staging-first


def test_what_staging_does_not_serve_yet_is_refused_in_production() -> None:
    """First there, then here."""
    company = Company.of({CHECKOUT: flag(environments={**production(), "staging": {"default": "disabled"}})})
    both = {CHECKOUT: flag(environments=production([orgs("acme")]))}
    assert failed(company.decide(both, "alice dora carol")) == {"staging-first"}
    staged = company.then({CHECKOUT: flag(environments=production())})
    assert staged.decide(both, "alice dora").verdict == "allow"


def test_a_value_counts_as_new_in_staging_when_it_is_another() -> None:
    """The variant's name is no proof."""
    decision = COMPANY.decide({CHECKOUT: flag(variants={"enabled": False, "disabled": True})}, "alice dora carol")
    assert "staging-first" in failed(decision)


def test_what_staging_serves_only_from_next_year_on_is_not_in_force_there() -> None:
    """A schedule is a promise."""
    staging = {"default": "disabled", "rules": [{"name": "later", "serve": "enabled", "from": "2027-06-01T00:00:00Z"}]}
    company = Company.of({CHECKOUT: flag(environments={**production(), "staging": staging})})
    after = {CHECKOUT: flag(environments={**production([orgs("acme")]), "staging": staging})}
    assert failed(company.decide(after, "alice dora")) == {"staging-first"}


def test_what_is_accepted_and_not_yet_in_effect_in_staging_is_not_in_force_there() -> None:
    """What is in effect counts."""
    company = Company.of({CHECKOUT: flag(environments=production())})
    before = {CHECKOUT: flag(environments={**production(), "staging": {"default": "disabled"}})}
    pending = company.pending("staging", before)
    assert failed(pending.decide({CHECKOUT: flag()}, "alice dora")) == {"staging-first"}


def test_a_flag_that_is_created_off_needs_nothing_of_staging() -> None:
    """It serves the safe variant only, in both."""
    created = {CHECKOUT: flag(environments={**production(), "staging": {"default": "disabled"}})}
    assert Company.of({}).decide(created, "alice dora carol").verdict == "allow"
    on = {CHECKOUT: flag(environments=production([orgs("acme")]))}
    assert failed(Company.of({}).decide(on, "alice dora carol")) == {"staging-first"}


# accepted and in effect


def test_a_kill_switch_does_not_queue_behind_what_is_pending() -> None:
    """Off is toward-safe against what is in effect, whatever was accepted for Monday."""
    company = Company.of(WIDER).pending("production", {CHECKOUT: flag()})
    decision = company.decide(OFF, "carol", pending_until={"production": at("2026-12-07T08:00")})
    assert decision.verdict == "allow"
    assert decision.environments["production"].change_class == "toward-safe"
    assert decision.environments["production"].effective_from == NOW


def test_the_class_is_the_stricter_of_against_accepted_and_against_in_effect() -> None:
    """Less than was accepted and more than is in effect: that widens, and waits with the rest."""
    all_three = {CHECKOUT: flag(environments=production([orgs("acme", "globex", "initech")]))}
    company = Company.of(all_three).pending("production", {CHECKOUT: flag()})
    decision = company.decide(WIDER, "alice dora", pending_until={"production": at("2026-12-07T08:00")})
    assert decision.environments["production"].change_class == "widen"
    assert decision.environments["production"].effective_from == at("2026-12-07T08:00")
    taken_back = company.decide({CHECKOUT: flag()}, "carol")
    assert taken_back.environments["production"].change_class == "toward-safe"
    assert taken_back.verdict == "allow"


def test_what_leans_on_something_pending_waits_for_it() -> None:
    """The segment is accepted and not in effect: used at once, it would not be there."""
    segment, using = (
        "Segment/payments/pilots",
        flag(environments=production([{"name": "pilots", "when": {"segment": "pilots"}, "serve": "enabled"}])),
    )
    company = Company.of({CHECKOUT: flag(), segment: {"when": {"org": "globex"}}})
    pending = company.pending("production", {segment: None})
    assert "pending" in failed(pending.decide({CHECKOUT: using}, "alice dora"))
    decision = pending.decide({CHECKOUT: using}, "alice dora", pending_until={"production": at("2026-12-07T08:00")})
    assert decision.verdict == "allow"
    assert decision.environments["production"].effective_from == at("2026-12-07T08:00")


# policies


def without(name: str) -> Spec:
    """Give the organisation without one of security."""
    return edited(ORGANISATION, lambda spec: spec["teams"]["team-security"]["members"].remove(name))


def with_mallory() -> Spec:
    """Give the organisation with mallory in security."""
    return edited(ORGANISATION, lambda spec: spec["teams"]["team-security"]["members"].append("mallory"))


ORG = "Organisation/organisation"


def test_adding_an_approver_takes_two_of_security_and_removing_one_takes_one() -> None:
    """Roles limited to production approve policies, since they reach all of production."""
    assert COMPANY.decide({ORG: with_mallory()}, "frank grace").verdict == "allow"
    assert failed(COMPANY.decide({ORG: with_mallory()}, "frank"), None) == {"approvals"}
    removal = COMPANY.decide({ORG: without("grace")}, "frank")
    assert removal.verdict == "allow"
    assert removal.policy_class == "toward-safe"
    assert not removal.environments


def test_policies_that_contradict_themselves_afterwards_are_refused() -> None:
    """Nobody could decide anything after them."""
    broken = edited(ORGANISATION, lambda spec: spec["people"].pop("grace"))
    assert failed(COMPANY.decide({ORG: broken}, "frank grace"), None) == {"policies-valid"}


def test_what_no_row_for_policies_covers_is_refused() -> None:
    """Deny by default holds for them as well."""
    policies = {**POLICIES, "ApprovalPolicy/approvals": edited(APPROVALS, lambda spec: spec["policies"].clear())}
    company = Company.of({}, policies)
    assert failed(company.decide({ORG: with_mallory()}, "frank grace"), None) == {"default-deny"}


def test_policies_do_not_travel_with_something_that_waits() -> None:
    """They are in force at acceptance, and the flag would not be."""
    decision = risky({**tenth(), ORG: with_mallory()}, approvals="alice frank grace", now=at("2026-11-27T12:00"))
    assert failed(decision, None) == {"policy-may-not-wait"}
    assert risky({**tenth(), ORG: with_mallory()}, approvals="alice frank grace").verdict == "allow"


def test_changing_how_splits_hash_is_a_high_risk_change_of_every_flag_there() -> None:
    """And of no other environment."""
    rebucketed = edited(ENVIRONMENTS, lambda spec: spec["environments"]["production"].update(bucketing="v3"))
    company = Company.of({CHECKOUT: flag(riskTier="operational")})
    decision = company.decide(
        {"EnvironmentList/environments": rebucketed}, "alice frank grace", ticket="PAY-1", evidence=BOTH
    )
    assert decision.verdict == "allow"
    assert set(decision.environments) == {"production"}
    found = decision.environments["production"]
    assert (found.change_class, found.tier) == ("widen", "high-risk")
    assert found.why == ("payments/new-checkout: splits hash by v3 instead of v2",)
    written = edited(ENVIRONMENTS, lambda spec: spec["environments"]["production"].update(bucketing="v2"))
    assert not company.decide({"EnvironmentList/environments": written}, "frank grace").environments


# the change as a whole


def test_a_document_that_changes_and_is_not_named_is_refused() -> None:
    """And one that is named and does not change."""
    after = {**COMPANY.accepted, **documents(WIDER)}
    for subjects in ((), (CHECKOUT, "Segment/payments/none")):
        decision = _decide_raw(after, subjects)
        assert failed(decision, None) == {"subjects"}


def test_a_document_that_is_gone_without_a_tombstone_is_refused() -> None:
    """Withholding is no removal."""
    after = {subject: it for subject, it in COMPANY.accepted.items() if subject != CHECKOUT}
    assert failed(_decide_raw(after, (CHECKOUT,)), None) == {"subjects"}


def test_a_document_under_another_ones_name_is_refused() -> None:
    """A subject is what its document says it is."""
    other = document("FlagDefinition/payments/other", flag())
    assert failed(_decide_raw({**COMPANY.accepted, CHECKOUT: other}, (CHECKOUT,)), None) == {"subjects"}


def test_nothing_is_nothing_to_approve() -> None:
    """Commits that change no governed document need no statement."""
    assert failed(_decide_raw(COMPANY.accepted, ()), None) == {"subjects"}


def _decide_raw(after: Mapping[str, Document], subjects: tuple[str, ...]) -> Decision:
    return decide(
        Facts(
            accepted=COMPANY.accepted,
            after=after,
            subjects=subjects,
            contributors=("bob",),
            approvals=(Approval("alice", KEYS), Approval("dora", KEYS)),
            now=NOW,
        ),
        load_policies(COMPANY.accepted.values()),
    )


def test_a_flag_that_has_no_meaning_afterwards_is_refused() -> None:
    """It names a segment that does not exist."""
    dangling = flag(environments=production([{"name": "p", "when": {"segment": "nobody"}, "serve": "enabled"}]))
    decision = COMPANY.decide({CHECKOUT: dangling}, "alice dora")
    assert failed(decision, None) == {"compiles"}
    assert "nobody" in decision.failed[0].reason


def test_a_flag_that_other_evaluators_could_not_read_is_refused() -> None:
    """Its prerequisite splits by its own key, which means something else inside another flag."""
    gate = flag(environments=production(targeting={"fractional": [["enabled", 50], ["disabled", 50]]}))
    company = Company.of({CHECKOUT: flag(), "FlagDefinition/payments/gate": gate})
    needing = flag(environments=production([orgs("acme")], requires=[{"flag": "gate", "variant": "enabled"}]))
    assert failed(company.decide({CHECKOUT: needing}, "alice dora"), None) == {"compiles"}


def test_a_grant_of_a_flag_that_does_not_exist_is_refused() -> None:
    """A binding that is written, and a flag that is removed under one."""
    binding = {
        "org": "acme",
        "owner": "team-accounts",
        "agreement": {"id": "1", "from": "2026-01-01", "until": "2027-12-31"},
        "grants": [{"flag": "payments/new-checkout", "reason": "contract"}],
    }
    acme = "EntitlementBinding/entitlements/acme"
    assert "compiles" in failed(Company.of({}).decide({acme: binding}, "heidi"), None)
    company = Company.of({CHECKOUT: flag(), acme: binding})
    assert "compiles" in failed(company.decide({CHECKOUT: None}, "alice dora"), None)
    assert "compiles" not in failed(company.decide({CHECKOUT: None, acme: None}, "alice dora heidi"), None)


def test_a_section_for_an_environment_that_policy_does_not_know_is_refused() -> None:
    """No row can be meant for it; removing one is possible."""
    unknown = flag(environments={**production([orgs("acme")]), "prod": {"default": "enabled"}})
    assert failed(COMPANY.decide({CHECKOUT: unknown}, "alice dora"), None) == {"environments"}
    company = Company.of({CHECKOUT: unknown})
    decision = company.decide({CHECKOUT: flag()}, "alice dora")
    assert decision.verdict == "allow"
    assert decision.environments["prod"].tier == "sensitive"


def test_a_document_that_no_flag_reaches_still_needs_somebody() -> None:
    """In every environment, by the row of the lowest tier."""
    decision = COMPANY.decide({"Segment/payments/spare": {"when": {"org": "acme"}}})
    assert decision.verdict == "deny"
    assert failed(decision) == {"approvals"}
    assert failed(decision, "staging") == {"approvals"}
    assert COMPANY.decide({"Segment/payments/spare": {"when": {"org": "acme"}}}, "carol").verdict == "allow"


def test_the_policies_must_be_the_heads_own() -> None:
    """A decision by any others proves nothing."""
    other = Company.of({}, {**POLICIES, ORG: with_mallory()})
    after = {**COMPANY.accepted, **documents(WIDER)}
    facts = Facts(
        COMPANY.accepted, after, (CHECKOUT,), ("bob",), (Approval("alice", KEYS), Approval("dora", KEYS)), NOW
    )
    assert failed(decide(facts, load_policies(other.accepted.values())), None) == {"policies-in-force"}


# the record


def test_the_record_is_canonical_and_the_same_each_time() -> None:
    """Two verifiers write the same bytes, whatever the order of what they were given."""
    one = COMPANY.decide(WIDER, "alice dora", author="bob mallory")
    other = COMPANY.decide(WIDER, "dora alice", author="mallory bob")
    assert canonical_json(one.to_json()) == canonical_json(other.to_json())


def test_every_rule_is_in_the_record_whatever_the_others_found() -> None:
    """No rule stops another."""
    rules = {check.id for check in COMPANY.decide(WIDER).checks if check.environment == "production"}
    assert rules == {
        "default-deny", "approvals", "self-approval", "evidence", "ticket",
        "pending", "window", "schedule", "max-step", "staging-first",
    }  # fmt: skip
    assert {check.id for check in COMPANY.decide(WIDER).checks if check.environment is None} == {
        "subjects", "policies-in-force", "compiles", "unique", "environments",
    }  # fmt: skip


def test_the_facts_digest_says_whether_anything_was_different() -> None:
    """An approval, a second, an author, a document."""
    base = COMPANY.decide(WIDER, "alice").facts
    assert COMPANY.decide(WIDER, "alice").facts == base
    others = [
        COMPANY.decide(WIDER, "alice dora").facts,
        COMPANY.decide(WIDER, "alice", author="mallory").facts,
        COMPANY.decide(WIDER, "alice", now=NOW + timedelta(seconds=1)).facts,
        COMPANY.decide(OFF, "alice").facts,
        COMPANY.decide(WIDER, "alice", ticket="X-1").facts,
        COMPANY.pending("production", OFF).decide(WIDER, "alice").facts,
    ]
    assert len({base, *others}) == len(others) + 1
    named = [COMPANY.decide(WIDER, "alice", head=head).facts for head in ("sha256:1", "sha256:2")]
    assert len({base, *named}) == 3


def test_a_flag_created_while_splits_begin_to_hash_otherwise_is_one_of_those_affected() -> None:
    """And so is one that was there."""
    rebucketed = edited(ENVIRONMENTS, lambda spec: spec["environments"]["production"].update(bucketing="v3"))
    created = flag(riskTier="operational", owner="team-search")
    decision = Company.of({CHECKOUT: flag()}).decide(
        {"EnvironmentList/environments": rebucketed, "FlagDefinition/search/new": created}
    )
    assert decision.environments["production"].flags == ("payments/new-checkout", "search/new")
    assert decision.environments["production"].owners == ("team-payments", "team-search")
