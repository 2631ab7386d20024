"""Staging against production of the same flag: what differs, and what promoting would mean."""

from __future__ import annotations

import pytest

from flagseal.policy import State
from flagseal_validators.plan import as_markdown, as_record, as_text
from flagseal_validators.plan.promotion import promoted
from tests.plan.making import planned
from tests.policy.company import CHECKOUT, Company, Spec, document, edited, flag, orgs, production

AHEAD = flag(environments={"staging": {"default": "enabled"}, "production": production()["production"]})


def changed(spec: Spec) -> Spec:
    """Change what says nothing about what is served."""
    return {**spec, "ticket": "PAY-9"}


def test_a_flag_of_the_change_that_differs_between_environments_is_compared() -> None:
    """What each serves, what promoting would change, its class, and who would have to approve it."""
    made = planned(Company.of({CHECKOUT: AHEAD}), {CHECKOUT: changed(AHEAD)})
    (found,) = made.promotions
    assert (found.source, found.target) == ("staging", "production")
    assert (found.ahead, found.behind) == ("on for everyone", "off for everyone")
    assert found.changes == ("on instead of off for everyone else",)
    assert (found.change_class, found.tier) == ("widen", "sensitive")
    assert {entry.role for entry in found.missing} == {"owner", "release-manager"}
    assert found.obstacles == ()
    assert "promoting would be widen, sensitive: on instead of off" in as_text(made)
    assert "Not the same in every environment afterwards: 1 flag" in as_markdown(made)
    assert as_record(made)["promotions"][0]["to"] == "production"  # type: ignore[call-overload,index]


def test_the_same_everywhere_is_nothing_to_promote() -> None:
    """A comparison that finds nothing says nothing."""
    same = flag(environments={name: {"default": "enabled"} for name in ("staging", "production")})
    made = planned(Company.of({CHECKOUT: same}), {CHECKOUT: changed(same)})
    assert made.promotions == ()
    assert "Not the same" not in as_text(made)


def test_it_is_compared_as_it_is_after_the_change() -> None:
    """A rollout to production that catches up with staging leaves nothing to promote."""
    made = planned(Company.of({CHECKOUT: AHEAD}), {CHECKOUT: flag(environments=production(default="enabled"))})
    assert made.promotions == ()


def test_where_production_does_not_serve_it_promoting_begins_to() -> None:
    """A flag that lives in staging only."""
    only = flag(environments={"staging": {"rules": [orgs("acme")], "default": "disabled"}})
    made = planned(Company.of({CHECKOUT: only}), {CHECKOUT: changed(only)})
    (found,) = made.promotions
    assert found.behind == ""
    assert found.changes == ("served: on for organisation acme, otherwise off",)
    assert "production: not served" in as_text(made)


def test_what_would_be_in_the_way_is_said_beforehand() -> None:
    """A high-risk flag cannot go all at once: promoting would be refused, whoever approves."""
    risky = edited(AHEAD, lambda spec: spec.update(riskTier="high-risk"))
    made = planned(Company.of({CHECKOUT: risky}), {CHECKOUT: changed(risky)})
    (found,) = made.promotions
    assert any("at most 25 at once" in obstacle for obstacle in found.obstacles)
    assert not any("at most 25" in obstacle for obstacle in made.obstacles)


def test_flags_of_which_the_same_is_to_be_said_are_one_entry() -> None:
    """A migration does not bury the page."""
    names = [f"FlagDefinition/payments/flag-{number}" for number in range(30)]
    made = planned(Company.of(dict.fromkeys(names, AHEAD)), {name: changed(AHEAD) for name in names})
    assert len(made.promotions) == 30
    assert as_text(made).count("staging serves on for everyone") == 1
    assert as_markdown(made).count("`staging`: on for everyone") == 1


@pytest.mark.parametrize(("source", "target"), [("production", "production"), ("qa", "production")])
def test_nothing_is_promoted_from_where_it_is_not_or_to_itself(source: str, target: str) -> None:
    """Neither changes anything."""
    assert promoted(document(CHECKOUT, AHEAD), source, target) is None


def test_promoting_touches_one_section_and_nothing_else() -> None:
    """The document afterwards differs in the target alone."""
    before = document(CHECKOUT, AHEAD)
    after = promoted(before, "staging", "production")
    assert after is not None
    assert State({CHECKOUT: after}).definition("payments/new-checkout") is not None
    assert after.spec == {**AHEAD, "environments": {**AHEAD["environments"], "production": {"default": "enabled"}}}
