"""The compiled form, piece by piece, as the table of compat.md has it; and its bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.evaluation import FlagSet
from flagseal.evaluation.compile import (
    _VERSIONS_KEPT,
    _memory,
    compile_environment,
    compile_flag,
    compile_namespace,
)
from flagseal.evaluation.emit import emit
from flagseal.evaluation.resolve import Catalogue, resolve_flag
from flagseal.evaluation.resolved import ResolvedRule, Window
from flagseal.model.canonical import canonical_json, sha256_digest
from flagseal.model.condition import ALWAYS, NEVER, AllOf, AnyOf, Negation, Test
from flagseal.model.errors import CompileError
from flagseal.model.flag import Serve
from tests.evaluation.test_resolve import ENTITLED, binding, rule
from tests.evaluation.world import ENVIRONMENT, NAMESPACE, flag_document

if TYPE_CHECKING:
    from flagseal.evaluation.resolved import ResolvedCondition
    from flagseal.model.document import Document

X: dict[str, Any] = {"var": "x"}
TEXT: dict[str, Any] = {"starts_with": [X, ""]}
NUMBER: list[Any] = [
    {"!": [TEXT]},
    {"in": [X, {"merge": [X]}]},
    {"!": [{"starts_with": [{"cat": [X]}, "[object"]}]},
    {"===": [{"+": [X]}, X]},
    {"!": [{"in": [{"cat": [X]}, ["true", "false", "True", "False"]]}]},
]
NOW: dict[str, Any] = {"var": "$flagd.timestamp"}

EMITTED: list[tuple[ResolvedCondition, Any]] = [
    (Test(("x",), "eq", "acme"), {"===": [X, "acme"]}),
    (Test(("x",), "eq", 5), {"===": [X, 5]}),
    (Test(("x",), "eq", 1), {"and": [{"===": [X, 1]}, NUMBER[-1]]}),
    (Test(("x",), "eq", True), {"and": [{"===": [X, True]}, {"in": [{"cat": [X]}, ["true", "True"]]}]}),
    (Test(("x",), "ne", "acme"), {"and": [TEXT, {"!==": [X, "acme"]}]}),
    (Test(("x",), "in", ("a", "b")), {"in": [X, ["a", "b"]]}),
    (Test(("x",), "in", ("a", 0)), {"or": [{"in": [X, ["a"]]}, {"and": [{"===": [X, 0]}, NUMBER[-1]]}]}),
    (Test(("x",), "notIn", ("a", "b")), {"and": [TEXT, {"!": [{"in": [X, ["a", "b"]]}]}]}),
    (Test(("x",), "notIn", (5, 6)), {"and": [*NUMBER, {"!": [{"in": [X, [5, 6]]}]}]}),
    (Test(("x",), "lt", 18), {"and": [*NUMBER, {"<": [X, 18]}]}),
    (Test(("x",), "before", 1790000000), {"and": [*NUMBER, {"<": [X, 1790000000]}]}),
    (
        Test(("x",), "contains", "beta"),
        {"and": [{"!==": [X, "beta"]}, {"some": [{"merge": [X]}, {"===": [{"var": ""}, "beta"]}]}]},
    ),
    (Test(("x",), "hasSubstring", "beta"), {"and": [TEXT, {"in": ["beta", X]}]}),
    (Test(("x",), "startsWith", "be"), {"starts_with": [X, "be"]}),
    (Test(("x",), "semver", ">= v1.2"), {"and": [TEXT, {"sem_ver": [X, ">=", "1.2.0"]}]}),
    (Test(("x",), "exists", True), {"!==": [X, None]}),
    (Test(("x",), "exists", False), {"===": [X, None]}),
    (Test(("user", "plan"), "eq", "pro"), {"===": [{"var": "user.plan"}, "pro"]}),
    (Window(5, 9), {"and": [{">=": [NOW, 5]}, {"<": [NOW, 9]}]}),
    (Window(None, 9), {"<": [NOW, 9]}),
    (Window(None, None), True),
    (ALWAYS, True),
    (NEVER, False),
    (AnyOf((NEVER, Test(("x",), "eq", "a"))), {"===": [X, "a"]}),
    (AllOf((NEVER, Test(("x",), "eq", "a"))), False),
    (Negation(NEVER), True),
    (Negation(Test(("x",), "eq", "a")), {"!": [{"===": [X, "a"]}]}),
]


@pytest.mark.parametrize(("condition", "expected"), EMITTED, ids=lambda it: repr(it)[:50])
def test_conditions_are_guarded_so_that_evaluators_agree(condition: ResolvedCondition, expected: object) -> None:
    """Each predicate in its compiled form."""
    assert emit(condition) == expected


def index_of(section: dict[str, Any], *others: Document, **spec: object) -> Catalogue:
    """Index a flag of one section, and others."""
    return Catalogue.of([flag_document("main", {"default": "off", **section}, **spec), *others])


def compiled(section: dict[str, Any], *others: Document, **spec: object) -> dict[str, Any]:
    """Compile a flag of one section."""
    index = index_of(section, *others, **spec)
    definition = index.flags[f"{NAMESPACE}/main"]
    return compile_flag(resolve_flag(definition, ENVIRONMENT, index), definition, None)


def guard(path: str) -> dict[str, Any]:
    """Write the guard of a split."""
    return {"and": [{"starts_with": [{"var": path}, ""]}, {"!==": [{"var": path}, ""]}]}


def test_a_split_has_a_literal_salt_and_a_guarded_key() -> None:
    """Never the shorthand, whose buckets move with the flag's key."""
    targeting = compiled({"rules": [{"name": "r", "split": {"on": 10, "off": 90}, "by": "org"}]})["targeting"]
    key = {"cat": ["main", {"var": "org"}]}
    assert targeting == {"if": [guard("org"), {"fractional": [key, ["on", 10], ["off", 90]]}, None]}


def test_a_flag_without_rules_has_no_targeting() -> None:
    """It is static everywhere."""
    assert "targeting" not in compiled({})
    assert compiled({"default": "on", "off": True})["defaultVariant"] == "off"


def test_one_variant_for_everyone_is_a_rule_that_always_matches() -> None:
    """The default stays what it is."""
    flag = compiled(rule())
    assert (flag["targeting"], flag["defaultVariant"]) == ({"if": [True, "on"]}, "off")


def test_a_ramp_is_one_condition_and_a_choice_by_time() -> None:
    """Not one copy of its condition for each step."""
    ramp = {
        "variant": "on",
        "from": 0,
        "to": 20,
        "start": "2026-09-01T00:00:00Z",
        "end": "2026-09-03T00:00:00Z",
        "steps": 2,
    }
    targeting = compiled(
        {"rules": [{"name": "r", "ramp": {**ramp, "by": "org"}, "when": {"x": "a"}}, {"name": "z", "serve": "half"}]}
    )
    start, day = 1788220800, 86_400
    split = [
        {"if": [guard("org"), {"fractional": [{"cat": ["main", {"var": "org"}]}, *arms]}, None]}
        for arms in ([["off", 100]], [["on", 10], ["off", 90]], [["on", 20], ["off", 80]])
    ]
    steps = {"if": [{"<": [NOW, start + day]}, split[0], {"<": [NOW, start + 2 * day]}, split[1], split[2]]}
    condition = {"and": [{">=": [NOW, start]}, {"===": [X, "a"]}]}
    assert targeting["targeting"] == {"if": [condition, steps, "half"]}


def test_entitlement_is_one_look_up_for_each_window() -> None:
    """With bounds in unix seconds."""
    targeting = compiled(ENTITLED, binding("acme", {}), binding("globex", {}, org="globex"))["targeting"]
    window = [{">=": [NOW, 1767225600]}, {"<": [NOW, 1798761600]}]
    assert targeting == {"if": [{"and": [*window, {"in": [{"var": "org"}, ["acme", "globex"]]}]}, "on", None]}


def test_a_prerequisite_is_inlined_whole() -> None:
    """Its own default is what it serves where none of its rules matches."""
    gate = flag_document("gate", {"default": "half", **rule(when={"x": "a"})})
    targeting = compiled({"requires": [{"flag": "gate", "variant": "on"}]}, gate)["targeting"]
    assert targeting == {"if": [{"!": [{"===": [{"if": [{"===": [X, "a"]}, "on", "half"]}, "on"]}]}, "off", None]}


def test_a_prerequisite_that_is_the_same_for_everyone_costs_nothing() -> None:
    """It is decided when the flag is compiled."""
    assert "targeting" not in compiled(
        {"requires": [{"flag": "gate", "variant": "on"}]}, flag_document("gate", {"default": "on"})
    )
    shut = compiled({"requires": [{"flag": "gate", "variant": "on"}]}, flag_document("gate", {"default": "half"}))
    assert shut["targeting"] == {"if": [True, "off"]}


RAW: dict[str, tuple[dict[str, Any], dict[str, object], dict[str, object]]] = {
    "a variant's name": ({"if": [{"===": [X, 1]}, "on", None]}, {"x": 1}, {"x": 2}),
    "a boolean": ({"===": [X, 1]}, {"x": 1}, {"x": 2}),
    "its own key": ({"if": [{"===": [X, {"var": "$flagd.flagKey"}]}, "on", "off"]}, {"x": "gate"}, {"x": "main"}),
}


@pytest.mark.parametrize(("logic", "served", "not_served"), RAW.values(), ids=RAW.keys())
def test_raw_targeting_means_the_same_inside_another_flag(
    logic: dict[str, Any], served: dict[str, object], not_served: dict[str, object]
) -> None:
    """Null is its default, a boolean the variant of that name, and its key its own."""
    variants = {"on": "ON", "off": "OFF", "true": "TRUE", "false": "FALSE"}
    gate = flag_document("gate", {"default": "off", "targeting": logic}, variants=variants)
    wanted = "true" if "===" in logic else "on"
    index = index_of({"requires": [{"flag": "gate", "variant": wanted}], "default": "on"}, gate)
    flags = FlagSet.load(compile_namespace(index, NAMESPACE, ENVIRONMENT, bucketing="v2", approvals={}))
    for context, value in ((served, "ON"), (not_served, "OFF")):
        assert flags.evaluate("main", context).value == value
        assert (flags.evaluate("gate", context).variant == wanted) is (value == "ON")


KEYED: dict[str, dict[str, Any]] = {
    "shorthand": {"fractional": [["on", 1], ["off", 1]]},
    "shorthand within": {"if": [{"var": "x"}, {"fractional": [["on"], ["off"]]}]},
    "a computed path": {"if": [{"===": [{"var": [{"cat": ["$flagd", ".flagKey"]}]}, "gate"]}, "on"]},
    "all that is injected": {"if": [{"===": [{"var": "$flagd"}, 1]}, "on"]},
}


@pytest.mark.parametrize("logic", KEYED.values(), ids=KEYED.keys())
def test_raw_targeting_that_hangs_on_its_own_key_has_no_place_in_another_flag(logic: dict[str, Any]) -> None:
    """The shorthand would bucket by the other flag's key."""
    gate = flag_document("gate", {"default": "off", "targeting": logic})
    with pytest.raises(CompileError, match="payments/gate") as refused:
        compiled({"requires": [{"flag": "gate", "variant": "on"}]}, gate)
    assert refused.value.code == "MalformedTargeting"


def test_conditions_nested_too_deeply_are_refused() -> None:
    """What we publish, every evaluator must be able to read."""
    condition: Any = Test(("x",), "eq", "a")
    for _ in range(70):
        condition = Negation(AnyOf((condition, Test(("y",), "eq", "b"))))
    index = index_of({})
    definition = index.flags[f"{NAMESPACE}/main"]
    flag = resolve_flag(definition, ENVIRONMENT, index)
    with pytest.raises(CompileError) as refused:
        compile_flag(replace(flag, rules=(ResolvedRule("deep", condition, Serve("on")),)), definition, None)
    assert refused.value.code == "TooDeep"


# Documents


def documents() -> list[Document]:
    """Write a few flags."""
    return [
        flag_document("b", {"default": "off", **rule(when={"x": "é"})}, key="zKey", variants={"on": 1.0, "off": 0}),
        flag_document("a", {"default": "off"}),
        flag_document("c", {}, environments={"staging": {"default": "on"}}),
    ]


def test_documents_are_canonical_bytes() -> None:
    """RFC 8785 and a line feed, whatever the order in which definitions came."""
    index = Catalogue.of(documents())
    data = compile_namespace(index, NAMESPACE, ENVIRONMENT, bucketing="v2", approvals={})
    assert data == canonical_json(json.loads(data)) + b"\n"
    again = Catalogue.of(reversed(documents()))
    assert compile_namespace(again, NAMESPACE, ENVIRONMENT, bucketing="v2", approvals={}) == data
    assert list(json.loads(data)["flags"]) == ["a", "zKey"]


def test_metadata_name_owner_tier_expiry_and_approval() -> None:
    """And the flag set says what it is, with the digest of its content as its version."""
    index = Catalogue.of(documents())
    approvals = {f"FlagDefinition/{NAMESPACE}/a": "statement-1"}
    document = json.loads(compile_namespace(index, NAMESPACE, ENVIRONMENT, bucketing="v3", approvals=approvals))
    metadata = {"owner": "team-payments", "riskTier": "sensitive", "expires": "2027-03-31"}
    assert document["flags"]["a"]["metadata"] == {**metadata, "approval": "statement-1"}
    assert document["flags"]["zKey"]["metadata"] == metadata
    version = document["metadata"].pop("version")
    assert document["metadata"] == {"flagSetId": NAMESPACE, "environment": ENVIRONMENT, "bucketing": "v3"}
    assert version == sha256_digest(canonical_json(document))


def test_another_approval_is_another_document() -> None:
    """Though the same flag, compiled before, is remembered."""
    index = Catalogue.of(documents())
    subject = f"FlagDefinition/{NAMESPACE}/a"
    one, two = (
        compile_namespace(index, NAMESPACE, ENVIRONMENT, bucketing="v2", approvals={subject: name})
        for name in ("1", "2")
    )
    assert one != two
    assert compile_namespace(index, NAMESPACE, ENVIRONMENT, bucketing="v2", approvals={subject: "1"}) == one


def test_an_environment_has_the_namespaces_that_serve_a_flag_in_it() -> None:
    """Others are left out."""
    index = Catalogue.of(documents())
    assert set(compile_environment(index, ENVIRONMENT, bucketing="v2", approvals={})) == {NAMESPACE}
    assert set(compile_environment(index, "elsewhere", bucketing="v2", approvals={})) == set()
    assert json.loads(compile_environment(index, "staging", bucketing="v2", approvals={})[NAMESPACE])[
        "flags"
    ].keys() == {"c"}


def test_two_flags_of_one_key_are_refused() -> None:
    """One of them would be lost without a word."""
    index = Catalogue.of(
        [flag_document("a", {"default": "on"}, key="k"), flag_document("b", {"default": "on"}, key="k")]
    )
    with pytest.raises(CompileError, match="another flag has the key 'k'"):
        compile_namespace(index, NAMESPACE, ENVIRONMENT, bucketing="v2", approvals={})


def test_a_prerequisite_without_a_bucket_serves_its_default() -> None:
    """Half a character has no UTF-8 and so no bucket: inside another flag that is the default too, not nothing."""
    gate = flag_document("gate", {"default": "half", "rules": [{"name": "r", "split": {"on": 1}, "by": "org"}]})
    index = index_of({"requires": [{"flag": "gate", "variant": "half"}], "default": "on"}, gate)
    flags = FlagSet.load(compile_namespace(index, NAMESPACE, ENVIRONMENT, bucketing="v2", approvals={}))
    for org, served in (("acme", "OFF"), ("", "ON"), ("\ud800", "ON")):
        assert flags.evaluate("main", {"org": org}).value == served


def test_versions_of_a_flag_that_are_long_gone_are_forgotten() -> None:
    """A process that builds for years remembers what is, not what was."""
    place, subject = (f"{NAMESPACE}/main", ENVIRONMENT), f"FlagDefinition/{NAMESPACE}/main"
    index = index_of({"default": "on"})
    for number in range(100):
        served = compile_namespace(index, NAMESPACE, ENVIRONMENT, bucketing="v2", approvals={subject: f"{number:064x}"})
    assert served == compile_namespace(index, NAMESPACE, ENVIRONMENT, bucketing="v2", approvals={subject: f"{99:064x}"})
    assert len(_memory._parts[place]) == _VERSIONS_KEPT
