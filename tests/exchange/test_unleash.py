"""Toggles of Unleash: read as its clients evaluate them."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagseal.model.errors import UsageError
from flagseal_validators.exchange.unleash import read_unleash
from tests.exchange.adopting import adopted, assert_alike, assert_told, body, encoded, reasons, rules, spec

if TYPE_CHECKING:
    from flagseal_validators.exchange import Imported, NeutralSource


def toggle(*strategies: dict[str, Any], **fields: object) -> dict[str, Any]:
    """Write a toggle as clients fetch it."""
    return {"name": "f", "enabled": True, "strategies": list(strategies), **fields}


def strategy(name: str = "default", *constraints: dict[str, Any], **fields: object) -> dict[str, Any]:
    """Write a strategy."""
    return {"name": name, "constraints": list(constraints), **fields}


def rollout(percent: int, stickiness: str = "default", **fields: object) -> dict[str, Any]:
    """Write a gradual rollout."""
    parameters = {"rollout": str(percent), "stickiness": stickiness, "groupId": "f"}
    return {"name": "flexibleRollout", "parameters": parameters, **fields}


def constraint(name: str, operator: str, *values: str, **fields: object) -> dict[str, Any]:
    """Write a constraint: with a list of values, or with one."""
    listed = operator in {"IN", "NOT_IN"} or operator.startswith("STR_")
    return {
        "contextName": name,
        "operator": operator,
        **({"values": [*values]} if listed else {"value": values[0]}),
        **fields,
    }


def source(*toggles: dict[str, Any], segments: object = ()) -> NeutralSource:
    """Read toggles as clients fetch them."""
    return read_unleash(encoded({"version": 2, "features": [*toggles], "segments": segments}), file="f.json")


def one(*strategies: dict[str, Any], segments: object = (), **fields: object) -> Imported:
    """Import a toggle, and see that both sides agree."""
    return assert_alike(source(toggle(*strategies, **fields), segments=segments))[0]


@pytest.mark.parametrize(
    ("written", "when"),
    [
        (constraint("plan", "IN", "pro", "team"), {"plan": {"in": ["pro", "team"]}}),
        (constraint("plan", "NOT_IN", "pro"), {"not": {"plan": "pro"}}),
        (constraint("plan", "NOT_IN", "pro", inverted=True), {"plan": "pro"}),
        (constraint("userId", "IN", "u1"), {"targetingKey": "u1"}),
        (constraint("email", "STR_ENDS_WITH", "@a.de", inverted=True), {"not": {"email": {"endsWith": "@a.de"}}}),
        (constraint("email", "STR_CONTAINS", "@", caseInsensitive=True), {"email": {"hasSubstring": "@"}}),
        (constraint("seats", "NUM_GTE", "5"), {"seats": {"gte": 5}}),
        (constraint("seats", "NUM_EQ", "2.5"), {"seats": 2.5}),
        (constraint("app", "SEMVER_LT", "2.1.0"), {"app": {"semver": "<2.1.0"}}),
    ],
)
def test_constraints_become_conditions(written: dict[str, Any], when: dict[str, Any]) -> None:
    """One that a person can read, and the same answers."""
    found = one(strategy("default", written))
    assert found.outcome == "exactly"
    assert rules(found) == [{"when": when, "serve": "enabled"}]
    assert (body(found)["default"], spec(found)["safeVariant"]) == ("disabled", "disabled")


def test_the_current_time_bounds_the_rule() -> None:
    """What asks for the time has a place of its own here, in a segment too."""
    after = constraint("currentTime", "DATE_AFTER", "2026-10-01T00:00:00.000Z")
    before = constraint("currentTime", "DATE_AFTER", "2026-11-01T02:00:00+02:00", inverted=True)
    found = one(strategy("default", after, before))
    bounds = {"from": "2026-10-01T00:00:00Z", "until": "2026-11-01T00:00:00Z"}
    assert rules(found) == [{**bounds, "serve": "enabled"}]
    plan = constraint("plan", "IN", "pro")
    within = one(strategy(segments=[7]), segments=[{"id": 7, "constraints": [after, before, plan]}])
    assert rules(within) == [{**bounds, "when": {"plan": "pro"}, "serve": "enabled"}]


def test_strategies_are_alternatives() -> None:
    """Without any, everyone; shares come last, since for on and off their order does not count."""
    assert rules(one()) == [{"serve": "enabled"}]
    named = strategy("userWithId", parameters={"userIds": "u1, u2,"})
    found = one(rollout(25), named, strategy("remoteAddress", parameters={"IPs": "10.0.0.0/8, 127.0.0.1, x"}))
    assert found.outcome == "changed"
    assert [remark.kind for remark in found.remarks] == ["note", "rebucketed"]
    assert rules(found) == [
        {"when": {"targetingKey": {"in": ["u1", "u2"]}}, "serve": "enabled"},
        {
            "when": {"any": [{"remoteAddress": {"startsWith": "10."}}, {"remoteAddress": "127.0.0.1"}]},
            "serve": "enabled",
        },
        {"split": [{"variant": "enabled", "weight": 1}, {"variant": "disabled", "weight": 3}], "salt": "f"},
    ]
    assert rules(one(rollout(100))) == [{"serve": "enabled"}]
    assert rules(one(rollout(100, "org"))) == [{"when": {"org": {"exists": True}}, "serve": "enabled"}]
    assert rules(one(rollout(0))) == []


def test_a_chain_of_shares_is_kept_as_raw_targeting() -> None:
    """Whom the first keeps out the second may let in, and no rule passes on."""
    found = one(rollout(25, "userId"), rollout(50, "org"))
    assert found.outcome == "changed"
    assert "targeting" in body(found)
    assert "raw targeting" in reasons(found)


def test_a_toggle_that_is_off_keeps_its_strategies_for_later() -> None:
    """Off here too."""
    found = one(strategy("default", constraint("plan", "IN", "pro")), enabled=False)
    assert found.outcome == "exactly"
    assert body(found)["off"] is True
    assert rules(found) == [{"when": {"plan": "pro"}, "serve": "enabled"}]


def test_segments_become_segments() -> None:
    """By their names; what one that is missing means depends on the client."""
    segments = [{"id": 3, "name": "Beta users", "constraints": [constraint("plan", "IN", "pro")]}]
    read = source(toggle(strategy("default", constraint("seats", "NUM_GT", "3"), segments=[3])), segments=segments)
    (found,) = assert_alike(read)
    assert rules(found) == [{"when": {"seats": {"gt": 3}, "segment": "beta-users"}, "serve": "enabled"}]
    assert [document.name for document, _ in adopted(read).segments] == ["beta-users"]
    assert one(strategy(segments=[4]), segments=segments).outcome == "left out"


BLUE = {"name": "blue", "weight": 500, "payload": {"type": "string", "value": "#00f"}}
RED = {"name": "red", "weight": 500, "payload": {"type": "string", "value": "#f00"}}


def test_variants_are_values_and_the_toggle_one_flag() -> None:
    """Payloads are what is served, by the first strategy that lets in; overrides come first."""
    override = {"contextName": "userId", "values": ["u9"]}
    found = one(strategy("default", constraint("plan", "IN", "pro")), variants=[BLUE, {**RED, "overrides": [override]}])
    assert spec(found)["variants"] == {"disabled": "", "blue": "#00f", "red": "#f00"}
    assert rules(found) == [
        {"when": {"plan": "pro", "targetingKey": "u9"}, "serve": "red"},
        {
            "when": {"plan": "pro"},
            "split": [{"variant": "blue", "weight": 1}, {"variant": "red", "weight": 1}],
            "salt": "f:variants",
        },
    ]
    own = one(strategy(variants=[{"name": "green", "weight": 1000}]), variants=[BLUE])
    assert "each variant's name is served" in reasons(own)
    assert rules(own) == [{"serve": "green"}]
    gated = one(rollout(50), variants=[BLUE, RED])
    assert rules(gated)[0]["split"] == [
        {"variant": "blue", "weight": 1},
        {"variant": "red", "weight": 1},
        {"variant": "disabled", "weight": 2},
    ]


@pytest.mark.parametrize(
    ("payloads", "values"),
    [
        ([("number", "1"), ("number", "2.5")], {"disabled": 0, "a": 1, "b": 2.5}),
        ([("json", '{"x": 1}'), ("json", "{}")], {"disabled": {}, "a": {"x": 1}, "b": {}}),
        ([("json", "[1]"), ("json", "{}")], {"disabled": "disabled", "a": "a", "b": "b"}),
        ([("number", "x"), ("number", "1")], {"disabled": "disabled", "a": "a", "b": "b"}),
    ],
)
def test_payloads_have_the_type_that_they_say(payloads: list[tuple[str, str]], values: dict[str, object]) -> None:
    """All of one, or else names are served."""
    variants = [
        {"name": name, "weight": 500, "payload": {"type": kind, "value": value}}
        for name, (kind, value) in zip("ab", payloads, strict=True)
    ]
    assert spec(one(variants=variants))["variants"] == values


def test_parents_are_required() -> None:
    """On, off, or one variant; any of several has no form."""
    parent = toggle(strategy("default", constraint("plan", "IN", "pro")), name="parent")
    colours = toggle(name="colours", variants=[BLUE, RED])

    def child(**needs: object) -> Imported:
        read = source(parent, colours, toggle(dependencies=[{"feature": "parent", **needs}]))
        return assert_alike(read)[2]

    assert body(child())["requires"] == [{"flag": "parent", "variant": "enabled"}]
    assert body(child(enabled=False))["requires"] == [{"flag": "parent", "variant": "disabled"}]
    assert body(child(feature="colours", variants=["red"]))["requires"] == [{"flag": "colours", "variant": "red"}]
    assert child(feature="colours").outcome == "left out"
    assert child(feature="nobody").outcome == "left out"


NEW_EXPORT: dict[str, Any] = {
    "features": [{"name": "checkout", "type": "release", "description": "The new one.", "project": "default"}],
    "featureStrategies": [
        {
            "id": "1",
            "featureName": "checkout",
            "name": "flexibleRollout",
            "title": "Pros",
            "parameters": {"rollout": "100", "stickiness": "default", "groupId": "checkout"},
            "constraints": [constraint("plan", "IN", "pro")],
            "segments": [],
            "variants": [],
        },
        {"id": "2", "featureName": "checkout", "name": "default", "disabled": True},
    ],
    "featureEnvironments": [{"featureName": "checkout", "environment": "production", "enabled": True, "variants": []}],
    "contextFields": [],
    "featureTags": [],
    "segments": [],
    "tagTypes": [],
    "dependencies": [],
}
OLD_EXPORT: dict[str, Any] = {
    "version": 4,
    "features": [{"name": "checkout", "variants": None}],
    "featureStrategies": [
        {"id": "1", "featureName": "checkout", "strategyName": "default", "environment": "production"},
        {"id": "2", "featureName": "checkout", "strategyName": "userWithId", "environment": "development",
         "parameters": {"userIds": "u1"}},
    ],
    "featureEnvironments": [
        {"featureName": "checkout", "environment": "production", "enabled": False},
        {"featureName": "checkout", "environment": "development", "enabled": True},
    ],
    "segments": [{"id": 1, "name": "pros", "constraints": [constraint("plan", "IN", "pro")]}],
    "featureStrategySegments": [{"featureStrategyId": "1", "segmentId": 1}],
}  # fmt: skip


def test_exports_of_either_age_are_read() -> None:
    """The new one of an environment, the old one of all of them."""
    (new,) = assert_alike(read_unleash(encoded(NEW_EXPORT), file="e.json"))
    expected = [{"name": "Pros", "when": {"plan": "pro"}, "serve": "enabled"}]
    assert body(new)["rules"] == body(new, "staging")["rules"] == expected
    assert spec(new)["description"] == "The new one."
    old = read_unleash(encoded(OLD_EXPORT), file="e.json")
    (found,) = assert_alike(old, mapping={"development": "staging"})
    assert body(found)["off"] is True
    assert rules(found) == [{"when": {"segment": "pros"}, "serve": "enabled"}]
    assert body(found, "staging")["rules"][0]["when"] == {"targetingKey": "u1"}
    (alone,) = adopted(old).flags
    assert list(spec(alone)["environments"]) == ["production"]


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (strategy("applicationHostname"), "on which host"),
        (strategy("myOwn"), "a strategy of your own"),
        (strategy("remoteAddress", parameters={"IPs": "10.0.0.0/9"}), "the network 10.0.0.0/9"),
        (strategy("default", constraint("a", "LIKE", "b")), "the operator 'LIKE'"),
        (strategy("default", constraint("a", "STR_CONTAINS", "b", caseInsensitive=True)), "letter case"),
        (strategy("default", constraint("currentTime", "DATE_AFTER", "soon")), "'soon' is no time"),
        (strategy("default", constraint("currentTime", "DATE_AFTER", "9999-12-31T00:00:00Z")), "no time between"),
        (strategy("default", constraint("a", "IN", "b", values=[1])), "values[0]: text is expected"),
        (strategy("default", disabled=True), "all of its strategies are disabled"),
        (strategy("default", constraint("a.b", "IN", "b")), "a.b"),
    ],
)
def test_what_has_no_form_leaves_the_toggle_out_with_its_place(written: dict[str, Any], why: str) -> None:
    """One that is wrong does not keep the others out."""
    found, other = adopted(source(toggle(written), toggle(name="other"))).flags
    assert found.outcome == "left out"
    assert "$.features[0]" in reasons(found)
    assert why in reasons(found)
    assert other.outcome == "exactly"


def test_an_export_without_the_constraints_of_its_segments_says_what_to_add() -> None:
    """The new export names segments only."""
    export = {**NEW_EXPORT, "segments": [{"id": 5, "name": "x"}]}
    export["featureStrategies"] = [{**NEW_EXPORT["featureStrategies"][0], "segments": [5]}]
    (found,) = adopted(read_unleash(encoded(export), file="e.json")).flags
    assert "add it as /api/admin/segments has it" in reasons(found)


def test_dates_of_others_and_chance_are_told() -> None:
    """They are answered otherwise, and the report says how."""
    dated = adopted(
        source(toggle(strategy("default", constraint("born", "DATE_BEFORE", "2026-01-01T00:00:00Z"))))
    ).flags
    assert dated[0].outcome == "changed"
    assert rules(dated[0])[0]["when"] == {"born": {"before": "2026-01-01T00:00:00Z"}}
    assert "must be unix seconds here" in reasons(dated[0])
    (chance,) = adopted(source(toggle(rollout(50, "random")))).flags
    assert "chance decides" in reasons(chance)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{}", "`features` is missing"),
        (b'{"features": 1}', "a list is expected"),
        (b'{"features": [{"name": "a"}]}', "`enabled` is missing"),
        (b'{"features": [{"name": "a", "enabled": true}, {"name": "a", "enabled": true}]}', "a second feature"),
        (b'{"toggles": []}', "`features` is missing"),
        (b"a: 1\n---\nb: 1\n", "one document is expected"),
        (b'{"features": 1e999}', "beyond what computers hold"),
        (b'{"features": "\\ud800"}', "half a surrogate pair"),
        (b'{"features": ' + b"[" * 70 + b"]" * 70 + b"}", "nesting is deeper than 64"),
        (b'{"features": [], "features": []}', "occurs twice"),
        (b" " * (16 * 1024 * 1024) + b"{}", "larger than"),
    ],
    ids=range(11),
)
def test_what_is_no_export_of_unleash_is_refused(data: bytes, why: str) -> None:
    """With the place and a remedy."""
    with pytest.raises(UsageError) as refusal:
        read_unleash(data if not data.startswith(b" ") else b"{" + data, file="f.json")
    assert why in refusal.value.message
    assert refusal.value.remedy


# Equality

_texts = st.sampled_from(["a", "b", "ab", "1", "x@y.z", ""])
_constraints: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(
        lambda name, operator, values, inverted: {
            "contextName": name, "operator": operator, "values": values, "inverted": inverted,
        },
        st.sampled_from(["plan", "userId", "sessionId"]),
        st.sampled_from(["IN", "NOT_IN", "STR_CONTAINS", "STR_STARTS_WITH", "STR_ENDS_WITH"]),
        st.lists(_texts, max_size=2),
        st.booleans(),
    ),
    st.builds(
        lambda operator, value, inverted: constraint("seats", operator, value, inverted=inverted),
        st.sampled_from(["NUM_EQ", "NUM_GT", "NUM_GTE", "NUM_LT", "NUM_LTE"]),
        st.sampled_from(["5", "-1", "2.5", "x"]),
        st.booleans(),
    ),
    st.builds(
        lambda operator, value, inverted: constraint("app", operator, value, inverted=inverted),
        st.sampled_from(["SEMVER_EQ", "SEMVER_GT", "SEMVER_LT"]),
        st.sampled_from(["1.2.3", "2.0.0-beta.1", "v1.2.3"]),
        st.booleans(),
    ),
    st.builds(
        lambda operator, value, inverted: constraint("currentTime", operator, value, inverted=inverted),
        st.sampled_from(["DATE_AFTER", "DATE_BEFORE"]),
        st.sampled_from(["2026-01-01T00:00:00Z", "2026-12-01T00:00:00.500Z"]),
        st.booleans(),
    ),
)  # fmt: skip
_variants = st.lists(st.sampled_from([BLUE, RED, {**RED, "name": "none", "weight": 0}]), max_size=3, unique_by=str)
_strategies: st.SearchStrategy[dict[str, Any]] = st.builds(
    lambda own, constraints, segments, variants: {
        **own, "constraints": constraints, "segments": segments, **({"variants": variants} if variants else {}),
    },
    st.one_of(
        st.sampled_from([
            {"name": "default"},
            {"name": "userWithId", "parameters": {"userIds": "user, user-1"}},
            {"name": "remoteAddress", "parameters": {"IPs": "10.0.0.0/8, ::1"}},
            {"name": "gradualRolloutUserId", "parameters": {"percentage": "30", "groupId": "g"}},
        ]),
        st.builds(rollout, st.sampled_from([0, 30, 100]), st.sampled_from(["default", "userId", "org"])),
    ),
    st.lists(_constraints, max_size=2),
    st.lists(st.sampled_from([1, 2, 9]), max_size=1),
    _variants.filter(lambda found: any(variant["weight"] for variant in found) or not found),
)  # fmt: skip
_toggles = st.builds(
    lambda strategies, variants, enabled: toggle(*strategies, variants=variants, enabled=enabled),
    st.lists(_strategies, max_size=3),
    _variants.filter(lambda found: any(variant["weight"] for variant in found) or not found),
    st.sampled_from([True, True, True, False]),
)
_segments = st.builds(
    lambda first, second: [{"id": 1, "constraints": first}, {"id": 2, "name": "two", "constraints": second}],
    st.lists(_constraints, max_size=2),
    st.lists(_constraints, max_size=2),
)


@settings(max_examples=40)
@given(_toggles, _toggles, _segments)
def test_whatever_is_imported_answers_as_unleash_does(
    first: dict[str, Any], second: dict[str, Any], segments: object
) -> None:
    """For any toggles and segments: by the engine of Unleash's clients, over contexts and times that they ask for."""
    second["name"] = "other"
    assert_alike(source(first, second, segments=segments))


_json: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 10**20), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)


@given(st.data())
def test_nothing_in_a_file_breaks_the_importer(data: st.DataObject) -> None:
    """Whatever stands anywhere in a toggle, a segment or an export: a definition, a reason, or a refusal."""
    made, segments = deepcopy((data.draw(_toggles), data.draw(_segments)))  # drawn parts are shared
    parts: list[dict[str, Any]] = [made, *segments, *made["strategies"], *made["variants"]]
    parts += [one for strategy in made["strategies"] for one in strategy["constraints"]]
    damaged = data.draw(st.sampled_from(parts))
    damaged[data.draw(st.sampled_from([*damaged, "parameters", "dependencies", "overrides", "payload"]))] = data.draw(
        _json
    )
    assert_told(lambda: source(made, segments=segments))
    export = {**OLD_EXPORT, data.draw(st.sampled_from([*OLD_EXPORT])): data.draw(_json)}
    assert_told(lambda: read_unleash(encoded(export), file="e.json"))
