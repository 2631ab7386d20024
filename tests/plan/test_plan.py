"""What a plan finds out, beside its words."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from flagseal.emergency.verifying import ROLE
from flagseal.evaluation import FlagSet
from flagseal.history.manifest import Manifest
from flagseal.model.policy_set import load_policies
from flagseal.policy import decide
from flagseal_validators.plan import as_record, as_text
from flagseal_validators.plan.authority import OVERRIDE_ROLE
from tests.plan.making import effect, facts_of, planned, turned
from tests.policy.company import (
    APPROVALS,
    CHECKOUT,
    ENVIRONMENTS,
    ORGANISATION,
    POLICIES,
    Company,
    Spec,
    documents,
    edited,
    flag,
    orgs,
    production,
)

COMPANY = Company.of({CHECKOUT: flag()})
WIDER = {CHECKOUT: flag(environments=production([orgs("acme", "globex")]))}


def split(weights: object, **more: object) -> Spec:
    """Give production with one split."""
    return production([{"name": "drawn", "split": weights, **more}])


def test_the_decision_is_the_one_that_every_verifier_makes() -> None:
    """The plan decides nothing by itself: its class, tier, missing approvals and time are policy's."""
    made = planned(COMPANY, WIDER)
    expected = decide(facts_of(COMPANY, WIDER), load_policies(COMPANY.accepted.values()))
    assert made.decision is not None
    assert made.decision.to_json() == expected.to_json()
    assert [(entry.role, entry.candidates) for entry in made.decision.missing] == [
        ("owner", ("alice",)),
        ("release-manager", ("alice", "dora")),
    ]
    assert made.obstacles == ()


def test_the_digests_are_those_that_a_statement_would_bind() -> None:
    """Subjects by their digests, and the manifest before and after; without a head there is no manifest to build on."""
    made = planned(COMPANY, WIDER, manifest=Manifest.of(COMPANY.accepted))
    after = {**COMPANY.accepted, **documents(WIDER)}
    assert made.manifest_before == Manifest.of(COMPANY.accepted).digest
    assert made.manifest_after == Manifest.of(after).digest
    (subject,) = made.subjects
    assert planned(COMPANY, WIDER).manifest_after is None
    assert (subject.before, subject.after) == (COMPANY.accepted[CHECKOUT].digest, after[CHECKOUT].digest)


def test_a_removal_binds_the_tombstone() -> None:
    """What is removed stays in the manifest, as its own removal."""
    made = planned(COMPANY, {CHECKOUT: None})
    (subject,) = made.subjects
    assert subject.verb == "removes"
    assert subject.after == documents({CHECKOUT: None})[CHECKOUT].digest


def test_governance_is_told_apart_from_answers() -> None:
    """A ticket changes no answer."""
    made = planned(COMPANY, {CHECKOUT: flag(ticket="PAY-9")})
    assert made.subjects[0].fields == ("ticket: none → PAY-9",)
    assert effect(made).changes == ()
    assert effect(made).change_class == "metadata"


def test_no_change_needs_nobody() -> None:
    """Two equal states have no plan to speak of."""
    made = planned(COMPANY, {CHECKOUT: flag()})
    assert made.decision is None
    assert "nothing to approve" in as_text(made)


def test_what_no_approval_heals_is_in_the_way() -> None:
    """A missing approval is what a plan is for; a variant that staging does not serve is an obstacle."""
    dark = flag(environments={**production(), "staging": {"default": "disabled"}})
    company = Company.of({CHECKOUT: dark})
    spec = {**dark, "environments": {**dark["environments"], "production": {"default": "enabled"}}}
    made = planned(company, {CHECKOUT: spec})
    assert any("staging does not serve yet" in obstacle for obstacle in made.obstacles)


def test_a_role_that_nobody_can_fill_is_in_the_way() -> None:
    """If everybody who could approve wrote a part of it, no waiting helps."""
    made = planned(COMPANY, WIDER, author="alice bob")
    assert any("nobody can give 1 × owner" in obstacle for obstacle in made.obstacles)


# Rebucketing


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [
        (split({"enabled": 10, "disabled": 90}), split({"enabled": 20, "disabled": 80}), None),
        (split({"enabled": 50, "disabled": 50}), split({"enabled": 50, "disabled": 50}, salt="new"), 0.5),
        (split({"enabled": 50, "disabled": 50}), split({"enabled": 50, "disabled": 50}, by="org"), 0.5),
        (
            split([{"variant": "enabled", "weight": 1}, {"variant": "disabled", "weight": 3}]),
            split([{"variant": "disabled", "weight": 3}, {"variant": "enabled", "weight": 1}]),
            0.5,
        ),
    ],
    ids=["a wider arm alone", "another salt", "another attribute", "the arms turned round"],
)
def test_people_who_move_though_no_weight_did_are_flagged(before: Spec, after: Spec, share: float | None) -> None:
    """A wider arm takes from the safe variant only; whatever draws anew is said, with the share that moves."""
    found = turned(before, after)
    assert [drawn.share for drawn in found.rebucketed] == ([] if share is None else [share])


def test_an_arm_in_the_middle_that_grows_pushes_its_neighbour() -> None:
    """In list form, order counts: widening the first arm moves people from the second to the third."""
    thirds = [{"variant": name, "weight": 1} for name in ("a", "b", "c")]
    variants = {"a": "A", "b": "B", "c": "C"}
    before = flag(variants=variants, safeVariant="c", environments=split(thirds) | {"production": {"default": "c"}})
    before["environments"]["production"] = {"default": "c", "rules": [{"name": "drawn", "split": thirds}]}
    before["environments"].pop("staging")
    wider = [{**thirds[0], "weight": 2}, thirds[1], thirds[2]]
    after = edited(before, lambda spec: spec["environments"]["production"]["rules"][0].update(split=wider))
    (drawn,) = effect(planned(Company.of({CHECKOUT: before}), {CHECKOUT: after})).rebucketed
    contexts = [{"targetingKey": f"user-{number}"} for number in range(4000)]
    moved = share_that_moved(before, after, contexts)
    # The weights ask for 1/6 to move (to the first arm); the rest of what moves is what the plan reports.
    assert drawn.share is not None
    assert float(drawn.share) == pytest.approx(moved - 1 / 6, abs=0.03)


def share_that_moved(before: Spec, after: Spec, contexts: list[dict[str, str]]) -> float:
    """Count how many contexts change variant, by the evaluator itself."""
    sets = []
    for spec in (before, after):
        arms = spec["environments"]["production"]["rules"][0]["split"]
        key = {"cat": ["new-checkout", {"var": "targetingKey"}]}
        logic = {"fractional": [key, *([arm["variant"], arm["weight"]] for arm in arms)]}
        body = {"state": "ENABLED", "variants": spec["variants"], "defaultVariant": "c", "targeting": logic}
        sets.append(FlagSet.load({"flags": {"f": body}}))
    differ = sum(sets[0].evaluate("f", it).variant != sets[1].evaluate("f", it).variant for it in contexts)
    return differ / len(contexts)


def test_another_way_of_hashing_draws_every_split_anew() -> None:
    """Bucketing belongs to the environment, so the flags are reported though no flag is in the diff."""
    company = Company.of({CHECKOUT: flag(environments=split({"enabled": 50, "disabled": 50}))})
    hashing = edited(ENVIRONMENTS, lambda spec: spec["environments"]["production"].update(bucketing="v3"))
    made = planned(company, {"EnvironmentList/environments": hashing})
    (drawn,) = effect(made).rebucketed
    assert drawn.cause == "splits hash by v3 instead of v2"
    assert drawn.share == Fraction(1, 2)
    assert "REBUCKETED: splits hash by v3 instead of v2, so 50 % of those" in as_text(made)


def test_raw_targeting_that_splits_is_drawn_anew_too_by_nobody_knows_how_much() -> None:
    """What cannot be analysed is not passed over."""
    raw = {"fractional": [["enabled", 1], ["disabled", 1]]}
    environments = {"production": {"default": "disabled", "targeting": raw}}
    company = Company.of({CHECKOUT: flag(environments=environments)})
    hashing = edited(ENVIRONMENTS, lambda spec: spec["environments"]["production"].update(bucketing="v3"))
    made = planned(company, {"EnvironmentList/environments": hashing})
    assert [drawn.share for drawn in effect(made).rebucketed] == [None]
    assert "some of those whom 'targeting' splits" in as_text(made)


# Recorded contexts


def test_recorded_contexts_are_counted_by_rule_and_by_group() -> None:
    """Who changes, by which rule, in which organisation: exactly those whom the change names."""
    contexts = [{"targetingKey": f"u{number}", "org": org} for number, org in enumerate(["acme", "globex"] * 50)]
    contexts.append({"targetingKey": "nobody"})
    made = planned(COMPANY, WIDER, contexts=contexts, group_by=["org"])
    replay = made.environments[0].replay
    assert replay is not None
    assert (replay.changed, replay.total) == (50, 101)
    (moved,) = replay.flags[0].by_rule
    assert (moved.rules, moved.variants, moved.count) == (("default", "pilots"), ("disabled", "enabled"), 50)
    assert [(group.value, group.changed, group.total) for group in replay.groups["org"]] == [("globex", 50, 50)]


def test_contexts_are_evaluated_when_the_change_takes_effect() -> None:
    """Both sides are asked at the same instant: a schedule that moves by itself is not the change's doing."""
    rule = orgs("acme", **{"from": "2026-11-23T09:00:00Z"})
    company = Company.of({CHECKOUT: flag(environments=production([rule]))})
    wider = production([{**rule, "when": {"org": {"in": ["acme", "globex"]}}}])
    made = planned(company, {CHECKOUT: flag(environments=wider)}, contexts=[{"org": "acme"}, {"org": "globex"}])
    replay = made.environments[0].replay
    assert replay is not None
    assert replay.changed == 1


def test_a_change_of_a_value_from_true_to_one_is_a_change() -> None:
    """Python takes them for equal, and no application does."""
    spec = flag(variants={"enabled": True, "disabled": False})
    other = flag(variants={"enabled": 1, "disabled": 0})
    made = planned(Company.of({CHECKOUT: spec}), {CHECKOUT: other}, contexts=[{"org": "acme"}, {}])
    replay = made.environments[0].replay
    assert replay is not None
    assert replay.changed == 2


# Policies


def test_a_new_member_is_named_with_what_they_can_approve() -> None:
    """The plan of a policy says who gains what."""
    joined = edited(ORGANISATION, lambda spec: spec["teams"]["team-security"]["members"].append("mallory"))
    made = planned(COMPANY, {"Organisation/organisation": joined})
    gained = ["widen of policies", "toward-safe of policies (alone)", "widen of high-risk flags in production"]
    assert made.authority.sentences == (
        f"mallory can now approve, as security: {', '.join(gained)}, because mallory joins team-security",
    )


def test_a_removed_member_is_named_with_what_they_lose() -> None:
    """The way back is told as well."""
    left = edited(ORGANISATION, lambda spec: spec["teams"]["team-security"]["members"].remove("grace"))
    made = planned(COMPANY, {"Organisation/organisation": left})
    assert [line.split(":")[0] for line in made.authority.sentences] == ["grace can no longer approve, as security"]
    assert made.decision is not None
    assert made.decision.policy_class == "toward-safe"


def test_a_row_that_asks_for_less_is_told() -> None:
    """Nobody joins or leaves, and still a change passes that would not have."""
    rows = edited(APPROVALS, lambda spec: spec["tiers"]["sensitive"]["production"]["widen"]["approvals"].pop())
    made = planned(COMPANY, {"ApprovalPolicy/approvals": rows})
    assert any(
        line == "tiers.sensitive.production.widen: no longer asks for 1 × release-manager"
        for line in made.authority.sentences
    )
    assert any("alice can no longer approve, as release-manager" in line for line in made.authority.sentences)


def test_policies_that_contradict_themselves_are_in_the_way() -> None:
    """The plan says so, and does not fail."""
    broken = edited(ORGANISATION, lambda spec: spec["teams"]["team-security"]["members"].append("nobody"))
    made = planned(COMPANY, {"Organisation/organisation": broken})
    assert made.authority.sentences == ()
    assert any("nobody" in obstacle for obstacle in made.obstacles)


def test_what_does_not_compile_is_in_the_way() -> None:
    """A dangling reference has no effect to be told, and the plan says what is wrong."""
    dangling = flag(environments=production([{"name": "x", "when": {"segment": "gone"}, "serve": "enabled"}]))
    made = planned(COMPANY, {CHECKOUT: dangling})
    assert any("segment" in obstacle for obstacle in made.obstacles)
    as_text(made)


def test_every_plan_renders_as_text_and_as_json() -> None:
    """Both renderers take whatever a plan holds, and JSON is JSON."""
    changes = {**WIDER, "ApprovalPolicy/approvals": POLICIES["ApprovalPolicy/approvals"]}
    made = planned(COMPANY, changes, contexts=[{"org": "globex"}], group_by=["org", "user.plan"])
    text = as_text(made)
    assert "payments/new-checkout: on for organisation acme, otherwise off; now also on for organisation globex" in text
    assert "1 × owner (team-payments): alice" in text
    assert "contexts 1 of 1" in text
    assert json.loads(json.dumps(as_record(made)))["environments"]["production"]["contexts"]["changed"] == 1


# Who can do what


def test_being_enough_alone_is_a_gain() -> None:
    """Two of security become one: each of them can now do alone what took two, and nobody loses anything."""
    rows = edited(APPROVALS, lambda spec: spec["policies"]["widen"]["approvals"][0].update(count=1))
    made = planned(COMPANY, {"ApprovalPolicy/approvals": rows})
    assert made.authority.sentences == (
        "frank can now approve, as security: widen of policies (alone)",
        "grace can now approve, as security: widen of policies (alone)",
        "policies.widen: asks for 1 × security instead of 2 × security",
    )


def test_whoever_may_break_glass_is_named_with_where() -> None:
    """A role that rolls flags back alone is authority too."""
    role = {"people": ["mallory"], "environments": ["production"]}
    hired = edited(ORGANISATION, lambda spec: spec["roles"].update({"flag-emergency-override": role}))
    made = planned(COMPANY, {"Organisation/organisation": hired})
    assert made.authority.sentences == (
        (
            "mallory can now roll any flag back alone, as flag-emergency-override: production, because mallory is"
            " named in the role flag-emergency-override"
        ),
    )


def test_the_role_that_breaks_glass_is_the_one_that_is_verified() -> None:
    """The plan and the verifier mean the same role."""
    assert OVERRIDE_ROLE == ROLE


def test_an_environment_that_is_no_production_any_more_lets_others_approve() -> None:
    """Nobody joins, no row changes, and still people can do what they could not."""
    other = edited(ENVIRONMENTS, lambda spec: spec["environments"]["production"].update(production=False))
    sentences = planned(COMPANY, {"EnvironmentList/environments": other}).authority.sentences
    assert any(
        it.startswith("carol can now approve, as flag-approver") and "widen of sensitive" in it for it in sentences
    )
    assert "environment production: goes by the rows of nonProduction now" in sentences


def test_calendar_and_lifetimes_are_told() -> None:
    """A blackout that is gone, a window that opens at other times, flags that may live longer."""
    calendar = edited(POLICIES["ChangeCalendar/calendar"], lambda spec: spec["blackouts"].clear())
    calendar["windows"]["business-hours"]["to"] = "23:00"
    lifecycle = edited(POLICIES["LifecyclePolicy/lifecycle"], lambda spec: spec["maxLifetime"].update(release="365d"))
    made = planned(COMPANY, {"ChangeCalendar/calendar": calendar, "LifecyclePolicy/lifecycle": lifecycle})
    assert made.authority.sentences == (
        "window business-hours: opens at other times",
        "blackout year end: no longer from 2026-12-20 until 2027-01-03",
        "release flags may live 365 days instead of 180 days",
    )


def test_more_people_than_there_are_is_in_the_way() -> None:
    """Two of security are needed, and one of the two wrote it."""
    joined = edited(ORGANISATION, lambda spec: spec["teams"]["team-search"]["members"].append("mallory"))
    made = planned(COMPANY, {"Organisation/organisation": joined}, author="frank")
    assert "policies: only grace can give 2 × security" in made.obstacles


def test_a_split_that_is_renamed_and_salted_anew_is_still_found() -> None:
    """Another name does not hide that people are drawn again."""
    before = split({"enabled": 50, "disabled": 50})
    after = split({"enabled": 50, "disabled": 50}, salt="new")
    after["production"]["rules"][0]["name"] = "drawn again"
    assert [drawn.share for drawn in turned(before, after).rebucketed] == [Fraction(1, 2)]
