"""Flags of Flipt: read as its clients evaluate them."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagseal.model.errors import UsageError
from flagseal_validators.exchange.flipt import read_flipt
from tests.exchange.adopting import adopted, assert_alike, assert_told, body, encoded, reasons, rules, spec

if TYPE_CHECKING:
    from flagseal_validators.exchange import Imported, NeutralSource

FILE = b"""# made by flipt export
version: "1.4"
namespace: {key: web, name: Web}
flags:
- key: newCheckout
  name: New checkout
  type: BOOLEAN_FLAG_TYPE
  enabled: false
  rollouts:
  - description: Our own
    segment: {keys: [staff, pilots], operator: AND_SEGMENT_OPERATOR, value: true}
  - threshold: {percentage: 25, value: true}
- key: colour
  name: Colour
  type: VARIANT_FLAG_TYPE
  enabled: true
  variants:
  - {key: blue, default: true}
  - {key: red}
  rules:
  - segment: staff
    distributions: [{variant: red, rollout: 100}]
  - segment: {key: pilots}
    distributions:
    - {variant: blue, rollout: 33.33}
    - {variant: red, rollout: 66.67}
segments:
- key: staff
  match_type: ANY_MATCH_TYPE
  constraints:
  - {type: STRING_COMPARISON_TYPE, property: email, operator: suffix, value: "@example.com"}
  - {type: ENTITY_ID_COMPARISON_TYPE, property: entity, operator: isoneof, value: '["u1", "u2"]'}
- key: pilots
  match_type: ALL_MATCH_TYPE
  constraints:
  - {type: NUMBER_COMPARISON_TYPE, property: seats, operator: gte, value: "5"}
  - {type: BOOLEAN_COMPARISON_TYPE, property: beta, operator: "true"}
"""


def flag(**fields: object) -> dict[str, Any]:
    """Write a boolean flag."""
    return {"key": "f", "type": "BOOLEAN_FLAG_TYPE", "enabled": False, **fields}


def variants(*keys: str, **fields: object) -> dict[str, Any]:
    """Write a flag with variants, the first of which is the default."""
    listed = [{"key": key, "default": number == 0} for number, key in enumerate(keys)]
    return {"key": "f", "type": "VARIANT_FLAG_TYPE", "enabled": True, "variants": listed, **fields}


def constraint(operator: str, value: str = "", kind: str = "STRING", name: str = "plan") -> dict[str, Any]:
    """Write a constraint."""
    return {"type": f"{kind}_COMPARISON_TYPE", "property": name, "operator": operator, "value": value}


def source(*flags: dict[str, Any], segments: object = ()) -> NeutralSource:
    """Read flags as an export has them."""
    return read_flipt(encoded({"version": "1.4", "flags": [*flags], "segments": segments}), file="f.json")


def asked(*constraints: dict[str, Any], match: str = "ALL") -> Imported:
    """Import a flag that is on for a segment, and see that both sides agree."""
    segments = [{"key": "s", "match_type": f"{match}_MATCH_TYPE", "constraints": [*constraints]}]
    return assert_alike(source(flag(rollouts=[{"segment": {"key": "s", "value": True}}]), segments=segments))[0]


def test_an_export_is_read_whole() -> None:
    """Segments by name, rollouts and rules in order, what is left by what the flag says."""
    read = read_flipt(FILE, file="features.yaml")
    checkout, colour = assert_alike(read)
    assert read.namespace == "web"
    assert body(checkout) == {
        "rules": [
            {"name": "Our own", "when": {"all": [{"segment": "staff"}, {"segment": "pilots"}]}, "serve": "enabled"},
            {
                "name": "rollout 2",
                "split": [{"variant": "enabled", "weight": 1}, {"variant": "disabled", "weight": 3}],
                "salt": "newCheckout",
            },
        ],
        "default": "disabled",
    }
    assert spec(colour)["variants"] == {"blue": "blue", "red": "red"}
    assert (spec(colour)["safeVariant"], body(colour)["default"]) == ("blue", "blue")
    assert rules(colour)[1]["split"] == [{"variant": "blue", "weight": 3333}, {"variant": "red", "weight": 6667}]
    whens = {document.name: document.body()["spec"] for document, _ in adopted(read).segments}
    assert whens == {
        "staff": {"when": {"any": [{"email": {"endsWith": "@example.com"}}, {"targetingKey": {"in": ["u1", "u2"]}}]}},
        "pilots": {"when": {"seats": {"gte": 5}, "beta": True}},
    }


@pytest.mark.parametrize(
    ("written", "when"),
    [
        (constraint("eq", "pro"), {"plan": "pro"}),
        (constraint("neq", "pro"), {"plan": {"notIn": ["", "pro"]}}),
        (constraint("empty"), {"not": {"plan": {"ne": ""}}}),
        (constraint("isnotoneof", '["a", "b"]'), {"plan": {"notIn": ["", "a", "b"]}}),
        (constraint("prefix", "p"), {"plan": {"startsWith": "p"}}),
        (constraint("notcontains", "p"), {"plan": {"ne": ""}, "not": {"plan": {"hasSubstring": "p"}}}),
        (constraint("neq", "5", "NUMBER"), {"plan": {"ne": 5}}),
        (constraint("isoneof", "[5, 6]", "NUMBER"), {"plan": {"in": [5, 6]}}),
        (constraint("notpresent", "", "NUMBER"), {"plan": {"exists": False}}),
        (constraint("false", "", "BOOLEAN"), {"plan": False}),
        (constraint("neq", "u1", "ENTITY_ID"), {"targetingKey": {"notIn": ["", "u1"]}}),
    ],
)
def test_constraints_become_conditions(written: dict[str, Any], when: dict[str, Any]) -> None:
    """The empty text satisfies nothing, as there."""
    assert asked(written).outcome == "exactly"
    segments = [{"key": "s", "constraints": [written]}]
    read = source(flag(rollouts=[{"segment": {"key": "s", "value": True}}]), segments=segments)
    ((document, _),) = adopted(read).segments
    assert document.body()["spec"] == {"when": when}


def test_a_segment_that_asks_nothing_is_everyone() -> None:
    """And none of ours is written for it."""
    assert rules(asked()) == [{"serve": "enabled"}]
    assert rules(asked(match="ANY")) == [{"serve": "enabled"}]


def test_dates_must_be_unix_seconds_here() -> None:
    """They are text there, which no evaluator compares."""
    (found,) = adopted(
        source(
            flag(rollouts=[{"segment": {"key": "s", "value": True}}]),
            segments=[{"key": "s", "constraints": [constraint("lt", "2026-01-01", "DATETIME")]}],
        )
    ).flags
    assert found.outcome == "changed"
    assert "must be unix seconds here" in reasons(found)


def test_without_a_default_variant_an_empty_value_stands_for_the_applications_own() -> None:
    """It is told, since an application gets something else."""
    distributions = [{"variant": "a", "rollout": 50}]
    rule = {"segment": "s", "distributions": distributions}
    read = source(
        variants("a", variants=[{"key": "a"}], rules=[rule]),
        segments=[{"key": "s", "constraints": [constraint("eq", "pro")]}],
    )
    (found,) = assert_alike(read)
    assert spec(found)["variants"] == {"a": "a", "none": ""}
    assert body(found)["default"] == spec(found)["safeVariant"] == "none"
    assert rules(found)[0]["split"] == [{"variant": "a", "weight": 1}, {"variant": "none", "weight": 1}]
    assert "applications got their own default" in reasons(found)


def test_attachments_are_values_if_all_are_objects() -> None:
    """Otherwise the variants' keys are."""
    both = [{"key": "a", "default": True, "attachment": {"x": 1}}, {"key": "b", "attachment": {"x": 2}}]
    (found,) = assert_alike(source(variants(variants=both)))
    assert spec(found)["variants"] == {"a": {"x": 1}, "b": {"x": 2}}
    (some,) = assert_alike(source(variants(variants=[both[0], {"key": "b"}])))
    assert spec(some)["variants"] == {"a": "a", "b": "b"}
    assert "attachments are not kept" in reasons(some)


def test_a_flag_that_is_off_gives_its_default_variant() -> None:
    """With its rules kept for later; a boolean one is on or off by its rollouts all the same."""
    (found,) = assert_alike(source(variants("a", "b", enabled=False)))
    assert body(found) == {"off": True, "default": "a"}
    (on,) = assert_alike(source(flag(enabled=True, rollouts=[{"threshold": {"percentage": 30, "value": False}}])))
    assert body(on)["default"] == "enabled"
    assert rules(on)[0]["split"] == [{"variant": "disabled", "weight": 3}, {"variant": "enabled", "weight": 7}]


@pytest.mark.parametrize(
    ("made", "segments", "why"),
    [
        (flag(rollouts=[{"segment": {"key": "gone", "value": True}}]), [], "no segment 'gone'"),
        (flag(rollouts=[{}]), [], "neither `segment` nor `threshold`"),
        (flag(rollouts=[{"segment": {"value": True}}]), [], ""),
        (flag(enabled="no"), [], "true or false is expected"),
        (flag(key=5), [], "text is expected"),
        (variants("a", "a"), [], "two variants have the same key"),
        (variants("a", rules=[{"segment": "s", "distributions": [{"variant": "z", "rollout": 1}]}]),
         [{"key": "s"}], "no variant 'z'"),
        (flag(rollouts=[{"segment": {"key": "s", "value": True}}]),
         [{"key": "s", "constraints": [constraint("eq", "x", "NUMBER")]}], "'x' is no number"),
        (flag(rollouts=[{"segment": {"key": "s", "value": True}}]),
         [{"key": "s", "constraints": [constraint("sounds", "x")]}], "the operator 'sounds'"),
        (flag(rollouts=[{"segment": {"key": "s", "value": True}}]),
         [{"key": "s", "constraints": [constraint("isoneof", "{}")]}], "is no list"),
        (flag(rollouts=[{"segment": {"key": "s", "value": True}}]),
         [{"key": "s", "constraints": [constraint("eq", "x", "MOOD")]}], "the type 'MOOD'"),
    ],
)  # fmt: skip
def test_what_has_no_form_is_left_out_with_its_place(made: dict[str, Any], segments: object, why: str) -> None:
    """One flag that is wrong does not keep the others out."""
    found, other = adopted(source(made, flag(key="other"), segments=segments)).flags
    if why:
        assert found.outcome == "left out"
        assert why in reasons(found)
        assert "$." in reasons(found)
    else:
        assert rules(found) == []
    assert other.outcome == "exactly"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{}", "`flags` is missing"),
        (b"", "there is nothing in it"),
        (b'{"version": "2.0", "flags": []}', "the version '2.0' is not known"),
        (b"flags: []\n---\nnamespace: web\nflags: []\n", "several namespaces: default, web"),
        (b"flags: []\n---\nflags: []\n", "two documents have the namespace 'default'"),
        (b'{"flags": [], "segments": [{"key": "a"}, {"key": "a"}]}', "a second segment"),
    ],
)
def test_what_is_no_export_of_flipt_is_refused(data: bytes, why: str) -> None:
    """With a remedy."""
    with pytest.raises(UsageError) as refusal:
        read_flipt(data, file="f.yaml")
    assert why in refusal.value.message
    assert refusal.value.remedy


def test_one_of_several_namespaces_is_chosen() -> None:
    """By its key."""
    several = FILE + b"---\nnamespace: default\nflags: []\n"
    assert [one.key for one in read_flipt(several, file="f.yaml", namespace="web").flags] == ["newCheckout", "colour"]
    with pytest.raises(UsageError, match="no namespace 'moon'"):
        read_flipt(several, file="f.yaml", namespace="moon")


# Equality

_texts = st.sampled_from(["a", "ab", "b", "x"])
_constraints: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(
        lambda operator, value, name: constraint(operator, value, "STRING", name),
        st.sampled_from(["eq", "neq", "prefix", "suffix", "contains", "notcontains", "empty", "notempty"]),
        _texts,
        st.sampled_from(["plan", "email"]),
    ),
    st.builds(
        lambda operator, values: constraint(operator, json.dumps(values)),
        st.sampled_from(["isoneof", "isnotoneof"]),
        st.lists(_texts, max_size=2),
    ),
    st.builds(
        lambda operator, value: constraint(operator, value, "NUMBER", "seats"),
        st.sampled_from(["eq", "neq", "lt", "lte", "gt", "gte", "present", "notpresent"]),
        st.sampled_from(["5", "-1", "0"]),
    ),
    st.builds(
        lambda operator, values: constraint(operator, json.dumps(values), "NUMBER", "seats"),
        st.sampled_from(["isoneof", "isnotoneof"]),
        st.lists(st.sampled_from([5, 6]), max_size=2),
    ),
    st.builds(
        lambda operator: constraint(operator, "", "BOOLEAN", "beta"),
        st.sampled_from(["true", "false", "present", "notpresent"]),
    ),
    st.builds(
        lambda operator, value: constraint(operator, value, "ENTITY_ID", "entity"),
        st.sampled_from(["eq", "neq", "prefix"]),
        st.sampled_from(["user", "user-1", "u"]),
    ),
)
_segments = st.builds(
    lambda first, second, match: [
        {"key": "s0", "match_type": f"{match}_MATCH_TYPE", "constraints": first},
        {"key": "s1", "match_type": "ALL_MATCH_TYPE", "constraints": second},
    ],
    st.lists(_constraints, max_size=3),
    st.lists(_constraints, max_size=2),
    st.sampled_from(["ALL", "ANY"]),
)
_asked: st.SearchStrategy[Any] = st.one_of(
    st.builds(lambda key: {"key": key}, st.sampled_from(["s0", "s1"])),
    st.builds(
        lambda operator: {"keys": ["s0", "s1"], "operator": f"{operator}_SEGMENT_OPERATOR"},
        st.sampled_from(["AND", "OR"]),
    ),
)
_rollouts: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda asked, value: {"segment": {**asked, "value": value}}, _asked, st.booleans()),
    st.builds(
        lambda percentage, value: {"threshold": {"percentage": percentage, "value": value}},
        st.sampled_from([0, 30, 100]),
        st.booleans(),
    ),
)
_rules: st.SearchStrategy[dict[str, Any]] = st.builds(
    lambda asked, shares: {
        "segment": asked,
        "distributions": [{"variant": "abc"[number], "rollout": share} for number, share in enumerate(shares)],
    },
    _asked,
    st.sampled_from([[], [100], [0, 100], [50, 50], [30, 20], [10, 20, 70]]),
)


@settings(max_examples=40)
@given(st.lists(_rollouts, max_size=3), st.lists(_rules, max_size=3), _segments, st.booleans(), st.booleans())
def test_whatever_is_imported_answers_as_flipt_does(
    rollouts: list[Any], listed: list[Any], segments: object, on: bool, default: bool
) -> None:
    """For any flags and segments: by Flipt's own client, over contexts made from what they ask."""
    several = variants("a", "b", "c", rules=listed, enabled=on)
    several["variants"][0]["default"] = default
    assert_alike(source(flag(enabled=on, rollouts=rollouts), {**several, "key": "g"}, segments=segments))


_json: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 10**20), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)


@given(st.data())
def test_nothing_in_a_file_breaks_the_importer(data: st.DataObject) -> None:
    """Whatever stands anywhere in a flag or a segment: a definition, a reason, or a refusal."""
    first = flag(rollouts=data.draw(st.lists(_rollouts, max_size=2)))
    second = {**variants("a", "b", rules=data.draw(st.lists(_rules, max_size=2))), "key": "g"}
    first, second, segments = deepcopy((first, second, data.draw(_segments)))  # drawn parts are shared
    parts: list[dict[str, Any]] = [first, second, *segments, *first["rollouts"], *second["rules"], *second["variants"]]
    parts += [one for segment in segments for one in segment["constraints"]]
    damaged = data.draw(st.sampled_from(parts))
    damaged[data.draw(st.sampled_from([*damaged, "segment", "threshold", "distributions", "attachment"]))] = data.draw(
        _json
    )
    assert_told(lambda: source(first, second, segments=segments))
