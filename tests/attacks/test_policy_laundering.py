"""Attacks that come in two harmless steps, or hide one change behind another (approval.md, Attacks to be held).

Each test is named after what the attacker wants; its first lines are what they do for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.policy.builders import FORGE, KEYS, at
from tests.policy.company import (
    APPROVALS,
    CHECKOUT,
    ORGANISATION,
    POLICIES,
    Company,
    Spec,
    edited,
    failed,
    flag,
    one,
    orgs,
    production,
)

if TYPE_CHECKING:
    from flagseal.policy import Decision

RISKY = flag(riskTier="high-risk", environments=production())
EVERYBODY = production(default="enabled")
BOTH = KEYS | FORGE


def needs(decision: Decision, environment: str = "production") -> set[str]:
    """Name the roles that are missing in production."""
    return {missing.role for missing in decision.missing if missing.environment == environment}


def test_widen_a_risky_flag_cheaply_by_lowering_its_tier_first() -> None:
    """Mallory gets one friendly approver, as for an informational flag."""
    lowering = {CHECKOUT: {**RISKY, "riskTier": "informational"}}
    decision = Company.of({CHECKOUT: RISKY}).decide(lowering, "carol", author="mallory")
    assert decision.verdict == "deny"
    assert decision.environments["production"].tier == "high-risk"
    assert needs(decision) == {"owner", "security"}


def test_widen_a_risky_flag_cheaply_by_lowering_its_tier_in_the_same_change() -> None:
    """The tier is the higher of before and after."""
    lowering = {CHECKOUT: {**RISKY, "riskTier": "informational", "environments": EVERYBODY}}
    decision = Company.of({CHECKOUT: RISKY}).decide(lowering, "carol", author="mallory")
    assert decision.environments["production"].tier == "high-risk"
    assert decision.verdict == "deny"


def test_approve_ones_own_teams_widening_by_taking_the_flag_over_first() -> None:
    """Carol's team takes new-checkout over; carol approves as its owner."""
    taken = {CHECKOUT: flag(owner="team-search")}
    decision = Company.of({CHECKOUT: flag()}).decide(taken, "carol dora", author="ivan")
    assert decision.verdict == "deny"
    assert [(m.role, m.owner_team) for m in decision.missing] == [("owner", "team-payments")]


def test_speak_for_both_owners_by_being_in_both_teams() -> None:
    """Alice is in the team that gives the flag away and in the one that takes it, and approves once."""
    organisation = edited(ORGANISATION, lambda spec: spec["teams"]["team-search"]["members"].append("alice"))
    company = Company.of(
        {CHECKOUT: flag(riskTier="operational")}, {**POLICIES, "Organisation/organisation": organisation}
    )
    taken = {CHECKOUT: flag(riskTier="operational", owner="team-search")}
    assert needs(company.decide(taken, "alice", author="mallory")) == {"owner"}
    assert company.decide(taken, "alice carol", author="mallory").verdict == "allow"


def test_turn_a_rollback_into_a_rollout_by_exchanging_the_safe_variant_first() -> None:
    """Then `off: true` serves enabled to everyone, by one approval."""
    decision = Company.of({CHECKOUT: flag()}).decide({CHECKOUT: flag(safeVariant="enabled")}, "carol")
    assert decision.environments["production"].change_class == "widen"
    assert decision.verdict == "deny"


def test_turn_a_rollback_into_a_rollout_by_exchanging_the_safe_variant_with_it() -> None:
    """Off and the other safe variant in one change."""
    both = {CHECKOUT: flag(safeVariant="enabled", environments=production([orgs("acme")], off=True))}
    decision = Company.of({CHECKOUT: flag()}).decide(both, "carol")
    assert decision.environments["production"].change_class == "widen"
    assert decision.verdict == "deny"


def test_serve_something_else_under_an_approved_name_by_changing_a_variants_value() -> None:
    """No rule changes, nor any weight."""
    prices = flag(variants={"high": 10, "low": 1}, safeVariant="low", environments={"production": {"default": "high"}})
    exchanged = edited(prices, lambda spec: spec["variants"].update(high=0))
    decision = Company.of({CHECKOUT: prices}).decide({CHECKOUT: exchanged}, "carol")
    assert decision.environments["production"].change_class == "widen"
    assert "payments/new-checkout: the value of variant high changed" in decision.environments["production"].why
    assert decision.verdict == "deny"


def test_serve_something_else_by_changing_the_safe_variants_value() -> None:
    """Everybody who is served the safe variant is served another value."""
    exchanged = flag(variants={"enabled": True, "disabled": True})
    decision = Company.of({CHECKOUT: flag()}).decide({CHECKOUT: exchanged}, "carol")
    assert decision.environments["production"].change_class == "widen"
    assert decision.verdict == "deny"


def test_approve_alone_by_loosening_the_row_in_the_same_change() -> None:
    """Judged by the policies in force before, and the row is a change of policy that takes two of security."""
    looser = edited(
        APPROVALS, lambda spec: spec["tiers"]["sensitive"]["production"]["widen"].update(approvals=one("flag-approver"))
    )
    changes: dict[str, Spec | None] = {CHECKOUT: flag(environments=EVERYBODY), "ApprovalPolicy/approvals": looser}
    decision = Company.of({CHECKOUT: flag()}).decide(changes, "carol", author="mallory")
    assert needs(decision) == {"owner", "release-manager"}
    assert {missing.role for missing in decision.missing if missing.environment is None} == {"security"}
    assert decision.policy_class == "widen"


def test_approve_alone_by_joining_the_owners_in_the_same_change() -> None:
    """Mallory adds herself to the team, and approves as its member."""
    joined = edited(ORGANISATION, lambda spec: spec["teams"]["team-payments"]["members"].append("mallory"))
    changes: dict[str, Spec | None] = {CHECKOUT: flag(environments=EVERYBODY), "Organisation/organisation": joined}
    decision = Company.of({CHECKOUT: flag()}).decide(changes, "mallory dora frank grace", author="carol")
    assert needs(decision) == {"owner"}


@pytest.mark.parametrize("end", ["production", "security"])
def test_hold_a_role_everywhere_by_removing_the_limit_on_it(end: str) -> None:
    """A removal on its face: the list of environments, or the last entry of it, is taken away."""
    edit = {
        "production": lambda spec: spec["roles"]["security"].pop("environments"),
        "security": lambda spec: spec["roles"]["security"].update(environments=["staging", "production"]),
    }[end]
    changes: dict[str, Spec | None] = {"Organisation/organisation": edited(ORGANISATION, edit)}
    decision = Company.of({}).decide(changes, "frank", author="mallory")
    assert decision.policy_class == "widen"
    assert decision.verdict == "deny"


def test_change_during_the_holidays_by_removing_the_blackout() -> None:
    """A removal on its face, approved as one by one of security."""
    calendar = edited(POLICIES["ChangeCalendar/calendar"], lambda spec: spec["blackouts"].clear())
    decision = Company.of({}).decide({"ChangeCalendar/calendar": calendar}, "frank", author="mallory")
    assert decision.policy_class == "widen"
    assert decision.verdict == "deny"


def test_avoid_the_row_of_production_by_declaring_it_no_production() -> None:
    """One word in the list of environments."""
    environments = edited(
        POLICIES["EnvironmentList/environments"],
        lambda spec: spec["environments"]["production"].update(production=False),
    )
    changes: dict[str, Spec | None] = {
        "EnvironmentList/environments": environments,
        CHECKOUT: flag(environments=EVERYBODY),
    }
    decision = Company.of({CHECKOUT: flag()}).decide(changes, "carol frank grace", author="mallory")
    assert needs(decision) == {"owner", "release-manager"}


def test_widen_a_flag_that_is_not_in_the_diff_by_a_segment() -> None:
    """Only the segment changes, and its file names no owner and no tier."""
    rule = {"name": "pilots", "when": {"segment": "pilots"}, "serve": "enabled"}
    company = Company.of(
        {
            CHECKOUT: flag(riskTier="high-risk", environments=production([rule])),
            "Segment/payments/pilots": {"when": {"org": "acme"}},
        }
    )
    decision = company.decide({"Segment/payments/pilots": {"when": {"org": {"exists": True}}}}, "carol")
    found = decision.environments["production"]
    assert (found.change_class, found.tier) == ("widen", "high-risk")
    assert found.flags == ("payments/new-checkout",)
    assert needs(decision) == {"owner", "security"}


def test_widen_a_flag_that_is_not_in_the_diff_by_a_binding() -> None:
    """The owner of the contract alone does not open the flag, nor does the flag's owner alone sign for the contract."""
    entitled = {"name": "entitled", "when": {"entitled": True}, "serve": "enabled"}
    binding: Spec = {
        "org": "acme",
        "owner": "team-accounts",
        "agreement": {"id": "1", "from": "2026-01-01", "until": "2027-12-31"},
        "grants": [],
    }
    acme = "EntitlementBinding/entitlements/acme"
    company = Company.of({CHECKOUT: flag(environments=production([entitled])), acme: binding})
    granted = {acme: {**binding, "grants": [{"flag": "payments/new-checkout", "reason": "contract"}]}}
    decision = company.decide(granted, "heidi dora", author="mallory")
    assert [(m.role, m.owner_team) for m in decision.missing] == [("owner", "team-payments")]
    decision = company.decide(granted, "alice dora", author="mallory")
    assert [(m.role, m.owner_team) for m in decision.missing] == [("owner", "team-accounts")]
    assert company.decide(granted, "alice heidi dora", author="mallory").verdict == "allow"


def test_widen_a_flag_that_is_not_in_the_diff_by_its_prerequisite() -> None:
    """A flag of the lowest tier, owned by mallory's friends, guards one of the highest: two steps away."""
    on = production(default="enabled")
    specs: dict[str, Spec] = {
        "FlagDefinition/search/cheap": flag(riskTier="informational", owner="team-search", environments=production()),
        "FlagDefinition/search/middle": flag(
            riskTier="informational",
            owner="team-search",
            environments=production(default="enabled", requires=[{"flag": "cheap", "variant": "enabled"}]),
        ),
        CHECKOUT: flag(
            riskTier="high-risk",
            environments=production(default="enabled", requires=[{"flag": "search/middle", "variant": "enabled"}]),
        ),
    }
    for spec in specs.values():
        spec["environments"]["staging"] = {"default": "disabled"}
    opened = edited(specs["FlagDefinition/search/cheap"], lambda spec: spec.update(environments=on))
    opened["environments"]["staging"] = {"default": "disabled"}
    decision = Company.of(specs).decide({"FlagDefinition/search/cheap": opened}, "carol", author="ivan")
    found = decision.environments["production"]
    assert (found.change_class, found.tier) == ("widen", "high-risk")
    assert "payments/new-checkout" in found.flags
    assert [(m.role, m.owner_team) for m in decision.missing][:1] == [("owner", "team-payments")]


def test_move_people_by_the_order_of_a_split() -> None:
    """In the list form the order counts: exchanging two arms moves people between them."""
    colours = {"blue": "b", "green": "g", "off": "o"}
    arms = [{"variant": "blue", "weight": 10}, {"variant": "green", "weight": 10}, {"variant": "off", "weight": 80}]

    def spec(split: list[Spec]) -> Spec:
        return flag(
            variants=colours,
            safeVariant="off",
            environments={"production": {"rules": [{"name": "s", "split": split}], "default": "off"}},
        )

    decision = Company.of({CHECKOUT: spec(arms)}).decide({CHECKOUT: spec([arms[1], arms[0], arms[2]])}, "carol")
    assert decision.environments["production"].change_class == "widen"
    decision = Company.of({CHECKOUT: spec(arms)}).decide({CHECKOUT: spec([arms[2], arms[0], arms[1]])}, "carol")
    assert decision.environments["production"].change_class == "widen"


def test_move_people_by_the_order_of_keys_in_a_split() -> None:
    """In the map form the order of keys never counts, so there is nothing to change."""
    split = {"enabled": 10, "disabled": 90}
    turned = dict(reversed(split.items()))
    before, after = (flag(environments=production([{"name": "tenth", "split": arms}])) for arms in (split, turned))
    decision = Company.of({CHECKOUT: before}).decide({CHECKOUT: after})
    assert failed(decision, None) == {"subjects"}
    assert "no governed document changes" in decision.checks[0].reason


def test_move_people_by_another_salt_at_the_same_weight() -> None:
    """Ten per cent stay ten per cent, and are others."""
    split = {"name": "tenth", "split": {"enabled": 10, "disabled": 90}}
    before, after = (flag(environments=production([rule])) for rule in (split, {**split, "salt": "again"}))
    decision = Company.of({CHECKOUT: before}).decide({CHECKOUT: after}, "carol")
    assert decision.environments["production"].change_class == "widen"


@pytest.mark.parametrize("claim", ["name", "key"])
def test_answer_for_a_risky_flag_with_a_cheap_one_of_the_same_name(claim: str) -> None:
    """Applications ask by key, and cannot tell whose it is."""
    cheap = flag(riskTier="informational", owner="team-search", environments=EVERYBODY)
    subject = "FlagDefinition/search/new-checkout"
    if claim == "key":
        cheap["key"], subject = "new-checkout", "FlagDefinition/search/harmless"
    decision = Company.of({CHECKOUT: flag()}).decide({subject: cheap}, "carol", author="ivan")
    assert failed(decision, None) == {"unique"}
    renamed = Company.of({CHECKOUT: flag(), "FlagDefinition/search/harmless": {**cheap, "key": "other"}})
    decision = renamed.decide(
        {"FlagDefinition/search/harmless": {**cheap, "key": "new-checkout"}}, "carol", author="ivan"
    )
    assert failed(decision, None) == {"unique"}


def test_take_a_risky_flags_key_over_by_removing_it() -> None:
    """Removing the one is a widening of its tier, whatever the other costs."""
    cheap = flag(riskTier="informational", owner="team-search", environments=EVERYBODY, key="new-checkout")
    changes: dict[str, Spec | None] = {CHECKOUT: None, "FlagDefinition/search/harmless": cheap}
    decision = Company.of({CHECKOUT: flag()}).decide(changes, "carol", author="ivan")
    assert decision.environments["production"].tier == "sensitive"
    assert ("owner", "team-payments") in {(m.role, m.owner_team) for m in decision.missing}


def test_delete_a_flag_unapproved() -> None:
    """A removal is a change like any other."""
    decision = Company.of({CHECKOUT: flag()}).decide({CHECKOUT: None})
    assert decision.environments["production"].change_class == "widen"
    assert needs(decision) == {"owner", "release-manager"}


def test_hide_a_finding_of_the_gate_from_the_approvers() -> None:
    """A suppression is a change that needs what widening needs."""
    ignoring = flag(ignore=[{"rule": "FS305", "reason": "noise", "until": "2027-12-31"}])
    decision = Company.of({CHECKOUT: flag()}).decide({CHECKOUT: ignoring}, "carol")
    assert decision.environments["production"].change_class == "widen"


def test_keep_a_flag_beyond_its_end_by_a_harmless_looking_date() -> None:
    """A longer life is no metadata."""
    decision = Company.of({CHECKOUT: flag()}).decide({CHECKOUT: flag(expires="2099-12-31")}, "alice")
    assert decision.environments["production"].change_class == "widen"


def test_slip_a_widening_past_the_reviewers_beside_a_kill_switch() -> None:
    """One flag goes off, another goes on: the whole is judged as the worse of the two, and waits as it does."""
    other = "FlagDefinition/payments/other"
    company = Company.of({CHECKOUT: flag(), other: flag(riskTier="high-risk", environments=production())})
    split = {"name": "few", "split": {"enabled": 5, "disabled": 95}}
    changes: dict[str, Spec | None] = {
        CHECKOUT: flag(environments=production([orgs("acme")], off=True)),
        other: flag(riskTier="high-risk", environments=production([split])),
    }
    decision = company.decide(changes, "carol", now=at("2026-11-27T12:00"))
    found = decision.environments["production"]
    assert (found.change_class, found.tier) == ("widen", "high-risk")
    assert not found.toward_safe_now
    assert found.effective_from == at("2026-11-30T08:00")


def test_escape_a_flags_tier_by_way_of_a_segment_that_is_switched_off_with_it() -> None:
    """Being off, it serves nobody anything by the segment: still that costs what the flag that names it does."""
    rule = {"name": "pilots", "when": {"segment": "pilots"}, "serve": "enabled"}
    off = flag(riskTier="high-risk", environments=production([rule], off=True))
    off["environments"]["staging"] = {"default": "disabled"}
    company = Company.of({CHECKOUT: off, "Segment/payments/pilots": {"when": {"org": "acme"}}})
    decision = company.decide({"Segment/payments/pilots": {"when": {"org": {"exists": True}}}}, "carol")
    assert decision.environments["production"].tier == "high-risk"
    assert decision.verdict == "deny"
