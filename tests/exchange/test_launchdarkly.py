"""Flags of LaunchDarkly: read as its SDK evaluates them."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagseal.model.errors import UsageError
from flagseal_validators.exchange.launchdarkly import read_launchdarkly
from tests.exchange.adopting import adopted, assert_alike, assert_told, body, encoded, reasons, rules, spec

if TYPE_CHECKING:
    from flagseal_validators.exchange import Imported, NeutralSource


def flag(**fields: object) -> dict[str, Any]:
    """Write a flag as the SDK reads it."""
    made: dict[str, Any] = {
        "key": "f",
        "on": True,
        "salt": "s",
        "variations": [True, False],
        "offVariation": 1,
        "fallthrough": {"variation": 1},
    }
    return {**made, **fields}


def source(*flags: dict[str, Any], segments: object = (), lists: tuple[str, ...] = ()) -> NeutralSource:
    """Read flags as a file of the SDK has them."""
    document = {"flags": {one["key"]: one for one in flags}, "segments": {one["key"]: one for one in list(segments)}}  # type: ignore[call-overload]
    return read_launchdarkly({"flags.json": encoded(document)}, lists=frozenset(lists))


def one(*clauses: dict[str, Any], segments: object = (), lists: tuple[str, ...] = (), **fields: object) -> Imported:
    """Import a flag with one rule, and see that both sides agree."""
    rule = [{"clauses": list(clauses), "variation": 0}] if clauses else []
    read = source(flag(**{"rules": rule, **fields}), segments=segments, lists=lists)
    return assert_alike(read)[0]


def clause(attribute: str, op: str, *values: object, **fields: object) -> dict[str, Any]:
    """Write a clause."""
    return {"attribute": attribute, "op": op, "values": list(values), **fields}


@pytest.mark.parametrize(
    ("written", "when"),
    [
        (clause("plan", "in", "pro"), {"plan": "pro"}),
        (clause("plan", "in", "pro", "team"), {"plan": {"in": ["pro", "team"]}}),
        (clause("seats", "in", 1, True), {"seats": {"in": [1, True]}}),
        (clause("key", "in", "u1"), {"targetingKey": "u1"}),
        (clause("/address/city", "in", "Bonn", contextKind="user"), {"address.city": "Bonn"}),
        (clause("plan", "in", "pro", contextKind="org"), {"org.plan": "pro"}),
        (clause("key", "in", "o1", contextKind="org"), {"org.key": "o1"}),
        (clause("email", "endsWith", "@a.de", "@b.de"), {
            "any": [{"email": {"endsWith": "@a.de"}}, {"email": {"endsWith": "@b.de"}}],
        }),
        (clause("plan", "in", "pro", negate=True), {"plan": {"exists": True}, "not": {"plan": "pro"}}),
        (clause("seats", "greaterThanOrEqual", 5), {"seats": {"gte": 5}}),
        (clause("app", "semVerLessThan", "2.1"), {"app": {"semver": "<2.1"}}),
        (clause("since", "before", "2026-01-01T00:00:00Z"), {"since": {"lt": 1767225600000}}),
        (clause("email", "matches", r".*@example\.com$"), {"email": {"endsWith": "@example.com"}}),
        (clause("email", "matches", "^(a|b)$"), {"email": {"in": ["a", "b"]}}),
        (clause("anonymous", "in", False), {"not": {"anonymous": True}}),
        (clause("kind", "in", "org"), {"org.key": {"exists": True}}),
    ],
)  # fmt: skip
def test_clauses_become_conditions(written: dict[str, Any], when: dict[str, Any]) -> None:
    """One that a person can read, and the same answers."""
    found = one(written)
    assert found.outcome == "exactly"
    assert rules(found) == [{"when": when, "serve": "enabled"}]
    assert spec(found)["safeVariant"] == "disabled"


def test_a_list_is_asked_for_its_members_where_one_says_that_it_is_one() -> None:
    """Nothing in the file says so; the option does."""
    found = one(clause("groups", "in", "beta"), lists=("groups",))
    assert rules(found) == [{"when": {"groups": {"contains": "beta"}}, "serve": "enabled"}]
    assert one(clause("groups", "startsWith", "be"), lists=("groups",)).outcome == "left out"


def test_targets_rules_and_fallthrough_keep_their_order() -> None:
    """Users by name first, then contexts of other kinds, then rules."""
    found = one(
        clause("plan", "in", "pro"),
        targets=[{"variation": 0, "values": ["u1", "u2"]}, {"variation": 1, "values": ["u2", "u3"]}],
        contextTargets=[
            {"contextKind": "user", "variation": 0, "values": []},
            {"contextKind": "user", "variation": 1, "values": []},
            {"contextKind": "org", "variation": 0, "values": ["o1"]},
        ],
    )
    assert body(found)["targets"] == {"enabled": ["u1", "u2"], "disabled": ["u3"]}
    assert [rule["when"] for rule in rules(found)] == [{"org.key": "o1"}, {"plan": "pro"}]


def test_segments_become_segments_and_those_they_name_are_written_in() -> None:
    """Ours name no others."""
    segments = [
        {"key": "beta", "included": ["u1"], "excluded": ["u2"], "rules": [{"clauses": [clause("plan", "in", "pro")]}]},
        {"key": "all", "rules": [{"clauses": [clause("", "segmentMatch", "beta")]}, {"clauses": []}]},
    ]
    read = source(flag(rules=[{"clauses": [clause("", "segmentMatch", "beta")], "variation": 0}]), segments=segments)
    (found,) = assert_alike(read)
    assert rules(found) == [{"when": {"segment": "beta"}, "serve": "enabled"}]
    ((document, place),) = adopted(read).segments
    assert (document.kind, document.name, place) == ("Segment", "beta", "$.segments.beta")
    assert rules(one(clause("", "segmentMatch", "all"), segments=segments)) == [{"serve": "enabled"}]
    assert rules(one(clause("", "segmentMatch", "gone"), segments=segments)) == []


@pytest.mark.parametrize(
    ("segments", "why"),
    [
        ([{"key": "a", "rules": [{"clauses": [clause("", "segmentMatch", "a")]}]}], "in a circle: a → a"),
        ([{"key": "a", "unbounded": True}], "a big segment"),
        ([{"key": "a", "rules": [{"clauses": [], "weight": 500}]}], "a share of people within a segment"),
        (
            [
                {"key": "a" if not n else f"s{n}", "rules": [{"clauses": [clause("", "segmentMatch", f"s{n + 1}")]}]}
                for n in range(40)
            ],
            "more than 16 deep",
        ),
        (
            [
                {
                    "key": "a" if not n else f"s{n}",
                    "rules": [{"clauses": [clause("", "segmentMatch", f"s{n + 1}"), clause("x", "in", n)]}] * 3,
                }
                for n in range(15)
            ],
            "of more than 2000 clauses",
        ),
    ],
    ids=["circle", "big", "share", "deep", "bomb"],
)
def test_what_a_segment_cannot_say_here_leaves_its_flags_out(segments: list[dict[str, Any]], why: str) -> None:
    """With the place and the reason; never half."""
    read = source(flag(rules=[{"clauses": [clause("", "segmentMatch", "a")], "variation": 0}]), segments=segments)
    (found,) = adopted(read).flags
    assert found.outcome == "left out"
    assert why in reasons(found)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (clause("email", "matches", "a.*b"), "$.flags.f.rules[0].clauses[0].values[0]: the regular expression"),
        (clause("email", "sounds", "x"), "the operator 'sounds'"),
        (clause("tags", "in", ["a"]), "a list or an object"),
    ],
)
def test_what_has_no_form_leaves_the_flag_out_unless_part_of_it_will_do(written: dict[str, Any], why: str) -> None:
    """A rule that is dropped changes answers, so it must be asked for."""
    read = source(flag(rules=[{"clauses": [written], "variation": 0}, {"clauses": [], "variation": 0}]))
    (found,) = adopted(read).flags
    assert found.outcome == "left out"
    assert why in reasons(found)
    (part,) = adopted(read, partial=True).flags
    assert part.outcome == "changed"
    assert rules(part) == [{"serve": "enabled"}]
    assert why in reasons(part)
    (off,) = adopted(source(flag(on=False, rules=[{"clauses": [written], "variation": 0}]))).flags
    assert off.outcome == "exactly"
    assert "nobody notices" in reasons(off)


def test_shares_are_kept_and_people_change_places() -> None:
    """SHA-1 has no form here; who has no key to hash gets the first arm, as there."""
    arms = [{"variation": 0, "weight": 25_000}, {"variation": 1, "weight": 60_000}]
    found = one(fallthrough={"rollout": {"variations": arms}})
    assert found.outcome == "changed"
    assert [remark.kind for remark in found.remarks] == ["rebucketed"]
    assert rules(found) == [
        {"split": [{"variant": "enabled", "weight": 1}, {"variant": "disabled", "weight": 3}]},
    ]
    by_org = one(
        rules=[{"clauses": [clause("plan", "in", "pro")], "rollout": {"variations": arms, "bucketBy": "account"}}]
    )
    assert rules(by_org) == [
        {"when": {"plan": "pro", "not": {"account": {"exists": True}}}, "serve": "enabled"},
        {
            "when": {"plan": "pro"},
            "split": [{"variant": "enabled", "weight": 1}, {"variant": "disabled", "weight": 3}],
            "by": "account",
        },
    ]
    whole = one(fallthrough={"rollout": {"variations": [{"variation": 0, "weight": 100_000}]}})
    assert whole.outcome == "exactly"


def test_prerequisites_are_required_and_one_that_is_off_is_off_here_too() -> None:
    """Off, a prerequisite never holds, whatever its off variation is."""
    needs = flag(key="needs", prerequisites=[{"key": "f", "variation": 1}], fallthrough={"variation": 0})
    on, dependent = assert_alike(source(flag(), needs))
    assert (on.outcome, dependent.outcome) == ("exactly", "exactly")
    assert body(dependent)["requires"] == [{"flag": "f", "variant": "disabled"}]
    _, never = assert_alike(source(flag(on=False), needs))
    assert body(never) == {"default": "disabled", "off": True}
    (lonely,) = adopted(source(needs)).flags
    assert lonely.outcome == "left out"
    assert "it requires 'f', which is not imported" in reasons(lonely)


def test_prerequisites_in_a_circle_leave_all_of_it_out() -> None:
    """And say where."""
    first = flag(key="a", prerequisites=[{"key": "b", "variation": 0}])
    second = flag(key="b", prerequisites=[{"key": "a", "variation": 0}])
    found = adopted(source(first, second, flag())).flags
    assert [it.outcome for it in found] == ["left out", "left out", "exactly"]
    assert "$.flags.a: its prerequisites run in a circle" in reasons(found[0])


REST: dict[str, Any] = {
    "items": [
        {
            "key": "new-nav",
            "name": "New navigation",
            "kind": "multivariate",
            "tags": ["web"],
            "variations": [{"value": "a", "name": "Old Nav"}, {"value": "b", "name": "New Nav"}],
            "environments": {
                "production": {"on": False, "offVariation": 0, "fallthrough": {"variation": 1}},
                "test": {
                    "on": True,
                    "offVariation": 0,
                    "fallthrough": {"variation": 0},
                    "rules": [{"variation": 1, "description": "QA", "clauses": [clause("team", "in", "qa")]}],
                },
            },
        },
        {"key": "old", "variations": [{"value": 1}], "archived": True, "environments": {}},
    ]
}


def test_the_rest_api_has_environments_of_its_own() -> None:
    """Those called alike are matched; the others are named."""
    read = read_launchdarkly({"flags.json": encoded(REST)})
    found, old = assert_alike(read, mapping={"test": "staging"})
    assert spec(found)["variants"] == {"Old-Nav": "a", "New-Nav": "b"}
    assert body(found) == {"off": True, "default": "New-Nav"}
    assert body(found, "staging")["rules"] == [{"name": "QA", "when": {"team": "qa"}, "serve": "New-Nav"}]
    assert spec(found)["description"] == "New navigation"
    assert "archived" in reasons(old)
    (alike, _) = adopted(read).flags
    assert list(spec(alike)["environments"]) == ["production"]
    with pytest.raises(UsageError, match="no environment 'moon'"):
        adopted(read, mapping={"moon": "staging"})


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"variations": []}, "it has no variations"),
        ({"variations": [True, "x"]}, "of the type boolean and string"),
        ({"variations": [[1], [2]]}, "of the type array"),
        ({"fallthrough": {"variation": 7}}, "$.flags.f.fallthrough.variation: there is no variation 7"),
        ({"fallthrough": None}, "`fallthrough` is missing"),
        ({"on": "yes"}, "$.flags.f.on: true or false is expected"),
        ({"rules": {}}, "$.flags.f.rules: a list is expected"),
        ({"rules": [{"clauses": [{"op": "in"}], "variation": 0}]}, "`attribute` is missing"),
        ({"targets": [{"variation": 0, "values": [1]}]}, "$.flags.f.targets[0].values[0]: text is expected"),
        ({"fallthrough": {"rollout": {"variations": [{"variation": 0, "weight": -1}]}}}, "a weight is negative"),
        ({"rules": [{"clauses": [clause("", "in", "x")], "variation": 0}]}, "an attribute without a name"),
    ],
)
def test_what_is_not_as_launchdarkly_has_it_is_left_out_with_its_place(fields: dict[str, Any], why: str) -> None:
    """One flag that is wrong does not keep the others out."""
    found, other = adopted(source(flag(**fields), flag(key="other"))).flags
    assert found.outcome == "left out"
    assert why in reasons(found)
    assert other.outcome == "exactly"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{}", "there are no flags in it"),
        (b'{"flags": 1}', r"\$\.flags: an object is expected"),
        (b'{"flags": {}, "segments": [{}], "flagValues": {"a": 1}}', "`key` is missing"),
        (b'{"segments": [{"key": "a"}, {"key": "a"}], "flagValues": {"a": 1}}', "a second segment"),
    ],
)
def test_what_is_no_file_of_launchdarkly_is_refused(data: bytes, why: str) -> None:
    """With a remedy."""
    with pytest.raises(UsageError, match=why) as refusal:
        read_launchdarkly({"f.json": data})
    assert refusal.value.remedy


def test_flags_that_are_only_a_value_are_flags() -> None:
    """As testers write them by hand, in YAML too."""
    read = read_launchdarkly({"f.yaml": b"flagValues:\n  greeting: hello\n  limit: 5\n  odd: [1]\n"})
    greeting, limit, odd = assert_alike(read)
    assert spec(greeting)["variants"] == {"hello": "hello"}
    assert spec(limit)["variants"] == {"5": 5}
    assert odd.outcome == "left out"


# Equality

_values: st.SearchStrategy[Any] = st.sampled_from(["a", "b", "", "1", 1, 0, 2.5, True, False, None])
_attributes = st.sampled_from(["plan", "seats", "/address/city", "key", "anonymous", "name"])
_clauses: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(
        lambda attribute, op, values, negate, kind: {
            "attribute": attribute,
            "op": op,
            "values": values,
            "negate": negate,
            **({"contextKind": kind} if kind else {}),
        },
        _attributes,
        st.sampled_from(
            ["in", "in", "startsWith", "endsWith", "contains", "lessThan", "greaterThanOrEqual", "before", "after"]
        ),
        st.lists(_values, max_size=3),
        st.booleans(),
        st.sampled_from([None, "user", "org"]),
    ),
    st.builds(
        lambda op, values, negate: {"attribute": "app", "op": op, "values": values, "negate": negate},
        st.sampled_from(["semVerEqual", "semVerLessThan", "semVerGreaterThan"]),
        st.lists(st.sampled_from(["1.2.3", "1.2", "2", "2.0.0-beta.1", "x", "v1"]), max_size=2),
        st.booleans(),
    ),
    st.builds(
        lambda values, negate: {"attribute": "", "op": "segmentMatch", "values": values, "negate": negate},
        st.lists(st.sampled_from(["s0", "s1", "gone"]), max_size=2),
        st.booleans(),
    ),
    st.builds(
        lambda values, negate: {"attribute": "kind", "op": "in", "values": values, "negate": negate},
        st.lists(st.sampled_from(["user", "org", "device"]), max_size=2),
        st.booleans(),
    ),
)
_rollouts = st.builds(
    lambda weights, by: {
        "rollout": {
            "variations": [{"variation": index, "weight": weight} for index, weight in enumerate(weights)],
            **({"bucketBy": by} if by else {}),
        }
    },
    st.lists(st.sampled_from([0, 10_000, 50_000, 100_000]), min_size=2, max_size=2),
    st.sampled_from([None, None, "plan"]),
)
_served = st.one_of(st.sampled_from([{"variation": 0}, {"variation": 1}]), _rollouts)
_rules = st.builds(lambda clauses, served: {"clauses": clauses, **served}, st.lists(_clauses, max_size=2), _served)
_keys = st.lists(st.sampled_from(["user", "user-1", "a"]), max_size=2)
_flags = st.builds(
    lambda rules, fallthrough, targets, others, off: flag(
        rules=rules,
        fallthrough=fallthrough,
        targets=[{"variation": index, "values": keys} for index, keys in enumerate(targets)],
        contextTargets=others,
        offVariation=off,
    ),
    st.lists(_rules, max_size=3),
    _served,
    st.lists(_keys, max_size=2),
    st.lists(
        st.builds(
            lambda kind, variation, keys: {"contextKind": kind, "variation": variation, "values": keys},
            st.sampled_from(["user", "org"]),
            st.sampled_from([0, 1]),
            _keys,
        ),
        max_size=3,
        unique_by=lambda target: (target["contextKind"], target["variation"]),
    ),
    st.sampled_from([0, 1]),
)
_segments = st.builds(
    lambda first, second: [{**first, "key": "s0"}, {**second, "key": "s1"}],
    *[
        st.builds(
            lambda included, excluded, rules: {"included": included, "excluded": excluded, "rules": rules},
            _keys,
            _keys,
            st.lists(st.builds(lambda clauses: {"clauses": clauses}, st.lists(_clauses, max_size=2)), max_size=2),
        )
    ]
    * 2,
)


@settings(max_examples=30)
@given(_flags, _flags, _segments, st.booleans(), st.sampled_from([0, 1]))
def test_whatever_is_imported_answers_as_launchdarkly_does(
    first: dict[str, Any], second: dict[str, Any], segments: object, on: bool, variation: int
) -> None:
    """For any flags, prerequisites and segments: by the SDK's evaluator, over contexts made from what they ask."""
    needed = {**second, "key": "needed", "on": on}
    first["prerequisites"] = [{"key": "needed", "variation": variation}]
    assert_alike(source(first, needed, segments=segments))


_json: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 10**20), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)


@given(st.data())
def test_nothing_in_a_file_breaks_the_importer(data: st.DataObject) -> None:
    """Whatever stands anywhere in a flag or a segment: a definition, a reason, or a refusal."""
    made, segments = deepcopy((data.draw(_flags), data.draw(_segments)))  # drawn parts are shared
    damaged = data.draw(st.sampled_from([made, *made["rules"], *made["targets"], made["fallthrough"], *segments]))
    damaged[data.draw(st.sampled_from([*damaged, "rollout", "clauses"]))] = data.draw(_json)
    assert_told(lambda: read_launchdarkly({"f.json": encoded({"flags": {"f": made}, "segments": segments})}))
