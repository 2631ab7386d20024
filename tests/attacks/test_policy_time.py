"""Attacks on the clock, the calendar, and on who somebody was at the time (approval.md, Attacks to be held)."""

from __future__ import annotations

from flagseal.policy import Approval
from tests.policy.builders import FORGE, KEYS, at
from tests.policy.company import (
    CHECKOUT,
    ORGANISATION,
    POLICIES,
    Company,
    edited,
    failed,
    flag,
    orgs,
    production,
)

RISKY = Company.of({CHECKOUT: flag(riskTier="high-risk", environments=production())})
SHARE = {"name": "share", "split": {"enabled": 5, "disabled": 95}}
WIDER = {CHECKOUT: flag(riskTier="high-risk", environments=production([SHARE]))}
BOTH = KEYS | FORGE


def test_take_effect_in_the_night_of_the_clock_change_by_reading_the_window_in_utc() -> None:
    """In summer nine in Berlin is seven in UTC, and sixteen is fourteen; in winter an hour later."""
    for now, expected in (
        ("2026-10-22T13:59:59", "2026-10-22T13:59:59"),
        ("2026-10-22T14:00:00", "2026-10-26T08:00:00"),
        ("2026-10-26T07:59:59", "2026-10-26T08:00:00"),
        ("2026-03-26T15:00:00", "2026-03-30T07:00:00"),
    ):
        decision = RISKY.decide(WIDER, "alice frank", now=at(now), evidence=BOTH, ticket="PAY-1")
        assert decision.environments["production"].effective_from == at(expected)


def test_widen_inside_a_blackout_by_a_schedule_approved_before_it() -> None:
    """The change is in effect in November, and does nothing until Christmas."""
    rule = orgs("globex", name="christmas", **{"from": "2026-12-25T09:00:00Z"})
    company = Company.of({CHECKOUT: flag()})
    decision = company.decide({CHECKOUT: flag(environments=production([orgs("acme"), rule]))}, "alice dora")
    assert failed(decision) == {"schedule"}


def test_widen_inside_a_blackout_by_the_step_of_a_ramp() -> None:
    """A ramp begins before the holidays and goes on through them."""
    ramp = {
        "name": "ramp",
        "ramp": {
            "variant": "enabled",
            "from": 0,
            "to": 100,
            "start": "2026-12-18T09:00:00Z",
            "end": "2026-12-28T09:00:00Z",
            "steps": 5,
        },
    }
    company = Company.of({CHECKOUT: flag()})
    decision = company.decide({CHECKOUT: flag(environments=production([orgs("acme"), ramp]))}, "alice dora")
    assert failed(decision) == {"schedule"}


def test_widen_inside_a_blackout_by_the_start_of_an_agreement() -> None:
    """Nothing changes in the flag, and nothing until New Year."""
    entitled = {"name": "entitled", "when": {"entitled": True}, "serve": "enabled"}
    binding = {
        "org": "acme",
        "owner": "team-accounts",
        "agreement": {"id": "1", "from": "2027-01-01", "until": "2027-12-31"},
        "grants": [{"flag": "payments/new-checkout", "reason": "contract"}],
    }
    company = Company.of({CHECKOUT: flag(environments=production([entitled]))})
    decision = company.decide({"EntitlementBinding/entitlements/acme": binding}, "alice heidi dora")
    assert failed(decision) == {"schedule"}
    binding["agreement"] = {"id": "1", "from": "2027-01-04", "until": "2027-12-31"}
    assert company.decide({"EntitlementBinding/entitlements/acme": binding}, "alice heidi dora").verdict == "allow"


def test_be_inside_the_window_by_setting_the_clock_back() -> None:
    """The clock is the later of now and the last acceptance."""
    friday, thursday = at("2026-11-27T12:00"), at("2026-11-26T12:00")
    decision = RISKY.decide(WIDER, "alice frank", now=thursday, evidence=BOTH, ticket="PAY-1", accepted_at=friday)
    assert decision.environments["production"].effective_from == at("2026-11-30T08:00")


def test_keep_approving_after_ones_last_day_by_setting_the_clock_back() -> None:
    """Alice's membership ends; the verifier's clock says it has not."""
    leaving = edited(
        ORGANISATION,
        lambda spec: spec["teams"]["team-payments"].update(members=["bob", {"person": "alice", "until": "2026-11-25"}]),
    )
    company = Company.of({CHECKOUT: flag()}, {**POLICIES, "Organisation/organisation": leaving})
    wider = {CHECKOUT: flag(environments=production([orgs("acme", "globex")]))}
    before, after = at("2026-11-25T23:00"), at("2026-11-26T00:00")
    assert company.decide(wider, "alice dora", author="mallory", now=before).verdict == "allow"
    assert company.decide(wider, "alice dora", author="mallory", now=after).verdict == "deny"
    assert company.decide(wider, "alice dora", author="mallory", now=before, accepted_at=after).verdict == "deny"


def test_count_an_approval_by_somebody_who_had_left_when_they_gave_it() -> None:
    """Given in time it counts, though it is accepted later; given too late it does not."""
    leaving = edited(
        ORGANISATION,
        lambda spec: spec["teams"]["team-payments"].update(members=["bob", {"person": "alice", "until": "2026-11-25"}]),
    )
    company = Company.of({CHECKOUT: flag()}, {**POLICIES, "Organisation/organisation": leaving})
    wider = {CHECKOUT: flag(environments=production([orgs("acme", "globex")]))}
    dora = Approval("dora", FORGE, at("2026-11-25T10:00"))
    for given, verdict in (("2026-11-25T23:59:59", "allow"), ("2026-11-26T00:00", "deny")):
        approvals = (Approval("alice", FORGE, at(given)), dora)
        decision = company.decide(wider, approvals, author="mallory", now=at("2026-12-01T10:00"))
        assert decision.verdict == verdict


def test_have_a_change_approved_by_somebody_who_was_removed_while_it_was_pending() -> None:
    """The statement builds on the head without alice, so her signature is nobody's."""
    company = Company.of({CHECKOUT: flag()})
    wider = {CHECKOUT: flag(environments=production([orgs("acme", "globex")]))}
    assert company.decide(wider, "alice dora", author="mallory").verdict == "allow"

    def remove(spec: dict[str, dict[str, dict[str, list[str]]]]) -> None:
        spec["teams"]["team-payments"]["members"].remove("alice")
        spec["roles"]["release-manager"]["people"].remove("alice")
        del spec["people"]["alice"]

    removal = {"Organisation/organisation": edited(ORGANISATION, remove)}
    assert company.decide(removal, "frank", author="mallory").verdict == "allow"
    assert failed(company.then(removal).decide(wider, "alice dora", author="mallory")) == {"approvals"}


def test_arrive_early_by_way_of_a_change_that_does_not_wait() -> None:
    """What is pending on a segment comes with every flag that is pointed at it, and not before it."""
    segment = "Segment/payments/pilots"
    named = production([{"name": "pilots", "when": {"segment": "pilots"}, "serve": "enabled"}])
    company = Company.of({CHECKOUT: flag(), segment: {"when": {"org": {"exists": True}}}})
    pending = company.pending("production", {segment: {"when": {"org": "acme"}}})
    monday = {"production": at("2026-11-30T08:00")}
    # Against what is in effect the flag serves acme as ever; against what is accepted, everybody.
    decision = pending.decide({CHECKOUT: flag(environments=named)}, "alice dora", pending_until=monday)
    found = decision.environments["production"]
    assert found.change_class == "widen"
    assert not found.toward_safe_now
    assert found.effective_from == monday["production"]
