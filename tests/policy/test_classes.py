from __future__ import annotations

import copy
from typing import Any

import pytest

from flagseal.model.errors import CompileError
from flagseal.policy import ChangeReport, State, classify
from tests.policy.company import CHECKOUT, Spec, documents, edited, flag, orgs, production

GATE = "FlagDefinition/payments/gate"
PILOTS = "Segment/payments/pilots"
ACME = "EntitlementBinding/entitlements/acme"


def report(
    before: dict[str, Spec | None], after: dict[str, Spec | None], environment: str = "production"
) -> ChangeReport | None:
    """Class the change from some specs to others."""
    return classify(State(documents(before)), State(documents({**before, **after})), environment)


def class_of(before: Spec | None, after: Spec | None, environment: str = "production") -> str | None:
    """Class the change of one flag."""
    found = report({CHECKOUT: before} if before else {}, {CHECKOUT: after}, environment)
    return found.change_class if found else None


PILOT = flag()

WIDENING: dict[str, Spec] = {
    "another organisation": flag(environments=production([orgs("acme", "globex")])),
    "everybody": flag(environments=production(default="enabled")),
    "a larger share": flag(
        environments=production([orgs("acme"), {"name": "tenth", "split": {"enabled": 10, "disabled": 90}}])
    ),
    "a target": flag(environments=production([orgs("acme")], targets={"enabled": ["u1"]})),
    "a rule with a start in the future": flag(
        environments=production([orgs("acme"), orgs("globex", name="later", **{"from": "2027-01-04T10:00:00Z"})])
    ),
    "a ramp": flag(
        environments=production(
            [
                orgs("acme"),
                {
                    "name": "ramp",
                    "ramp": {
                        "variant": "enabled",
                        "from": 0,
                        "to": 10,
                        "start": "2027-01-04T10:00:00Z",
                        "end": "2027-01-05T10:00:00Z",
                        "steps": 2,
                    },
                },
            ]
        )
    ),
    "a condition turned round": flag(
        environments=production([{"name": "pilots", "when": {"not": {"org": "acme"}}, "serve": "enabled"}])
    ),
    "raw targeting": flag(environments=production(targeting={"if": [True, "enabled"]})),
    "an environment dropped": flag(environments={"staging": {"default": "enabled"}}),
    "a lower tier": flag(riskTier="informational"),
    "a higher tier": flag(riskTier="high-risk"),
    "another owner": flag(owner="team-search"),
    "another purpose": flag(purpose="operational"),
    "another step of its life": flag(lifecycle="stable"),
    "another safe variant": flag(safeVariant="enabled"),
    "another key": flag(key="checkout"),
    "a value exchanged": flag(variants={"enabled": False, "disabled": True}),
    "a longer life": flag(expires="2027-04-01"),
    "a prerequisite": flag(
        environments=production([orgs("acme")], requires=[{"flag": "gate", "variant": "enabled"}])
    ),
    "a suppressed rule of the gate": flag(ignore=[{"rule": "FS305", "reason": "x", "until": "2026-12-31"}]),
}  # fmt: skip


@pytest.mark.parametrize("name", WIDENING)
def test_these_widen(name: str) -> None:
    """Whatever serves somebody something new, or moves the fence around the flag."""
    found = report({CHECKOUT: PILOT, GATE: flag()}, {CHECKOUT: WIDENING[name]})
    assert found is not None
    assert found.change_class == "widen"
    assert found.why


TOWARD_SAFE: dict[str, tuple[Spec, Spec]] = {
    "off": (PILOT, flag(environments=production([orgs("acme")], off=True))),
    "one organisation fewer": (
        flag(environments=production([orgs("acme", "globex")])),
        flag(environments=production([orgs("acme")])),
    ),
    "no rule any more": (PILOT, flag(environments=production())),
    "a rule that ends": (
        PILOT,
        flag(environments=production([orgs("acme", until="2027-01-04T10:00:00Z")])),
    ),
    "a smaller share in the same buckets": (
        flag(environments=production([{"name": "t", "split": {"enabled": 25, "disabled": 75}}])),
        flag(environments=production([{"name": "t", "split": {"enabled": 10, "disabled": 90}}])),
    ),
    "an exception in front": (
        flag(environments=production(default="enabled")),
        flag(environments=production([orgs("acme", serve="disabled")], default="enabled")),
    ),
    "a rule renamed": (
        PILOT,
        flag(environments=production([{**orgs("acme"), "name": "the first customers"}])),
    ),
    "off with a life that is shorter": (
        PILOT,
        flag(expires="2027-01-31", environments=production([orgs("acme")], off=True)),
    ),
    "raw targeting switched off": (
        flag(environments=production(targeting={"if": [True, "enabled"]})),
        flag(environments=production(targeting={"if": [True, "enabled"]}, off=True)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOWARD_SAFE)
def test_these_are_toward_safe(name: str) -> None:
    """Everybody keeps what they had, or gets the safe variant."""
    assert class_of(*TOWARD_SAFE[name]) == "toward-safe"


@pytest.mark.parametrize("name", TOWARD_SAFE)
def test_the_way_back_from_toward_safe_widens(name: str) -> None:
    """Unless nothing moved at all, or the shorter life is what makes it so."""
    before, after = TOWARD_SAFE[name]
    assert class_of(after, before) == ("toward-safe" if name == "a rule renamed" else "widen")


METADATA: dict[str, Spec] = {
    "description": flag(description="Another text."),
    "ticket": flag(ticket="PAY-1"),
    "retireWhen": flag(retireWhen="Later."),
    "a shorter life": flag(expires="2027-01-31"),
}


@pytest.mark.parametrize("name", METADATA)
def test_these_are_metadata_wherever_the_flag_is_served(name: str) -> None:
    """Nobody is served anything else."""
    assert class_of(PILOT, METADATA[name]) == "metadata"
    assert class_of(PILOT, METADATA[name], "staging") == "metadata"


def test_a_change_of_one_environment_is_none_of_another() -> None:
    """Each environment needs what it needs."""
    assert class_of(PILOT, WIDENING["everybody"], "staging") is None
    assert class_of(PILOT, WIDENING["everybody"], "production") == "widen"


def test_creating_and_removing_a_flag_widens_where_it_is_served() -> None:
    """A removed flag serves the application's own default, whatever that is."""
    assert class_of(None, PILOT) == "widen"
    assert class_of(PILOT, None) == "widen"
    assert class_of(None, flag(environments={"staging": {"default": "disabled"}})) is None


def test_beginning_to_serve_the_safe_variant_widens_too() -> None:
    """The application's own default may have been another."""
    before = flag(environments={"staging": {"default": "enabled"}})
    assert class_of(before, flag(environments=production())) == "widen"


def test_a_flag_that_no_environment_serves_touches_every_one() -> None:
    """Otherwise its tier and owner could be changed with nobody's approval."""
    nowhere = flag(environments={})
    assert class_of(None, nowhere) == "widen"
    assert class_of(nowhere, flag(environments={}, riskTier="informational")) == "widen"
    assert class_of(nowhere, flag(environments={}, variants={"enabled": True, "disabled": False, "x": True})) == "widen"
    assert class_of(nowhere, flag(environments={}, description="x")) == "metadata"


def test_moving_between_two_variants_that_are_not_safe_widens() -> None:
    """Blue is no safer than green."""
    colours = {"blue": "b", "green": "g", "off": "o"}
    before = flag(variants=colours, safeVariant="off", environments=production(default="blue"))
    after = flag(variants=colours, safeVariant="off", environments=production(default="green"))
    for spec in (before, after):
        spec["environments"]["staging"]["default"] = "off"
    assert class_of(before, after) == "widen"


def test_a_variant_nobody_is_served_may_be_added_and_removed() -> None:
    """Every context keeps its value."""
    more = flag(variants={"enabled": True, "disabled": False, "other": True})
    assert class_of(PILOT, more) == "toward-safe"
    assert class_of(more, PILOT) == "toward-safe"


def test_the_highest_tier_and_every_owner_before_and_after_count() -> None:
    """Lowering the tier is a change of the higher one; handing over is a change of both teams."""
    found = report({CHECKOUT: PILOT}, {CHECKOUT: flag(riskTier="informational", owner="team-search")})
    assert found is not None
    assert found.tier == "sensitive"
    assert found.owners == ("team-payments", "team-search")
    assert any("from sensitive to informational" in reason for reason in found.why)


def with_segment(**changes: Any) -> Spec:  # noqa: ANN401
    """Give a flag that is on for a segment in production."""
    rule = {"name": "pilots", "when": {"segment": "pilots"}, "serve": "enabled"}
    return flag(environments=production([rule]), **changes)


def test_a_segment_is_a_change_of_every_flag_that_reaches_it() -> None:
    """With the highest tier among them, and each owner."""
    before: dict[str, Spec | None] = {
        PILOTS: {"when": {"org": "acme"}},
        CHECKOUT: with_segment(),
        GATE: with_segment(riskTier="high-risk", owner="team-search"),
        "FlagDefinition/payments/bystander": flag(),
    }
    found = report(before, {PILOTS: {"when": {"org": {"in": ["acme", "globex"]}}}})
    assert found is not None
    assert (found.change_class, found.tier) == ("widen", "high-risk")
    assert found.owners == ("team-payments", "team-search")
    assert [change.flag for change in found.flags] == ["payments/gate", "payments/new-checkout"]
    assert all(PILOTS in reason for reason in found.why)
    assert report(before, {PILOTS: {"when": {"org": {"in": ["acme", "globex"]}}}}, "staging") is None


def test_a_segments_description_is_metadata_of_the_flags_that_reach_it() -> None:
    """And a suppressed rule in it is not."""
    before: dict[str, Spec | None] = {PILOTS: {"when": {"org": "acme"}}, CHECKOUT: with_segment()}
    words = report(before, {PILOTS: {"when": {"org": "acme"}, "description": "The first."}})
    hidden = report(
        before, {PILOTS: {"when": {"org": "acme"}, "ignore": [{"rule": "FS305", "reason": "x", "until": "2027-01-01"}]}}
    )
    assert words is not None
    assert words.change_class == "metadata"
    assert hidden is not None
    assert hidden.change_class == "widen"


def test_a_prerequisite_is_a_change_of_every_flag_that_needs_it() -> None:
    """Switching it on switches on what waited for it; its description concerns nobody else."""
    needing = flag(
        riskTier="high-risk",
        owner="team-search",
        environments=production(default="enabled", requires=[{"flag": "gate", "variant": "enabled"}]),
    )
    needing["environments"]["staging"] = {"default": "disabled"}
    gate = flag(riskTier="operational", environments=production())
    before: dict[str, Spec | None] = {GATE: gate, CHECKOUT: needing}
    found = report(before, {GATE: flag(riskTier="operational", environments=production(default="enabled"))})
    assert found is not None
    assert (found.change_class, found.tier) == ("widen", "high-risk")
    assert found.owners == ("team-payments", "team-search")
    words = report(before, {GATE: {**gate, "description": "Another."}})
    assert words is not None
    assert [change.flag for change in words.flags] == ["payments/gate"]


def test_moving_a_prerequisite_to_its_safe_variant_widens_what_needs_that() -> None:
    """Toward-safe for one flag is not for another; content decides."""
    needing = flag(environments=production(default="enabled", requires=[{"flag": "gate", "variant": "disabled"}]))
    before: dict[str, Spec | None] = {GATE: flag(environments=production(default="enabled")), CHECKOUT: needing}
    found = report(before, {GATE: flag(environments=production())})
    assert found is not None
    assert found.change_class == "widen"
    assert found.why == (
        f"payments/new-checkout: variant enabled can be served to more contexts (because {GATE} changed)",
    )


def binding(*flags: str, until: str = "2027-12-31", **changes: Any) -> Spec:  # noqa: ANN401
    """Give acme's binding."""
    return {
        "org": "acme",
        "owner": "team-accounts",
        "agreement": {"id": "CRM-1", "from": "2026-01-01", "until": until},
        "grants": [{"flag": name, "reason": "contract"} for name in flags],
        **changes,
    }


ENTITLED = flag(environments=production([{"name": "entitled", "when": {"entitled": True}, "serve": "enabled"}]))


def test_a_grant_widens_the_flag_it_opens_and_needs_the_owner_of_the_contract_as_well() -> None:
    """Both teams own what acme is served."""
    found = report({CHECKOUT: ENTITLED, ACME: binding()}, {ACME: binding("payments/new-checkout")})
    assert found is not None
    assert (found.change_class, found.tier) == ("widen", "sensitive")
    assert found.owners == ("team-accounts", "team-payments")


def test_taking_a_grant_away_is_toward_safe() -> None:
    """By a shorter agreement, by the grant, by the whole document."""
    before: dict[str, Spec | None] = {CHECKOUT: ENTITLED, ACME: binding("payments/new-checkout")}
    for after in (binding("payments/new-checkout", until="2026-12-31"), binding(), None):
        found = report(before, {ACME: after})
        assert found is not None
        assert found.change_class == "toward-safe"


def test_the_ticket_of_a_grant_is_metadata_and_its_reason_or_owner_is_not() -> None:
    """Who answers for a contract is as good as an owner."""
    before: dict[str, Spec | None] = {CHECKOUT: ENTITLED, ACME: binding("payments/new-checkout")}
    ticket = binding()
    ticket["grants"] = [{"flag": "payments/new-checkout", "reason": "contract", "ticket": "S-1"}]
    reason = binding()
    reason["grants"] = [{"flag": "payments/new-checkout", "reason": "beta"}]
    owner = binding("payments/new-checkout", owner="team-search")
    classes = [report(before, {ACME: after}) for after in (ticket, reason, owner)]
    assert [found.change_class if found else None for found in classes] == ["metadata", "widen", "widen"]


def test_a_dangling_reference_is_refused() -> None:
    """It has no meaning, so it has no class."""
    with pytest.raises(CompileError):
        report({PILOTS: {"when": {"org": "acme"}}, CHECKOUT: with_segment()}, {PILOTS: None})


@pytest.mark.parametrize(
    "edit",
    [
        lambda spec: spec["variants"].update(enabled=1, disabled=0),
        lambda spec: spec["environments"]["production"].update(
            rules=[{"name": "pilots", "when": {"level": True}, "serve": "enabled"}]
        ),
    ],
)
def test_a_boolean_in_place_of_a_number_is_another_value(edit: Any) -> None:  # noqa: ANN401
    """Python takes True for 1: neither a variant's value nor a condition may slip through by that."""
    before = flag()
    if "level" in str(edited(before, edit)):
        before["environments"]["production"]["rules"] = [{"name": "pilots", "when": {"level": 1}, "serve": "enabled"}]
    assert class_of(before, edited(before, edit)) == "widen"


def test_reports_are_the_same_whoever_parsed_the_documents() -> None:
    """Nothing hangs on identity."""
    before: dict[str, Spec | None] = {CHECKOUT: PILOT}
    after: dict[str, Spec | None] = {CHECKOUT: WIDENING["everybody"]}
    assert report(before, after) == report(copy.deepcopy(before), copy.deepcopy(after))
