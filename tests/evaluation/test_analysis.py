"""What the analysis can prove, and must not: the changes that people make."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flagseal.evaluation.analysis import (
    equivalent,
    instants,
    reachable_variants,
    refines,
    unreachable_rules,
)
from flagseal.evaluation.resolve import Catalogue, resolve_flag
from flagseal.evaluation.resolved import Granted, ResolvedFlag, ResolvedRule
from flagseal.model.document import Document
from flagseal.model.flag import Serve
from tests.evaluation.world import ENVIRONMENT, NAMESPACE, flag_document

Section = dict[str, Any]
ON: Section = {"name": "r", "serve": "on"}


def resolved(section: Section, *others: Document, **spec: object) -> ResolvedFlag:
    """Resolve a flag of one section; its default is safe unless it says otherwise."""
    documents = [flag_document("main", {"default": "off", **section}, **spec), *others]
    index = Catalogue.of(documents)
    return resolve_flag(index.flags[f"{NAMESPACE}/main"], ENVIRONMENT, index)


def when(condition: object, **rule: object) -> Section:
    """Write a section of one rule."""
    return {"rules": [{**ON, "when": condition, **rule}]}


def split(**weights: int) -> Section:
    """Write a section that splits everyone by organisation."""
    return {"rules": [{"name": "r", "split": weights, "by": "org"}]}


def grants(*of: tuple[str, str]) -> Document:
    """Write a binding: (organisation, last day)."""
    parts = [
        {
            "org": org,
            "owner": "team-accounts",
            "agreement": {"id": "C", "plan": "pro", "from": "2026-01-01", "until": until},
            "grants": [{"flag": f"{NAMESPACE}/main", "reason": "contract"}],
        }
        for org, until in of
    ]
    return Document("EntitlementBinding", "entitlements", "all", {"bindings": parts})  # type: ignore[dict-item]


NARROWER: dict[str, tuple[Section, Section]] = {
    "a list loses a member": (when({"org": {"in": ["acme", "globex"]}}), when({"org": {"in": ["acme"]}})),
    "a list becomes its only member": (when({"org": {"in": ["acme"]}}), when({"org": "acme"})),
    "a rule is removed": (when({"org": "acme"}), {}),
    "the flag is switched off": (when({"org": "acme"}), {**when({"org": "acme"}), "off": True}),
    "a condition is added": (when({"org": "acme"}), when({"org": "acme", "age": {"gte": 18}})),
    "a way in is removed": (when({"any": [{"org": "acme"}, {"beta": True}]}), when({"beta": True})),
    "a number's bound rises": (when({"age": {"gte": 18}}), when({"age": {"gt": 18}})),
    "a prefix grows": (when({"org": {"startsWith": "ac"}}), when({"org": {"startsWith": "acme"}})),
    "a substring grows": (when({"org": {"hasSubstring": "c"}}), when({"org": {"hasSubstring": "cm"}})),
    "a prefix becomes the text": (when({"org": {"startsWith": "ac"}}), when({"org": "acme"})),
    "a version's bound rises": (when({"version": {"semver": ">=1.2.0"}}), when({"version": {"semver": ">=1.3.0"}})),
    "a version is held to its major": (
        when({"version": {"semver": ">=1.0.0-0"}}),
        when({"version": {"semver": "^1.2.0"}}),
    ),
    "a weight falls": (split(on=20, off=80), split(on=10, off=90)),
    "a weight is told in other numbers, and falls": (split(on=1, off=4), split(on=10, off=90)),
    "everyone becomes a tenth": ({"rules": [ON]}, split(on=10, off=90)),
    "a rule for the safe variant goes first": (
        when({"org": "acme"}),
        {"rules": [{"name": "out", "when": {"age": {"lt": 18}}, "serve": "off"}, {**ON, "when": {"org": "acme"}}]},
    ),
    "a rule ends earlier": (
        when({"org": "acme"}, until="2026-10-01T00:00:00Z"),
        when({"org": "acme"}, until="2026-09-01T00:00:00Z"),
    ),
    "a rule ends at all": (when({"org": "acme"}), when({"org": "acme"}, until="2026-09-01T00:00:00Z")),
    "a rule begins later": (
        when({"org": "acme"}, **{"from": "2026-09-01T00:00:00Z"}),
        when({"org": "acme"}, **{"from": "2026-10-01T00:00:00Z"}),
    ),
    "a target is removed": ({"targets": {"on": ["u1", "u2"]}}, {"targets": {"on": ["u1"]}}),
    "the default becomes safe": ({"default": "on"}, {"default": "off"}),
    "an exclusion is added": (when({"org": {"ne": "x"}}), when({"org": {"notIn": ["x", "y"]}})),
    "a tag is asked for too": (
        when({"tags": {"contains": "a"}}),
        when({"all": [{"tags": {"contains": "a"}}, {"tags": {"contains": "b"}}]}),
    ),
    "a ramp ends lower": (
        {"rules": [{"name": "r", "ramp": {"variant": "on", "from": 0, "to": 50, "start": "2026-09-01T00:00:00Z",
                                          "end": "2026-09-11T00:00:00Z", "steps": 5}}]},
        {"rules": [{"name": "r", "ramp": {"variant": "on", "from": 0, "to": 25, "start": "2026-09-01T00:00:00Z",
                                          "end": "2026-09-11T00:00:00Z", "steps": 5}}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), NARROWER.values(), ids=NARROWER.keys())
def test_a_change_that_only_takes_away_is_toward_safe(before: Section, after: Section) -> None:
    """What a team does to serve fewer people is proven, so that one approval is enough for it."""
    assert refines(resolved(after), resolved(before))


@pytest.mark.parametrize(("after", "before"), NARROWER.values(), ids=NARROWER.keys())
def test_the_same_change_backwards_is_not(before: Section, after: Section) -> None:
    """Giving back what was taken away serves somebody something new."""
    assert not refines(resolved(after), resolved(before)) or equivalent(resolved(after), resolved(before))


LATERAL: dict[str, tuple[Section, Section]] = {
    "another variant": (when({"org": "acme"}), when({"org": "acme"}, serve="half")),
    "another salt": (split(on=10, off=90), {"rules": [{**split(on=10, off=90)["rules"][0], "salt": "x"}]}),
    "another attribute buckets": (split(on=10, off=90), {"rules": [{"name": "r", "split": {"on": 10, "off": 90}}]}),
    "two arms change places": (
        {"rules": [{"name": "r", "split": [{"variant": "on", "weight": 1}, {"variant": "half", "weight": 1}]}]},
        {"rules": [{"name": "r", "split": [{"variant": "half", "weight": 1}, {"variant": "on", "weight": 1}]}]},
    ),
    "a number in place of its text": (when({"org": "1"}), when({"org": 1})),
    "true in place of one": (when({"org": 1}), when({"org": True})),
    "a member in place of the whole": (when({"tags": {"contains": "a"}}), when({"tags": "a"})),
    "not, instead of not equal": (when({"org": {"ne": "acme"}}), when({"not": {"org": "acme"}})),
    "a default without a bucket": (split(on=100), {"rules": [ON]}),
}


@pytest.mark.parametrize(("before", "after"), LATERAL.values(), ids=LATERAL.keys())
def test_a_change_that_shows_somebody_something_new_is_not_toward_safe(before: Section, after: Section) -> None:
    """Whatever moves one person to what they had not counts as widening."""
    assert not refines(resolved(after), resolved(before))


def test_rules_that_cannot_meet_may_change_places() -> None:
    """Reordering is nothing where no context satisfies two of the rules."""
    one, two = (
        {"name": "a", "when": {"org": "acme"}, "serve": "on"},
        {"name": "b", "when": {"org": "x"}, "serve": "half"},
    )
    assert equivalent(resolved({"rules": [one, two]}), resolved({"rules": [two, one]}))


def test_rules_that_can_meet_may_not() -> None:
    """Reordering is movement between variants where some context satisfies two of the rules."""
    one, two = (
        {"name": "a", "when": {"org": "acme"}, "serve": "on"},
        {"name": "b", "when": {"beta": True}, "serve": "half"},
    )
    assert not refines(resolved({"rules": [two, one]}), resolved({"rules": [one, two]}))


def test_another_safe_variant_is_never_toward_safe() -> None:
    """Safety is measured against what was approved as safe."""
    assert not refines(resolved({}, safeVariant="half"), resolved({}))
    assert not refines(resolved({}, variants={"on": "ON", "off": "new", "half": "HALF"}), resolved({}))


def test_another_value_of_a_variant_is_something_new() -> None:
    """A variant keeps its name and not its meaning."""
    changed = {"on": "NEW", "off": "OFF", "half": "HALF"}
    assert not refines(resolved(when({"org": "acme"}), variants=changed), resolved(when({"org": "acme"})))
    assert refines(resolved({}, variants=changed), resolved({}))


def test_true_is_not_one_among_values() -> None:
    """Values are compared by type and value, where Python takes True for 1."""
    number = {"on": 1, "off": 0}
    flags = {"on": True, "off": 0}
    assert not refines(resolved({"rules": [ON]}, variants=flags), resolved({"rules": [ON]}, variants=number))


def test_a_reduced_grant_is_toward_safe_and_an_extended_one_is_not() -> None:
    """Entitlements are looked at by organisation and by day."""
    section = when({"entitled": True})
    before = resolved(section, grants(("acme", "2026-12-31"), ("globex", "2026-06-30")))
    assert refines(resolved(section, grants(("acme", "2026-12-31"))), before)
    assert refines(resolved(section, grants(("acme", "2026-06-30"), ("globex", "2026-06-30"))), before)
    assert not refines(resolved(section, grants(("acme", "2027-12-31"), ("globex", "2026-06-30"))), before)
    assert not refines(resolved(section, grants(("acme", "2026-12-31"), ("globex", "2026-12-31"))), before)
    assert not refines(resolved(section, grants(("acme", "2026-12-31"), ("initech", "2026-02-01"))), before)


def test_a_hundred_thousand_grants_are_looked_at() -> None:
    """One customer more or less among 100,000 is decided, not given up."""
    names = tuple(sorted(f"org-{number}" for number in range(100_000)))
    entitled = resolved(when({"entitled": True}), grants(("acme", "2026-12-31")))

    def granting(orgs: tuple[str, ...]) -> ResolvedFlag:
        rule = ResolvedRule("r", Granted(((0, 10, orgs),)), Serve("on"))
        return replace(entitled, rules=(rule,))

    before, fewer = granting(names), granting(names[1:])
    assert refines(fewer, before)
    assert not refines(before, fewer)


def test_many_different_agreements_are_looked_at() -> None:
    """Two hundred organisations with two hundred last days are decided."""
    section = when({"entitled": True})
    days = [f"2026-{month:02}-{day:02}" for month in range(1, 11) for day in range(1, 21)]
    of = [(f"org-{number}", day) for number, day in enumerate(days)]
    before = resolved(section, grants(*of))
    assert refines(resolved(section, grants(*of[:50], *of[51:])), before)
    assert not refines(before, resolved(section, grants(*of[:50], *of[51:])))


def test_a_prerequisite_more_is_toward_safe() -> None:
    """Who does not get past it is served the safe variant; a narrower prerequisite lets fewer past."""
    gate = flag_document("gate", {"default": "off", **when({"org": {"in": ["acme", "globex"]}})})
    narrow = flag_document("gate", {"default": "off", **when({"org": "acme"})})
    required = {**when({"beta": True}), "requires": [{"flag": "gate", "variant": "on"}]}
    before = resolved(required, gate)
    assert refines(before, resolved(when({"beta": True}), gate))
    assert refines(resolved(required, narrow), before)
    assert not refines(resolved(when({"beta": True}), gate), before)
    assert not refines(before, resolved(required, narrow))


def test_raw_targeting_counts_as_touching_everyone() -> None:
    """Only the same targeting, or none that serves anything but the safe variant, is no widening."""
    logic = {"if": [{"==": [{"var": "org"}, "acme"]}, "on", None]}
    other = {"if": [{"==": [{"var": "org"}, "none"]}, "on", None]}
    raw = resolved({"targeting": logic})
    assert refines(raw, resolved({"targeting": logic}))
    assert not refines(resolved({"targeting": other}), raw)
    assert not refines(raw, resolved({}))
    assert not refines(resolved(when({"org": "acme"})), raw)
    assert refines(resolved({}), raw)
    assert refines(resolved({"targeting": logic, "off": True}), raw)
    assert not refines(resolved({"targeting": logic, "default": "half"}), raw)


def test_a_question_with_too_many_cases_is_not_decided() -> None:
    """Twenty members that any list may have are a million lists: nothing is claimed."""
    tags = [{"tags": {"contains": f"t{number}"}} for number in range(20)]
    before, after = when({"any": tags}), when({"any": tags[1:]})
    assert not refines(resolved(after), resolved(before))
    assert refines(resolved(before), resolved(before))


def test_a_question_about_eight_hundred_attributes_is_not_decided() -> None:
    """It exhausts neither the stack nor an hour; switching such a flag off is toward safe all the same."""
    many = {"all": [{"any": [{f"a{number}": 1}, {f"b{number}": 2}]} for number in range(400)]}
    before = resolved({"rules": [{**ON, "name": f"r{number}", "when": many} for number in range(5)]})
    after = resolved({"rules": [{**ON, "name": f"r{number}", "when": many} for number in range(4)]})
    assert not refines(after, before)
    assert unreachable_rules(before) == ()
    assert refines(resolved({"off": True}), before)


def test_many_attributes_are_decided_by_looking_only_at_what_matters() -> None:
    """Thirty rules over thirty attributes are not 2^30 cases, since each case ends where a rule matches."""
    rules = [{"name": f"r{n}", "when": {f"a{n}": {"in": ["x", "y"]}}, "serve": "on"} for n in range(30)]
    fewer = [*rules[:15], {**rules[15], "when": {"a15": "x"}}, *rules[16:]]
    assert refines(resolved({"rules": fewer}), resolved({"rules": rules}))
    assert not refines(resolved({"rules": rules}), resolved({"rules": fewer}))


# Other questions


def test_a_shadowed_rule_and_an_impossible_one_are_unreachable() -> None:
    """Rules that no context gets to are named in order."""
    rules = [
        {"name": "all of acme", "when": {"org": "acme"}, "serve": "on"},
        {"name": "some of acme", "when": {"org": "acme", "beta": True}, "serve": "half"},
        {"name": "both", "when": {"all": [{"org": "a"}, {"org": "b"}]}, "serve": "half"},
        {"name": "everyone", "serve": "on"},
        {"name": "nobody left", "serve": "half"},
    ]
    flag = resolved({"rules": rules})
    assert unreachable_rules(flag) == ("some of acme", "both", "nobody left")
    assert reachable_variants(flag) == {"on"}


def test_a_rule_whose_time_is_covered_by_another_is_unreachable() -> None:
    """Time counts like any attribute."""
    rules = [
        {"name": "autumn", "from": "2026-09-01T00:00:00Z", "until": "2026-12-01T00:00:00Z", "serve": "on"},
        {"name": "october", "from": "2026-10-01T00:00:00Z", "until": "2026-11-01T00:00:00Z", "serve": "half"},
    ]
    assert unreachable_rules(resolved({"rules": rules})) == ("october",)


def test_instants_are_those_of_schedules_grants_and_prerequisites() -> None:
    """Every bound is named once, in order."""
    gate = flag_document("gate", {"default": "off", **when({"org": "acme"}, until="2026-09-01T00:00:00Z")})
    section = {**when({"entitled": True}), "requires": [{"flag": "gate", "variant": "on"}]}
    flag = resolved(section, gate, grants(("acme", "2026-12-31")))
    assert instants(flag) == (1767225600, 1788220800, 1798761600)


def test_a_variant_that_only_a_shadowed_rule_serves_is_not_reachable() -> None:
    """Reachable is what somebody can be served, not what is written."""
    flag = resolved({"rules": [ON, {"name": "late", "serve": "half"}]})
    assert reachable_variants(flag) == {"on"}
    assert reachable_variants(replace(flag, raw={"if": [True, "half"]})) == {"on", "off", "half"}
