"""What becomes of another system's flags."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal.evaluation import FlagSet
from flagseal.evaluation.catalogue import Catalogue
from flagseal.evaluation.compile import compile_flag, compile_namespace
from flagseal.evaluation.resolve import resolve_flag
from flagseal_validators.exchange import read_flagd
from tests.evaluation.world import ENVIRONMENT, NAMESPACE, catalogue, values, worlds
from tests.exchange.taking import DOCUMENTS, NOW, flag, one, section, taken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.document import Document
    from flagseal_validators.exchange import Imported

X = {"var": "x"}
SHARED = {"staff": {"ends_with": [{"var": "email"}, "@example.com"]}}


@pytest.mark.parametrize(
    ("targeting", "rules"),
    [
        (None, None),
        ({"if": [{"===": [X, "acme"]}, "on"]}, [{"when": {"x": "acme"}, "serve": "on"}]),
        ({"if": [{"===": ["acme", X]}, "on", None]}, [{"when": {"x": "acme"}, "serve": "on"}]),
        ({"if": [{"in": [X, ["a", "b"]]}, True]}, None),
        ({"if": [{"in": [X, ["a", "b"]]}, "on", "off"]}, [
            {"when": {"x": {"in": ["a", "b"]}}, "serve": "on"},
            {"serve": "off"},
        ]),
        ({"if": [{"!": {"starts_with": [{"var": ["a.b"]}, "v"]}}, "on"]}, [
            {"when": {"not": {"a.b": {"startsWith": "v"}}}, "serve": "on"},
        ]),
        ({"if": [{"in": ["beta", X]}, "on"]}, [
            {"when": {"any": [{"x": {"hasSubstring": "beta"}}, {"x": {"contains": "beta"}}]}, "serve": "on"},
        ]),
        ({"if": [{"and": [{"!==": [X, None]}, {"or": [{"===": [X, 1]}, {"===": [X, True]}]}]}, "on"]}, [
            {"when": {"all": [{"x": {"exists": True}}, {"any": [{"x": 1}, {"x": True}]}]}, "serve": "on"},
        ]),
        ({"if": [{"===": [X, "a"]}, "on", {"===": [X, "b"]}, "off", {"if": [{"===": [X, "c"]}, "on"]}]}, [
            {"when": {"x": "a"}, "serve": "on"},
            {"when": {"x": "b"}, "serve": "off"},
            {"when": {"x": "c"}, "serve": "on"},
        ]),
        ({"fractional": [["on", 10], ["off", 90]]}, [
            {"split": [{"variant": "on", "weight": 10}, {"variant": "off", "weight": 90}]},
        ]),
        ({"if": [{"===": [X, "a"]}, {"fractional": [["on"], ["off", 0]]}]}, [
            {"when": {"x": "a"}, "split": [{"variant": "on", "weight": 1}]},
        ]),
        ({"if": [{"and": [{">=": [{"var": "$flagd.timestamp"}, 1790000000]}, {"===": [X, "a"]}]}, "on"]}, [
            {"from": "2026-09-21T14:13:20Z", "when": {"x": "a"}, "serve": "on"},
        ]),
        ({"if": [{"===": [{"var": "kubernetes.io/arch"}, "arm"]}, "on"]}, [
            {"when": {"attr": {"path": ["kubernetes", "io/arch"], "eq": "arm"}}, "serve": "on"},
        ]),
    ],
)  # fmt: skip
def test_what_means_the_same_becomes_rules(targeting: object, rules: list[dict[str, Any]] | None) -> None:
    """Rules without their names; the default where there are none, and raw where a boolean names no variant."""
    found = one(targeting)
    if targeting is not None and rules is None:
        assert found.outcome == "raw"
        return
    assert found.outcome == "exactly"
    made = section(found).get("rules", [])
    assert [{name: value for name, value in rule.items() if name != "name"} for rule in made] == (rules or [])
    assert found.comparison is not None
    assert found.comparison.differ == 0


@pytest.mark.parametrize(
    ("targeting", "why"),
    [
        ({"if": [{"==": [X, "acme"]}, "on"]}, "`==` converts what it compares"),
        ({"if": [{"<": [X, 18]}, "on"]}, "`<` converts what it compares, and holds for what is missing"),
        ({"if": [{"sem_ver": [X, ">=", "1.2.0"]}, "on"]}, "`sem_ver` takes numbers for versions"),
        ({"fractional": [X, ["on", 1], ["off", 1]]}, "hashed without a salt"),
        ({"fractional": [{"cat": [{"var": "$flagd.flagKey"}, X]}, ["on", 1], ["off", 1]]}, "without a salt"),
        ({"if": [{"===": [X, "a"]}, None, "on"]}, "get the default before later choices"),
        ({"if": [{"missing": ["x"]}, "on"]}, "`missing` has no predicate"),
        ({"if": [X, "on"]}, "has no predicate of the same meaning"),
        ({"===": [X, "a"]}, "`===` in the place of a variant"),
    ],
)
def test_what_may_mean_something_else_stays_raw_and_says_why(targeting: object, why: str) -> None:
    """Raw targeting keeps the meaning, whatever it is."""
    found = one(targeting)
    assert found.outcome == "raw"
    assert why in found.notes[0]
    assert section(found)["targeting"] == targeting
    assert found.comparison is not None
    assert found.comparison.differ == 0


def test_shared_rules_are_put_in_their_places() -> None:
    """A definition stands on its own: no reference is left, in rules and in raw targeting."""
    found = one({"if": [{"$ref": "staff"}, "on"]}, evaluators=SHARED)
    assert found.outcome == "exactly"
    assert section(found)["rules"][0]["when"] == {"email": {"endsWith": "@example.com"}}
    raw = one({"if": [{"and": [{"$ref": "staff"}, {"==": [X, 1]}]}, "on"]}, evaluators=SHARED)
    assert raw.outcome == "raw"
    assert "$ref" not in json.dumps(section(raw))
    assert one({"if": [{"$ref": "nobody"}, "on"]}, evaluators=SHARED).outcome == "left out"


def test_strict_equality_is_a_choice_whose_price_is_counted() -> None:
    """Asked for, `==` becomes a rule; contexts that it answers otherwise are counted and one is shown."""
    (found,) = taken({"f": flag({"if": [{"==": [X, "1"]}, "on"]})}, strict_equality=True)
    assert found.outcome == "changed"
    assert section(found)["rules"][0]["when"] == {"x": "1"}
    assert found.comparison is not None
    assert found.comparison.differ > 0
    assert found.comparison.example is not None


def test_a_disabled_flag_is_served_nowhere() -> None:
    """Applications got their own default, and go on getting it; that the word for it differs is told."""
    found = one({"if": [{"===": [X, "a"]}, "on"]}, state="DISABLED")
    assert found.outcome == "changed"
    assert found.document is not None
    spec: Any = found.document.spec
    assert spec["environments"] == {}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"defaultVariant": None}, "no default variant"),
        ({"defaultVariant": "gone"}, "gone"),
        ({"variants": {}}, "no evaluator reads it"),
        ({"variants": {"on": True, "o n": False}, "defaultVariant": "on"}, "variants"),
        ({"variants": {"on": [1]}, "defaultVariant": "on"}, "variants"),
        ({"state": "MAYBE"}, "state"),
        ({"targeting": {"if": [{"starts_with": ["a"]}, "on"]}}, "arguments"),
    ],
    ids=["no default", "unknown default", "no variants", "odd name", "a list", "odd state", "odd arguments"],
)
def test_what_has_no_form_here_is_left_out_and_says_why(fields: dict[str, Any], why: str) -> None:
    """Nothing is guessed."""
    found = one(**fields)
    assert found.outcome == "left out"
    assert found.document is None
    assert why in " ".join(found.notes)


def test_governance_comes_from_metadata_and_otherwise_from_options() -> None:
    """What the origin says in our words counts; what it cannot say is assumed; the rest is named as lost."""
    metadata = {"owner": "team-payments", "riskTier": "sensitive", "expires": "soon", "version": "7"}
    found = one(None, metadata=metadata)
    assert found.document is not None
    spec: Any = found.document.spec
    assert (spec["owner"], spec["riskTier"], spec["expires"]) == ("team-payments", "sensitive", "2027-03-31")
    assert spec["safeVariant"] == "off"
    assert found.notes == ("metadata not kept: expires, version",)
    (stranger,) = taken({"f": flag(metadata={"owner": "them"})}, owner=None)
    assert stranger.outcome == "left out"


def test_names_are_made_of_keys_and_never_taken_twice() -> None:
    """The key stays what applications ask for; names are DNS labels, and unique in the repository."""
    found = taken({key: flag() for key in ("newCheckout", "new_checkout", "plain")})
    names = [it.document.name for it in found if it.document is not None]
    assert names == ["new-checkout", "new-checkout-2", "plain"]
    specs: list[Any] = [it.document.spec for it in found if it.document is not None]
    assert [spec.get("key") for spec in specs] == ["newCheckout", "new_checkout", None]
    (taken_already,) = taken({"new-checkout": flag()}, existing=DOCUMENTS)
    assert taken_already.outcome == "left out"
    assert "FlagDefinition/payments/new-checkout" in taken_already.notes[0]


def test_another_way_of_hashing_is_reported_with_who_moves() -> None:
    """The split is kept; that people move is told, and how many of the generated ones."""
    split = {"fractional": [["on", 50], ["off", 50]]}
    (found,) = taken({"f": flag(split)}, bucketing="v1")
    assert found.outcome == "exactly"
    assert found.moved is not None
    assert found.moved.differ > 50
    assert any("splits hash by v1 there" in note for note in found.notes)
    (same,) = taken({"f": flag(split)}, bucketing="v2")
    assert same.moved is None


# Equality


def answers(document: Mapping[str, Any], key: str, context: Mapping[str, object]) -> tuple[object, ...]:
    """Evaluate one side."""
    found = FlagSet.load(document, clock=lambda: NOW).evaluate(key, context)
    return json.dumps(found.value), found.variant, found.reason, found.error_code


def compiled(found: Imported) -> dict[str, Any]:
    """Compile a definition that was imported."""
    assert found.document is not None
    index = Catalogue.of([found.document])
    definition = next(iter(index.flags.values()))
    return {"flags": {found.key: compile_flag(resolve_flag(definition, "production", index), definition, None)}}


_texts = st.sampled_from(["acme", "a", "1", "beta", ""])
_vars = st.sampled_from(["org", "age", "tags", "user.plan"]).map(lambda path: {"var": path})
_scalars = st.one_of(_texts, st.sampled_from([0, 1, 18, 1.5]), st.booleans(), st.none())
_leaves = st.one_of(
    st.tuples(st.sampled_from(["==", "===", "!=", "!==", "<", ">="]), _vars, _scalars).map(
        lambda it: {it[0]: [it[1], it[2]]}
    ),
    st.tuples(_vars, st.lists(_scalars, max_size=3)).map(lambda it: {"in": [it[0], it[1]]}),
    st.tuples(_texts, _vars).map(lambda it: {"in": [it[0], it[1]]}),
    st.tuples(st.sampled_from(["starts_with", "ends_with"]), _vars, _texts).map(lambda it: {it[0]: [it[1], it[2]]}),
    _vars,
    st.booleans(),
)
_logic = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)).map(
            lambda it: {it[0]: it[1]}
        ),
        inner.map(lambda it: {"!": [it]}),
    ),
    max_leaves=4,
)
_served: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(["on", "off", None, "nothing", True]),
    st.just({"fractional": [["on", 25], ["off", 75]]}),
    st.just({"fractional": [{"var": "org"}, ["on", 25], ["off", 75]]}),
)
_targeting = st.recursive(
    st.lists(st.tuples(_logic, _served), min_size=1, max_size=2).flatmap(
        lambda pairs: _served.map(lambda last: {"if": [*(part for pair in pairs for part in pair), last]})
    ),
    lambda inner: st.tuples(_logic, inner, _served).map(lambda it: {"if": list(it)}),
    max_leaves=2,
)
_contexts = st.dictionaries(st.sampled_from(["org", "age", "tags", "user", "targetingKey"]), values(json_only=True))


@given(_targeting, st.lists(_contexts, min_size=1, max_size=5))
def test_whatever_is_imported_answers_as_before(targeting: dict[str, Any], contexts: list[dict[str, object]]) -> None:
    """For any logic and any context, hostile ones too: what is kept, as rules or raw, gives the same answers."""
    found = one(targeting)
    if found.document is None:
        return
    assert found.outcome in {"exactly", "raw"}
    before, after = {"flags": {"f": flag(targeting)}}, compiled(found)
    for context in contexts:
        assert answers(before, "f", context) == answers(after, "f", context), context


@given(worlds())
def test_what_was_exported_comes_back_with_the_same_answers(documents: tuple[Document, ...]) -> None:
    """Any flag of ours, compiled and imported: as rules or raw."""
    index = catalogue(documents)
    exported = json.loads(compile_namespace(index, NAMESPACE, ENVIRONMENT, bucketing="v2", approvals={}))
    main = exported["flags"]["main"]
    (found,) = taken({"main": main})
    if found.comparison is None:
        # Prerequisites of prerequisites are written into one another, and a file may nest less than a flagd document.
        assert found.outcome == "left out"
        assert "nesting is deeper" in found.notes[0]
        return
    assert found.outcome in {"exactly", "raw"}
    assert found.comparison.differ == 0


def test_the_samples_rules_come_back_as_rules() -> None:
    """Everything but prerequisites and raw targeting survives a round trip as something one can read."""
    index = Catalogue.of(DOCUMENTS)
    kinds: dict[str, str] = {}
    for namespace in ("analytics", "payments", "platform", "storefront"):
        exported = json.loads(compile_namespace(index, namespace, "production", bucketing="v2", approvals={}))
        kinds |= {found.key: found.outcome for found in taken(exported["flags"])}
    assert {key for key, outcome in kinds.items() if outcome != "exactly"} == {
        "instant-refunds",  # has a prerequisite
        "advanced-analytics",  # grants are alternatives, each with times of its own
        "ai-insights",
    }
    assert set(kinds.values()) == {"exactly", "raw"}


def test_the_testbeds_flags_keep_their_answers() -> None:
    """Of flagd's own conformance flags: whatever has a form here answers as before."""
    place = os.environ.get("FLAGD_TESTBED")
    if not place:
        pytest.skip("FLAGD_TESTBED does not say where the testbed lies")
    data = (Path(place) / "testkit-flags.json").read_bytes()
    source = read_flagd(data, file="testkit-flags.json")
    found = taken(dict(source.flags), evaluators=dict(source.evaluators))
    kept = [it for it in found if it.comparison is not None]
    assert len(kept) > 30
    assert [it.key for it in kept if it.comparison is not None and it.comparison.differ] == []
