"""What a plan says, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal.evaluation import FlagSet
from flagseal.evaluation.compile import compile_flag
from flagseal.evaluation.resolve import resolve_flag
from flagseal_validators.plan import sentences
from flagseal_validators.plan.sentences import changes, on_or_off, summary
from tests.evaluation.world import ENVIRONMENT, catalogue, contexts, moments, worlds
from tests.plan.making import effect, planned, turned
from tests.policy.company import CHECKOUT, Company, flag, orgs, production

if TYPE_CHECKING:
    from flagseal.evaluation.resolved import ResolvedFlag
    from flagseal.model.document import Document

TENTH = {"name": "tenth", "split": {"enabled": 10, "disabled": 90}, "by": "org"}


def test_an_organisation_more_is_one_short_sentence() -> None:
    """The example of the design: on for somebody, and now also for somebody else."""
    found = turned(production([orgs("acme", "globex")]), production([orgs("acme", "globex", "initech"), TENTH]))
    assert found.before == "on for 2 organisations (acme, globex), otherwise off"
    assert found.changes == (
        "also on for organisation initech",
        "also on for 10 % of the others (by org)",
    )


def test_an_organisation_less_is_named() -> None:
    """Taking somebody out is told as that."""
    found = turned(production([orgs("acme", "globex")]), production([orgs("acme")]))
    assert found.changes == ("no longer on for organisation globex",)
    assert found.change_class == "toward-safe"


def test_a_share_that_grows_names_both() -> None:
    """The reader sees from where to where."""
    wider = {**TENTH, "split": {"enabled": 25, "disabled": 75}}
    found = turned(production([TENTH]), production([wider]))
    assert found.changes == ("on for 25 % instead of 10 % of everyone (by org)",)


def test_the_kill_switch_is_told_as_one() -> None:
    """Switching off keeps the rest, and says so."""
    found = turned(production([orgs("acme")]), production([orgs("acme")], off=True))
    assert found.changes == ("switched off: off for everyone, and the rest is kept for later",)
    back = turned(production([orgs("acme")], off=True), production([orgs("acme")]))
    assert back.changes == ("switched on again: on for organisation acme, otherwise off",)


def test_a_rule_before_others_says_before_which() -> None:
    """First match wins, so the place of a rule is part of what it does."""
    new = {"name": "beta", "when": {"plan": "beta"}, "serve": "enabled"}
    found = turned(production([TENTH]), production([new, TENTH]))
    assert found.changes == ("on for those where plan is beta, before the rule 'tenth' is looked at",)


RAMP = {
    "variant": "enabled",
    "from": 10,
    "to": 50,
    "start": "2026-11-30T09:00:00Z",
    "end": "2026-12-14T09:00:00Z",
    "steps": 4,
}


def test_a_ramp_is_one_sentence() -> None:
    """A schedule of many steps is told by its beginning and its end."""
    ramp = {"name": "ramp", "ramp": RAMP}
    found = turned(production([orgs("acme")]), production([orgs("acme"), ramp]))
    assert found.changes == (
        "also on for 10 % growing to 50 % of the others from 2026-11-30 09:00 UTC to 2026-12-14 09:00 UTC",
    )


def test_a_ramp_of_other_steps_says_how_many() -> None:
    """Its beginning and its end are the same, and what is between them is not."""
    before, after = ([{"name": "ramp", "ramp": {**RAMP, "steps": steps}}] for steps in (4, 1))
    (told,) = turned(production(before), production(after)).changes
    assert told.endswith("from 2026-11-30 09:00 UTC to 2026-12-14 09:00 UTC, in 1 step instead of 4 (the rule 'ramp')")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([orgs("acme")], [{**orgs("acme"), "name": "called otherwise"}]),
        ([orgs("acme")], [orgs("acme", "acme")]),
        ([orgs("acme")], [{**orgs("acme"), "when": {"org": "acme"}}]),
        ([TENTH], [{**TENTH, "split": {"enabled": 1, "disabled": 9}}]),
        ([orgs("acme"), TENTH], [orgs("acme"), {"name": "again", "when": {"org": "acme"}, "serve": "disabled"}, TENTH]),
    ],
    ids=["name", "twice", "predicate", "weights", "unreachable"],
)
def test_what_is_only_written_otherwise_is_no_change_of_what_is_served(
    before: list[dict[str, object]], after: list[dict[str, object]]
) -> None:
    """Nobody reads that somebody gains and loses the same, or that a quarter becomes a quarter."""
    assert turned(production(before), production(after)).changes == ()


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ((1001, 8999), "10.01 % instead of 10 %"),
        ((1_000_001, 8_999_999), "10.00001 % instead of 10 %"),
        ((99_999, 1), "99.999 % instead of 10 %"),
        ((1, 9_999_999), "0.00001 % instead of 10 %"),
    ],
)
def test_shares_are_told_with_the_digits_that_tell_them_apart(weights: tuple[int, int], told: str) -> None:
    """A share that grows is never said to stay, nor one that leaves somebody out to be everybody's."""
    after = {**TENTH, "split": dict(zip(("enabled", "disabled"), weights, strict=True))}
    assert turned(production([TENTH]), production([after])).changes == (f"on for {told} of everyone (by org)",)


def test_a_value_a_default_and_raw_targeting_are_told() -> None:
    """Whatever else decides an answer has its sentence."""
    spec = flag(variants={"high": 9, "low": 1}, safeVariant="low", environments={"production": {"default": "low"}})
    changed = {**spec, "variants": {"high": 9, "low": 2}, "environments": {"production": {"default": "high"}}}
    found = effect(planned(Company.of({CHECKOUT: spec}), {CHECKOUT: changed}))
    assert found.changes == ("2 instead of 1 as the value of low", "high instead of low for everyone else")
    raw = {"production": {"default": "low", "targeting": {"if": [{"var": "beta"}, "high", None]}}}
    found = effect(planned(Company.of({CHECKOUT: spec}), {CHECKOUT: {**spec, "environments": raw}}))
    assert found.changes == ("other raw targeting (nobody can say whom it moves)",)


def test_a_new_flag_and_a_removed_one_say_what_applications_get() -> None:
    """Creation tells everything, deletion tells that the application's own default counts."""
    company = Company.of({CHECKOUT: flag()})
    other = "FlagDefinition/payments/other"
    spec = flag(environments=production([orgs("acme")]))
    assert effect(planned(company, {other: spec})).changes == ("served here: on for organisation acme, otherwise off",)
    assert effect(planned(company, {CHECKOUT: None})).changes == (
        "no longer served here: applications get their own default",
    )


def test_a_flag_that_changes_through_a_segment_names_the_segment() -> None:
    """The flag is not in the diff, and the plan leads to what is."""
    segment = "Segment/payments/pilots"
    uses = flag(environments=production([{"name": "pilots", "when": {"segment": "pilots"}, "serve": "enabled"}]))
    company = Company.of({CHECKOUT: uses, segment: {"when": {"org": {"in": ["acme"]}}}})
    found = effect(planned(company, {segment: {"when": {"org": {"in": ["acme", "globex"]}}}}))
    assert found.flag == "payments/new-checkout"
    assert found.causes == (segment,)
    assert found.changes == ("also on for organisation globex",)


BINDING = "EntitlementBinding/entitlements/acme"


def binding(*grants: dict[str, str], org: str = "acme") -> dict[str, object]:
    """Give the spec of an organisation's binding."""
    agreement = {"id": "C-1", "plan": "pro", "from": "2026-01-01", "until": "2027-12-31"}
    granted = [{"flag": "payments/new-checkout", "reason": "trial", **grant} for grant in grants]
    return {"org": org, "owner": "team-accounts", "agreement": agreement, "grants": granted}


def test_a_grant_that_names_a_variant_says_who_gets_it() -> None:
    """It comes before the rule that asks for grants, and that rule stays what it was."""
    uses = flag(environments=production([{"name": "entitled", "when": {"entitled": True}, "serve": "enabled"}]))
    company = Company.of({CHECKOUT: uses, BINDING: binding({})})
    (told,) = effect(planned(company, {BINDING: binding({"variant": "disabled"})})).changes
    assert told.startswith("off for ")
    assert "(acme)" in told
    assert told.endswith(", before the rule 'entitled' is looked at")


@pytest.mark.parametrize(
    ("entitled", "name"),
    [
        ("entitled", "other"),
        ("entitled", "entitled (enabled)"),
        ("targets of enabled", "other"),
        ("targets of enabled", "targets of enabled (enabled)"),
    ],
)
def test_no_name_of_a_rule_hides_whom_a_grant_widens(entitled: str, name: str) -> None:
    """Not one that reads like the name of what comes before a rule that asks for grants, nor like targets'."""
    asks = {"all": [{"entitled": True}, {"plan": "beta"}]}
    rules = [
        {"name": entitled, "when": asks, "serve": "disabled"},
        {"name": name, "when": {"org": {"in": ["zz"]}}, "serve": "enabled"},
    ]
    environments = production(rules)
    environments["production"]["targets"] = {"enabled": ["somebody"]}
    globex = "EntitlementBinding/entitlements/globex"
    company = Company.of(
        {
            CHECKOUT: flag(environments=environments),
            BINDING: binding({"variant": "enabled"}),
            globex: binding({}, org="globex"),
        }
    )
    found = effect(planned(company, {globex: binding({"variant": "enabled"}, org="globex")}))
    asked = "on for those where the organisation is entitled (acme, globex) and plan is beta and the organisation is"
    assert found.change_class == "widen"
    assert found.changes == (f"{asked} entitled (acme, globex) instead of {asked} entitled (acme)",)


def test_a_plan_is_not_silent_where_it_has_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not proven the same and has no sentence is said to have none; what is the same stays silent."""
    monkeypatch.setattr(sentences, "_changed", lambda *_: ())
    found = turned(production([orgs("acme")]), production([orgs("acme", "globex")]))
    assert found.changes == ("served otherwise, in a way these words do not tell",)
    assert turned(production([orgs("acme")]), production([{**orgs("acme"), "when": {"org": "acme"}}])).changes == ()


def test_a_grant_that_lasts_longer_says_until_when() -> None:
    """The flag is not in the diff, and the sentence names the organisation and both ends."""
    when = {"all": [{"entitled": True}, {"plan": "beta"}]}
    uses = flag(environments=production([{"name": "entitled", "when": when, "serve": "enabled"}]))
    company = Company.of({CHECKOUT: uses, BINDING: binding({"until": "2026-12-31"})})
    found = effect(planned(company, {BINDING: binding({"until": "2027-01-31"})}))
    assert found.causes == (BINDING,)
    assert found.changes == (
        (
            "granted to acme from 2026-01-01 00:00 UTC until 2027-02-01 00:00 UTC "
            "instead of from 2026-01-01 00:00 UTC until 2027-01-01 00:00 UTC"
        ),
    )
    company = Company.of({CHECKOUT: uses, BINDING: binding()})
    assert effect(planned(company, {BINDING: binding({})})).changes[0].startswith("also granted to organisation acme")


def test_a_prerequisite_that_serves_otherwise_is_named() -> None:
    """What it requires changed, and it did not."""
    base = "FlagDefinition/payments/base"
    environments = production([orgs("acme")])
    environments["production"]["requires"] = [{"flag": "base", "variant": "enabled"}]
    company = Company.of({CHECKOUT: flag(environments=environments), base: flag(environments=production())})
    made = planned(company, {base: flag(environments=production([orgs("acme")]))})
    found = effect(made, number=1)
    assert (found.flag, found.causes) == ("payments/new-checkout", (base,))
    assert found.changes == ("payments/base, which it requires, serves otherwise",)


def test_a_switch_keeps_the_names_of_its_variants_where_on_would_mislead() -> None:
    """Only true and false have the words on and off, and only as long as both sides agree."""
    assert on_or_off(None)("enabled") == "enabled"


def resolved(documents: tuple[Document, ...]) -> ResolvedFlag:
    """Resolve the main flag of a world."""
    index = catalogue(documents)
    return resolve_flag(index.flags["payments/main"], ENVIRONMENT, index)


@given(worlds(), worlds(), st.lists(st.tuples(contexts(), moments), min_size=4, max_size=8))
def test_nothing_that_is_served_changes_without_a_sentence(
    one: tuple[Document, ...], other: tuple[Document, ...], asked: list[tuple[dict[str, object], int]]
) -> None:
    """Where a plan is silent about a flag, nobody is served anything else; and equal content makes it silent."""
    before, after = resolved(one), resolved(other)
    definitions = [catalogue(documents).flags["payments/main"] for documents in (one, other)]
    contents = compile_flag(before, definitions[0], None), compile_flag(after, definitions[1], None)
    label = on_or_off(before, after)
    told = changes(before, after, label)
    assert changes(before, before, label) == ()
    assert summary(before, label)
    if contents[0] == contents[1]:
        assert not told
    if not told:
        now = 0
        old, new = (FlagSet.load({"flags": {"main": content}}, clock=lambda: now) for content in contents)
        for context, now in asked:  # noqa: B007
            assert new.evaluate("main", context).variant == old.evaluate("main", context).variant
