"""What a flag, a segment and a binding say once they are read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from flagseal.model.condition import AllOf, AnyOf, Entitled, Negation, SegmentRef, Test
from flagseal.model.definitions import parse_binding, parse_condition, parse_flag, parse_segment
from flagseal.model.flag import Ramp, Requirement, Serve, Split
from flagseal.model.instants import is_day, is_instant, parse_duration
from tests.model.samples import BINDING, FLAG, SEGMENT, load, spoilt

if TYPE_CHECKING:
    from flagseal.model.canonical import Json
    from flagseal.model.condition import Condition
    from flagseal.model.flag import FlagDefinition


def flag(text: str = FLAG) -> FlagDefinition:
    """Read a flag from its text."""
    return parse_flag(load(text).documents[0])


def instant(text: str) -> int:
    """Give unix seconds by another way than the code under test."""
    return int(datetime.strptime(text, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC).timestamp())


def test_a_flag_is_read_field_by_field() -> None:
    """Governance, variants and environments arrive as written."""
    read = flag()
    assert (read.reference, read.key, read.owner, read.risk_tier) == (
        "payments/new-checkout",
        "newCheckout",
        "team-payments",
        "sensitive",
    )
    assert (read.purpose, read.lifecycle, read.expires, read.ticket) == ("release", "canary", "2027-03-31", "PAY-1234")
    assert (read.variants, read.safe_variant) == ({"enabled": True, "disabled": False}, "disabled")
    assert list(read.environments) == ["production", "staging"]
    production = read.environments["production"]
    assert production.default == "disabled"
    assert production.requires == (Requirement("payment-service-v2", "enabled"),)
    assert production.targets == (("enabled", ("user-17", "user-23")),)
    assert [rule.name for rule in production.rules] == [
        "pilot customers",
        "a tenth of everyone else",
        "the rest, slowly",
    ]
    assert production.rules[0].outcome == Serve("enabled")
    assert production.rules[0].when == Test(("org",), "in", ("acme", "globex"))
    assert production.rules[1].outcome == Split((("enabled", 10), ("disabled", 90)), ("org",))
    assert production.rules[2].outcome == Ramp(
        "enabled", 10, 100, instant("2027-01-04T09:00"), instant("2027-01-13T09:00"), 9
    )
    assert (production.rules[2].since, production.rules[2].until) == (
        instant("2027-01-01T00:00"),
        instant("2027-02-01T00:00"),
    )


def test_a_flag_without_a_key_is_asked_for_by_its_name() -> None:
    """`spec.key` is optional."""
    assert flag(spoilt(FLAG, "  key: newCheckout\n", "")).key == "new-checkout"


@pytest.mark.parametrize(
    ("split", "arms"),
    [
        ("{b: 1, safe: 2, a: 3}", (("a", 3), ("b", 1), ("safe", 2))),
        ("{safe: 2, a: 3, b: 1}", (("a", 3), ("b", 1), ("safe", 2))),
        ("{a: 1, B: 1}", (("B", 1), ("a", 1))),
        ("[{variant: safe, weight: 2}, {weight: 3, variant: a}]", (("safe", 2), ("a", 3))),
        ("{a: 10.0}", (("a", 10),)),
    ],
)
def test_a_split_puts_the_safe_variant_last_unless_the_list_says_otherwise(
    split: str, arms: tuple[tuple[str, int], ...]
) -> None:
    """A map's order of keys never matters; a list's always does."""
    text = spoilt(FLAG, "{enabled: 10, disabled: 90}", split)
    text = text.replace("disabled: false}", "disabled: false, a: true, B: true, b: true, safe: false}")
    text = spoilt(text, "safeVariant: disabled", "safeVariant: safe").replace("variant: disabled", "variant: a")
    outcome = flag(text).environments["production"].rules[1].outcome
    assert isinstance(outcome, Split)
    assert outcome.arms == arms
    assert all(isinstance(weight, int) for _, weight in outcome.arms)


def test_bucketing_by_the_targeting_key_is_the_default_however_it_is_written() -> None:
    """`by: targetingKey` says what leaving it out says."""
    written = flag(spoilt(FLAG, "by: org", "by: targetingKey")).environments["production"].rules[1]
    left_out = flag(spoilt(FLAG, "        by: org\n", "")).environments["production"].rules[1]
    assert written == left_out


def test_raw_targeting_is_kept_as_it_is() -> None:
    """JSONLogic is not interpreted here."""
    text = (
        FLAG[: FLAG.index("      rules:")]
        + "      targeting: {if: [{in: [a, b]}, enabled, null]}\n      default: disabled\n"
    )
    assert flag(text).environments["production"].targeting == {"if": [{"in": ["a", "b"]}, "enabled", None]}


CONDITIONS: list[tuple[Json, Condition]] = [
    ({"org": "acme"}, Test(("org",), "eq", "acme")),
    ({"a.b.c": {"eq": 1}}, Test(("a", "b", "c"), "eq", 1)),
    ({"b": 1, "a": True}, AllOf((Test(("a",), "eq", True), Test(("b",), "eq", 1)))),
    ({"attr": {"path": ["kubernetes.io/arch"], "eq": "arm64"}}, Test(("kubernetes.io/arch",), "eq", "arm64")),
    ({"attr": {"path": ["all", "x.y"], "in": ["a"]}}, Test(("all", "x.y"), "in", ("a",))),
    ({"attr": "x"}, Test(("attr",), "eq", "x")),
    ({"attr": {"ne": "x"}}, Test(("attr",), "ne", "x")),
    ({"any": [{"a": 1}, {"b": 2}]}, AnyOf((Test(("a",), "eq", 1), Test(("b",), "eq", 2)))),
    ({"all": [{"a": 1}]}, AllOf((Test(("a",), "eq", 1),))),
    ({"not": {"a": {"exists": True}}}, Negation(Test(("a",), "exists", True))),
    ({"segment": "staff"}, SegmentRef("staff")),
    ({"entitled": True}, Entitled()),
    ({"entitled": True, "org": "acme"}, AllOf((Entitled(), Test(("org",), "eq", "acme")))),
    ({"t": {"before": "2027-01-01T00:00:00Z"}}, Test(("t",), "before", 1798761600)),
    ({"t": {"after": "2000-02-29T12:34:56Z"}}, Test(("t",), "after", 951827696)),
    ({"v": {"semver": ">=1.2.0"}}, Test(("v",), "semver", ">=1.2.0")),
    ({"n": {"notIn": [1, "1", True]}}, Test(("n",), "notIn", (1, "1", True))),
]


@pytest.mark.parametrize(("written", "read"), CONDITIONS)
def test_a_condition_is_read_as_written(written: Json, read: Condition) -> None:
    """Each of the forms of formats.md gives its value."""
    assert parse_condition(written, "$") == read


def test_a_predicate_without_a_comparison_is_no_condition() -> None:
    """What never passed the loader is refused, not guessed."""
    with pytest.raises(ValueError, match=r"\$\.attr"):
        parse_condition({"attr": {"path": ["a"]}}, "$")


def test_a_segment_is_its_condition() -> None:
    """Name, namespace, condition."""
    segment = parse_segment(load(SEGMENT).documents[0])
    assert (segment.namespace, segment.name) == ("payments", "staff")
    assert segment.when == Test(("user", "email"), "endsWith", "@example.com")


def test_a_grant_lasts_through_its_last_day_and_never_outlives_its_agreement() -> None:
    """Both ends are days in UTC; the earlier one counts, and it is exclusive from the next midnight on."""
    binding = parse_binding(load(BINDING).documents[0])
    assert binding.owners == ("team-accounts",)
    contract, support = binding.grants
    assert (contract.org, contract.flag, contract.reason) == ("acme", "analytics/advanced-analytics", "contract")
    assert (contract.since, contract.until) == (instant("2026-01-01T00:00"), instant("2027-01-01T00:00"))
    assert (support.since, support.until) == (instant("2026-01-01T00:00"), instant("2026-12-06T00:00"))
    late = parse_binding(load(spoilt(BINDING, '"2026-12-05"', '"2999-12-31"')).documents[0])
    assert late.grants[1].until == contract.until


def test_a_binding_may_list_several_organisations() -> None:
    """Each keeps its own agreement."""
    one = BINDING[BINDING.index("  org:") :]
    items = "".join("  - " + part.replace("\n", "\n    ").strip() + "\n" for part in (one.strip(), one.strip()))
    text = BINDING[: BINDING.index("  org:")] + "  bindings:\n" + items.replace("      ", "    ")
    text = text.replace("- org: acme", "- org: globex", 1).replace("owner: team-accounts", "owner: team-x", 1)
    binding = parse_binding(load(text).documents[0])
    assert binding.owners == ("team-accounts", "team-x")
    assert [grant.org for grant in binding.grants] == ["globex", "globex", "acme", "acme"]


def test_a_tombstone_defines_nothing() -> None:
    """Who parses one has forgotten to ask."""
    with pytest.raises(ValueError, match="FlagDefinition/payments/new-checkout is a tombstone"):
        parse_flag(load(FLAG).documents[0].tombstone())


@pytest.mark.parametrize(
    "text",
    [
        "2027-01-01T24:00:00Z", "2027-01-01T23:59:60Z", "2027-01-01t00:00:00z", "2027-01-01T00:00:00.0Z",
        "2027-1-1T00:00:00Z", "2027-02-29T00:00:00Z", "2027-01-01T00:00Z", "1999-12-31T23:59:59Z",
        "3000-01-01T00:00:00Z", "2027-01-01T00:00:00Z\n",
    ],
)  # fmt: skip
def test_an_instant_has_one_spelling(text: str) -> None:
    """Whatever Python's version would take besides."""
    assert not is_instant(text)


@pytest.mark.parametrize(
    "text", ["20270101", "2027-W01-1", "2027-1-1", "2027-13-01", "2027-02-29", "3000-01-01", "2027-01-01\n"]
)
def test_a_day_has_one_spelling(text: str) -> None:
    """And lies in the calendar."""
    assert not is_day(text)
    assert is_day("2028-02-29")


def test_durations_are_read_in_seconds() -> None:
    """Each unit."""
    assert [parse_duration(text) for text in ("30s", "15m", "8h", "2d")] == [30, 900, 28_800, 172_800]
