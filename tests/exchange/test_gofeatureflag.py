"""Flags of GO Feature Flag: read as its evaluator evaluates them."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagseal.model.errors import UsageError
from flagseal_validators.exchange.gofeatureflag import read_gofeatureflag
from tests.exchange.adopting import adopted, assert_alike, assert_told, body, encoded, reasons, rules, spec

if TYPE_CHECKING:
    from flagseal_validators.exchange import Imported, NeutralSource

YAML = b"""# flags of the shop
new-checkout:
  variations: {enabled: true, disabled: false}
  targeting:
  - name: pilots
    query: (company in ["1", "2"]) and (seats ge 5)
    variation: enabled
  defaultRule:
    percentage: {enabled: 20, disabled: 80}
  metadata: {description: The rewritten checkout., owner: shop}
"""
TOML = b"""[new-checkout]
variations = {enabled = true, disabled = false}
[[new-checkout.targeting]]
name = "pilots"
query = '(company in ["1", "2"]) and (seats ge 5)'
variation = "enabled"
[new-checkout.defaultRule]
percentage = {enabled = 20, disabled = 80}
"""


def flag(query: str | None = None, **fields: object) -> dict[str, Any]:
    """Write a flag that is on for whom a query holds."""
    made: dict[str, Any] = {
        "variations": {"enabled": True, "disabled": False},
        "defaultRule": {"variation": "disabled"},
    }
    return {
        **made,
        **({"targeting": [{"query": query, "variation": "enabled"}]} if query is not None else {}),
        **fields,
    }


def source(**flags: dict[str, Any]) -> NeutralSource:
    """Read flags as a file has them."""
    return read_gofeatureflag(encoded(flags), file="flags.json")


def one(query: str | None = None, **fields: object) -> Imported:
    """Import a flag, and see that both sides agree."""
    return assert_alike(source(f=flag(query, **fields)))[0]


@pytest.mark.parametrize(("data", "file"), [(YAML, "flags.goff.yaml"), (TOML, "flags.toml")])
def test_files_may_be_yaml_or_toml(data: bytes, file: str) -> None:
    """And say the same; a share runs from the last name to the first, as buckets do there."""
    (found,) = assert_alike(read_gofeatureflag(data, file=file))
    assert body(found) == {
        "rules": [
            {"name": "pilots", "when": {"company": {"in": ["1", "2"]}, "seats": {"gte": 5}}, "serve": "enabled"},
            {
                "name": "everyone else",
                "split": [{"variant": "enabled", "weight": 1}, {"variant": "disabled", "weight": 4}],
            },
        ],
        "default": "disabled",
    }
    assert spec(found)["safeVariant"] == "disabled"
    if file.endswith("yaml"):
        assert spec(found)["description"] == "The rewritten checkout."
        assert "not kept: owner" in reasons(found)


@pytest.mark.parametrize(
    ("query", "when"),
    [
        ('company eq "1"', {"company": "1"}),
        ('company ne "1"', {"company": {"ne": "1"}}),
        ('company in ["a", "B"]', {"company": {"in": ["a", "B"]}}),
        ("seats > 5", {"seats": {"gt": 5}}),
        ("seats <= -1", {"seats": {"lte": -1}}),
        ("ratio ge 2.5", {"ratio": {"gte": 2.5}}),
        ("beta eq true", {"beta": True}),
        ("beta ne true", {"beta": False}),
        ("anonymous eq false", {"not": {"anonymous": True}}),
        ("plan pr", {"plan": {"exists": True}}),
        ("plan eq null", {"plan": {"exists": False}}),
        ("not (plan pr)", {"not": {"plan": {"exists": True}}}),
        ("app == 1.2.3", {"app": {"semver": "=1.2.3"}}),
        ('targetingKey in ["u1"]', {"targetingKey": "u1"}),
        ("a pr or b pr and c pr", {
            "any": [{"a": {"exists": True}}, {"b": {"exists": True}}], "c": {"exists": True},
        }),
        ("a pr or (b pr and c pr)", {
            "any": [{"a": {"exists": True}}, {"b": {"exists": True}, "c": {"exists": True}}],
        }),
        ('{"in": [{"var": "plan"}, ["pro", "team"]]}', {"plan": {"in": ["pro", "team"]}}),
    ],
)  # fmt: skip
def test_queries_become_conditions(query: str, when: dict[str, Any]) -> None:
    """`and` and `or` bind alike there, from left to right."""
    found = one(query)
    assert rules(found) == [{"when": when, "serve": "enabled"}]
    assert found.outcome == "exactly"


def test_and_and_or_bind_alike() -> None:
    """From left to right: the last `and` holds for everything before it."""
    (rule,) = rules(one("a pr or b pr and c pr"))
    assert rule["when"] == {"any": [{"a": {"exists": True}}, {"b": {"exists": True}}], "c": {"exists": True}}


def test_letter_case_counts_here_and_that_is_told() -> None:
    """No evaluator of flagd compares without it."""
    (found,) = adopted(source(f=flag('plan eq "pro"'))).flags
    assert found.outcome == "changed"
    assert rules(found) == [{"when": {"plan": "pro"}, "serve": "enabled"}]
    assert "$.f.targeting[0].query: letter case counts here" in reasons(found)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ('plan gt "a"', "the order of texts"),
        ("plan eq", "ends too early"),
        ("plan eq pro", "'pro' has no predicate"),
        ("plan like 5", "no operator 'like'"),
        ("(plan pr", "ends too early"),
        ("plan pr)", "cannot be read from ')' on"),
        ("!(plan pr)", "cannot be read from '!(plan pr)' on"),
        ("plan in 5", "asks for a list"),
        ('plan in [5, "a"]', "a list of texts and numbers"),
        ("plan in [5", "ends too early"),
        ("plan co 5", "has no predicate"),
        ("(" * 40 + "a pr" + ")" * 40, "nested more than 24 deep"),
        ('{"==": [{"var": "plan"}, "pro"]}', "in its JSONLogic, `==` converts"),
        ('{"==": ', "no JSON"),
        ("a pr or " * 2000 + "b pr", "more than 8192 characters"),
    ],
)
def test_what_has_no_form_leaves_the_flag_out_with_its_place(query: str, why: str) -> None:
    """One flag that is wrong does not keep the others out."""
    found, other = adopted(source(f=flag(query), other=flag())).flags
    assert found.outcome == "left out"
    assert "$.f.targeting[0].query" in reasons(found)
    assert why in reasons(found)
    assert other.outcome == "exactly"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"variations": {}}, "of the type none"),
        ({"variations": {"a": [1]}}, "of the type array"),
        ({"variations": {"a": 1, "b": "x"}}, "of the type number and string"),
        ({"defaultRule": None}, "`defaultRule` is missing"),
        ({"defaultRule": {"variation": "gone"}}, "no variation 'gone'"),
        ({"defaultRule": {"percentage": {"enabled": 0}}}, "its percentages are nothing"),
        ({"defaultRule": {"percentage": {"enabled": -1}}}, "a percentage is negative"),
        ({"disable": "yes"}, "true or false is expected"),
        ({"targeting": [{"variation": "enabled"}]}, "`query` is missing"),
        ({"scheduledRollout": [{"date": "soon"}]}, "'soon' is no time"),
        ({"scheduledRollout": [{"date": "2027-01-01"}, {"date": "2026-01-01"}]}, "not in the order of their dates"),
    ],
)
def test_what_is_not_as_it_should_be_is_left_out_with_its_place(fields: dict[str, Any], why: str) -> None:
    """With what is wrong."""
    (found,) = adopted(source(f=flag(**fields))).flags
    assert found.outcome == "left out"
    assert why in reasons(found)


def test_a_flag_that_is_off_or_outside_of_its_experiment_gives_the_safe_variant() -> None:
    """For what applications had of their own."""
    off = one('company eq "1"', disable=True)
    assert body(off)["off"] is True
    assert "applications got their own default" in reasons(off)
    experiment = {"start": "2026-01-01T00:00:00.1+02:00", "end": "2027-01-01T00:00:00Z"}
    found = one('company eq "1"', experimentation=experiment)
    assert rules(found) == [
        {"until": "2025-12-31T22:00:00Z", "serve": "disabled"},
        {"from": "2027-01-01T00:00:00Z", "serve": "disabled"},
        {"when": {"company": "1"}, "serve": "enabled"},
    ]


def test_a_rollout_that_progresses_becomes_a_ramp() -> None:
    """In steps, against the safe variant, which is what it starts from."""
    rollout = {
        "initial": {"variation": "disabled", "percentage": 0, "date": "2026-10-01T00:00:00Z"},
        "end": {"variation": "enabled", "percentage": 50, "date": "2026-12-01T00:00:00Z"},
    }
    (found,) = adopted(source(f=flag(defaultRule={"progressiveRollout": rollout})), safe_variant="enabled").flags
    assert spec(found)["safeVariant"] == "disabled"
    assert rules(found) == [
        {"until": "2026-10-01T00:00:00Z", "serve": "disabled"},
        {
            "ramp": {
                "variant": "enabled",
                "from": 0,
                "to": 50,
                "start": "2026-10-01T00:00:00Z",
                "end": "2026-12-01T00:00:00Z",
                "steps": 50,
            }
        },
    ]
    assert "goes on growing there" in reasons(found)


def test_a_schedule_becomes_rules_with_times() -> None:
    """Each change in its time; a change after one that adds rules has no form."""
    changes: list[dict[str, Any]] = [
        {"date": "2026-10-01T00:00:00Z", "targeting": [{"name": "pilots", "query": 'company in ["1", "2"]'}]},
        {"date": "2026-12-01T00:00:00Z", "defaultRule": {"variation": "enabled"}},
    ]
    pilots = [{"name": "pilots", "query": 'company in ["1"]', "variation": "enabled"}]
    found = one(targeting=pilots, scheduledRollout=changes)
    assert body(found)["default"] == "enabled"
    first, second = "2026-10-01T00:00:00Z", "2026-12-01T00:00:00Z"
    both = {"company": {"in": ["1", "2"]}}
    assert rules(found) == [
        {"until": first, "when": {"company": "1"}, "serve": "enabled"},
        {"until": first, "serve": "disabled"},
        {"from": first, "until": second, "when": both, "serve": "enabled"},
        {"from": first, "until": second, "serve": "disabled"},
        {"from": second, "when": both, "serve": "enabled"},
    ]
    changes[0]["targeting"] = [{"query": "beta eq true", "variation": "enabled"}]
    (added,) = adopted(source(f=flag(targeting=pilots, scheduledRollout=changes))).flags
    assert "after one that adds rules" in reasons(added)


@pytest.mark.parametrize(
    ("data", "file", "why"),
    [
        (b"[]", "f.json", "an object is expected"),
        (b"", "f.yaml", "one document is expected"),
        (b"a = [", "f.toml", "not TOML"),
        (b"\xff", "f.toml", "not TOML"),
    ],
)
def test_what_is_no_flag_file_is_refused(data: bytes, file: str, why: str) -> None:
    """With a remedy."""
    with pytest.raises(UsageError) as refusal:
        read_gofeatureflag(data, file=file)
    assert why in refusal.value.message
    assert refusal.value.remedy


# Equality

_comparisons = st.one_of(
    st.builds(
        lambda operator, value: f'company {operator} "{value}"',
        st.sampled_from(["eq", "ne", "co", "sw", "ew", "==", "!="]),
        st.sampled_from(["1", "12", "2", "-"]),
    ),
    st.builds(
        lambda operator, value: f"seats {operator} {value}",
        st.sampled_from(["eq", "ne", "gt", "lt", "ge", "le", ">", "<="]),
        st.sampled_from(["5", "0", "-1"]),
    ),
    st.builds(
        lambda operator, value: f"beta {operator} {value}",
        st.sampled_from(["eq", "ne"]),
        st.sampled_from(["true", "false"]),
    ),
    st.builds(lambda operator: f"app {operator} 1.2.3", st.sampled_from(["eq"])),
    st.sampled_from(['company in ["1", "a"]', "seats in [5, 6]", "company pr", "seats eq null", "anonymous eq false"]),
)
_queries = st.recursive(
    _comparisons,
    lambda inner: st.one_of(
        st.builds(lambda one, word, other: f"{one} {word} {other}", inner, st.sampled_from(["and", "or"]), inner),
        st.builds(lambda one: f"({one})", inner),
        st.builds(lambda one: f"not ({one})", inner),
    ),
    max_leaves=4,
)
_outcomes: st.SearchStrategy[dict[str, Any]] = st.sampled_from([
    {"variation": "enabled"},
    {"variation": "disabled"},
    {"percentage": {"enabled": 30, "disabled": 70}},
    {"percentage": {"enabled": 100, "disabled": 0}},
])  # fmt: skip
_targeting = st.lists(
    st.builds(
        lambda query, outcome, disable: {"query": query, **outcome, "disable": disable},
        _queries,
        _outcomes,
        st.sampled_from([False, False, True]),
    ),
    max_size=3,
)
_changes = st.one_of(
    st.just([]),
    st.builds(
        lambda outcome, disable: [{"date": "2026-12-01T00:00:00Z", "defaultRule": outcome, "disable": disable}],
        st.sampled_from([{"variation": "enabled"}, {"variation": "disabled"}]),
        st.booleans(),
    ),
)


@settings(max_examples=40)
@given(_targeting, _outcomes, _changes, st.booleans())
def test_whatever_is_imported_answers_as_go_feature_flag_does(
    targeting: list[Any], default: dict[str, Any], changes: list[Any], experiment: bool
) -> None:
    """For any flag: by the evaluator that its providers run, over contexts and instants that it asks for."""
    window: dict[str, Any] = (
        {"experimentation": {"start": "2026-01-01T00:00:00Z", "end": "2026-11-01T00:00:00Z"}} if experiment else {}
    )
    assert_alike(source(f=flag(targeting=targeting, defaultRule=default, scheduledRollout=changes, **window)))


_json: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 10**20), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)


@given(st.data())
def test_nothing_in_a_file_breaks_the_importer(data: st.DataObject) -> None:
    """Whatever stands anywhere in a flag: a definition, a reason, or a refusal."""
    made = flag(targeting=data.draw(_targeting), scheduledRollout=data.draw(_changes), experimentation={"start": "x"})
    made = deepcopy(made)  # drawn parts are shared
    damaged = data.draw(st.sampled_from([made, made["defaultRule"], *made["targeting"], *made["scheduledRollout"]]))
    words = [*damaged, "percentage", "progressiveRollout", "experimentation", "metadata", "bucketingKey", "targeting"]
    damaged[data.draw(st.sampled_from(words))] = data.draw(_json)
    assert_told(lambda: source(f=made))


@given(
    st.text(max_size=40)
    | st.lists(
        st.sampled_from(["a", "(", ")", "not", "and", "or", "eq", "in", "[", "]", ",", '"x"', "5", "pr"]), max_size=12
    ).map(" ".join)
)
def test_no_query_breaks_the_importer(query: str) -> None:
    """Read, or refused with its place."""
    assert_told(lambda: source(f=flag(query)))
