"""A flag that nobody edited changes for a reason, and the plan names it."""

from __future__ import annotations

from typing import Any

import pytest

from flagseal_validators.plan import as_markdown, as_text
from tests.plan.making import effect, planned
from tests.policy.company import CHECKOUT, ENVIRONMENTS, Company, Spec, edited, flag, orgs, production

SEGMENT = "Segment/payments/pilots"
BINDING = "EntitlementBinding/entitlements/acme"
BASE = "FlagDefinition/payments/base"


def through(rule: Spec, **more: Any) -> Spec:  # noqa: ANN401 (a section is JSON)
    """Give a flag with one rule in production."""
    return flag(environments=production([{"name": "rule", "serve": "enabled", **rule}], **more))


def segment(*names: str) -> Spec:
    """Give a segment of organisations."""
    return {"when": {"org": {"in": list(names)}}}


def granting(*grants: Spec, until: str = "2027-12-31") -> Spec:
    """Give acme's binding."""
    agreement = {"id": "C-1", "plan": "pro", "from": "2026-01-01", "until": until}
    granted = [{"flag": "payments/new-checkout", "reason": "trial", **grant} for grant in grants]
    return {"org": "acme", "owner": "team-accounts", "agreement": agreement, "grants": granted}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (segment("acme"), segment("acme", "globex"), "segment pilots gained globex"),
        (segment("acme", "globex"), segment("acme"), "segment pilots lost globex"),
        (segment("acme"), segment("globex"), "segment pilots gained globex and lost acme"),
        (
            segment("acme"),
            {"when": {"plan": "pro"}},
            "segment pilots is now those where plan is pro instead of those where org is one of acme",
        ),
        (
            segment("acme"),
            segment(*"abcdefgh"),
            "segment pilots gained a, b, c, d, e and 3 more and lost acme",
        ),
    ],
    ids=["gained", "lost", "both", "another condition", "many"],
)
def test_a_segment_says_whom_it_gained_and_lost(before: Spec, after: Spec, told: str) -> None:
    """In the segment's own words."""
    company = Company.of({CHECKOUT: through({"when": {"segment": "pilots"}}), SEGMENT: before})
    assert effect(planned(company, {SEGMENT: after})).because == (told,)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            granting(),
            granting({}),
            "binding acme now grants acme payments/new-checkout from 2026-01-01 to 2027-12-31",
        ),
        (granting({}), granting(), "binding acme no longer grants acme payments/new-checkout"),
        (
            granting({"until": "2026-12-31"}),
            granting({"until": "2027-03-31"}),
            (
                "binding acme grants acme payments/new-checkout from 2026-01-01 to 2027-03-31"
                " instead of from 2026-01-01 to 2026-12-31"
            ),
        ),
        (
            None,
            granting({}),
            "binding acme is new: it grants acme payments/new-checkout from 2026-01-01 to 2027-12-31",
        ),
        (granting({}), None, "binding acme was removed"),
    ],
    ids=["granted", "taken", "longer", "new", "removed"],
)
def test_a_binding_says_what_it_grants_to_whom_and_how_long(before: Spec | None, after: Spec | None, told: str) -> None:
    """With the last day, as it is written."""
    uses = {CHECKOUT: through({"when": {"entitled": True}})}
    company = Company.of(uses if before is None else {**uses, BINDING: before})
    assert effect(planned(company, {BINDING: after})).because == (told,)


def test_a_prerequisite_says_what_it_serves_now() -> None:
    """The flag that requires it is told why it moves."""
    requires = {"requires": [{"flag": "base", "variant": "enabled"}]}
    company = Company.of({CHECKOUT: through({}, **requires), BASE: flag(environments=production())})
    wider = planned(company, {BASE: flag(environments=production([orgs("acme")]))})
    assert effect(wider, number=1).because == (
        "payments/base, which it requires, is now also on for organisation acme",
    )
    assert effect(wider, number=0).because == ()


def test_a_policy_that_moves_people_is_a_cause_too() -> None:
    """Splits hash otherwise since the environment says so."""
    split = {"name": "half", "split": {"enabled": 1, "disabled": 1}}
    company = Company.of({CHECKOUT: flag(environments=production([split]))})
    hashing = edited(ENVIRONMENTS, lambda spec: spec["environments"]["production"].update(bucketing="v3"))
    made = planned(company, {"EnvironmentList/environments": hashing})
    assert effect(made).because == ("the environments have production hash by v3 instead of v2",)


def test_causes_stand_in_every_form() -> None:
    """A reviewer at a terminal and one in the forge read the same."""
    company = Company.of({CHECKOUT: through({"when": {"segment": "pilots"}}), SEGMENT: segment("acme")})
    made = planned(company, {SEGMENT: segment("acme", "globex")})
    assert "because segment pilots gained globex" in as_text(made)
    assert "because segment pilots gained globex" in as_markdown(made)


def test_what_has_no_meaning_any_more_is_no_cause_to_fail_over() -> None:
    """A prerequisite that is removed leaves a dangling reference: the plan still names it."""
    requires = {"requires": [{"flag": "base", "variant": "enabled"}]}
    company = Company.of({CHECKOUT: through({}, **requires), BASE: flag(environments=production())})
    made = planned(company, {BASE: None})
    assert any("base" in obstacle for obstacle in made.obstacles)
    as_text(made)
    as_markdown(made)
