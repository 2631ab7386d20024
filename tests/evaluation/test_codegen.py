"""What is known at a place in the generated code is true on every way to it."""

from __future__ import annotations

import contextlib
import itertools
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal.evaluation.javascript import strict_equal, truthy
from flagseal.evaluation.jsonlogic import MalformedTargeting
from tests.evaluation.test_jsonlogic import apply, function_of

NAMES = ("a", "b", "c")
CONSTANTS = (None, True, False, 0, 1, 2.5, "", "x", "y")

_names = st.sampled_from(NAMES)
_constants = st.sampled_from(CONSTANTS)
_leaves = st.one_of(
    _constants,
    _names.map(lambda name: {"var": name}),
    st.tuples(_names, _constants).map(lambda it: {"===": [{"var": it[0]}, it[1]]}),
    st.tuples(_names, _constants).map(lambda it: {"!==": [{"var": it[0]}, it[1]]}),
    st.tuples(_names, st.lists(_constants, max_size=3)).map(lambda it: {"in": [{"var": it[0]}, it[1]]}),
    _names.map(lambda name: {"starts_with": [{"var": name}, ""]}),
    _names.map(lambda name: {"starts_with": [{"var": name}, "x"]}),
    _names.map(lambda name: {"===": [{"+": [{"var": name}]}, {"var": name}]}),
    _names.map(
        lambda name: {
            "and": [
                {"!": [{"starts_with": [{"var": name}, ""]}]},
                {"in": [{"var": name}, {"merge": [{"var": name}]}]},
                {"!": [{"starts_with": [{"cat": [{"var": name}]}, "[object"]}]},
                {"===": [{"+": [{"var": name}]}, {"var": name}]},
            ]
        }
    ),
    st.tuples(_names, _constants).map(
        lambda it: {"some": [{"merge": [{"var": it[0]}]}, {"===": [{"var": ""}, it[1]]}]}
    ),
    _names.map(lambda name: {"in": [{"cat": [{"var": name}]}, ["true", "True"]]}),
    st.tuples(_names, _names).map(lambda it: {"===": [{"var": it[0]}, {"var": it[1]}]}),
)
logic = st.recursive(
    _leaves,
    lambda inner: st.tuples(
        st.sampled_from(["and", "or", "!", "!!", "if"]), st.lists(inner, min_size=1, max_size=4)
    ).map(lambda it: {it[0]: it[1][:1] if it[0].startswith("!") else it[1]}),
    max_leaves=30,
)
contexts: st.SearchStrategy[dict[str, object]] = st.dictionaries(
    _names, st.one_of(_constants, st.just(["x"]), st.just({}))
)


def walk(node: Any, data: dict[str, object]) -> object:  # noqa: ANN401 (JSON)
    """Evaluate by walking over the tree."""
    if not isinstance(node, dict):
        return node
    ((operator, arguments),) = node.items()
    match operator:
        case "var":
            return data.get(arguments)
        case "and" | "or":
            value = None
            for argument in arguments:
                value = walk(argument, data)
                if truthy(value) is (operator == "or"):
                    return value
            return value
        case "if":
            for condition, consequence in zip(arguments[::2], arguments[1::2], strict=False):
                if truthy(walk(condition, data)):
                    return walk(consequence, data)
            return walk(arguments[-1], data) if len(arguments) % 2 else None
        case "some":
            return any(truthy(walk(arguments[1], {"": member})) for member in walk(arguments[0], data))  # type: ignore[attr-defined]  # what `merge` gives
        case _:
            return _simple(operator, [walk(argument, data) for argument in arguments])


def _simple(operator: str, values: list[Any]) -> object:
    match operator:
        case "!" | "!!":
            return truthy(values[0]) is (operator == "!!")
        case "===" | "!==":
            return strict_equal(*values) is (operator == "===")
        case "in":
            return any(strict_equal(values[0], member) for member in values[1])
        case "merge":
            return values[0] if isinstance(values[0], list) else values
        case "starts_with":
            return values[0].startswith(values[1]) if isinstance(values[0], str) else None
        case "+":
            number = isinstance(values[0], (int, float)) and not isinstance(values[0], bool)
            return values[0] if number else float("nan")
        case _:
            shown = {None: "", True: "true", False: "false"}
            value = values[0] if not isinstance(values[0], dict) else "[object Object]"
            return shown[value] if value is None or isinstance(value, bool) else f"{value}"


@given(logic, st.lists(contexts, min_size=1, max_size=5))
def test_generated_code_gives_what_a_walk_over_the_tree_gives(node: object, asked: list[dict[str, object]]) -> None:
    """As a value, as a condition, and where many conditions share their attributes."""
    value: dict[str, Any] = {"if": [False, 0, node]}
    chosen = {"if": [node, {"and": [node, True]}, {"!": [node]}, "no", {"or": [node, "?"]}]}
    for context in asked:
        expected = walk(node, context)
        assert strict_equal(apply(value, context), expected) or isinstance(expected, (list, dict))
        assert strict_equal(apply(chosen, context), walk(chosen, context))


EVERY_CONTEXT: list[dict[str, object]] = [
    {name: value for name, value in zip(NAMES, values, strict=True) if value is not None}
    for values in itertools.product((None, "x", 1), repeat=len(NAMES))
]


def _condition(chance: Random, levels: int) -> Any:  # noqa: ANN401 (JSON)
    if levels == 0 or chance.random() < 0.2:
        return {"===": [{"var": chance.choice(NAMES)}, chance.choice(["x", 1])]}
    operator = chance.choice(["and", "or", "!"])
    count = 1 if operator == "!" else chance.randint(2, 3)
    return {operator: [_condition(chance, levels - 1) for _ in range(count)]}


@pytest.mark.parametrize("seed", range(20))
def test_a_variable_is_read_only_where_every_way_has_set_it(seed: int) -> None:
    """Chains of conditions over the same few attributes, in every context there is."""
    chance = Random(seed)
    for _ in range(20):
        arms = [part for number in range(chance.randint(2, 4)) for part in (_condition(chance, 3), number)]
        whole = {"if": arms}
        forms = [function_of(whole), function_of({"if": [{"var": "d"}, 0, whole]}), function_of({"merge": [whole]})]
        for context in EVERY_CONTEXT:
            expected = walk(whole, context)
            assert [form(context) for form in forms] == [expected, expected, [expected]]


def _within(operator: str, position: int, count: int, levels: int) -> Any:  # noqa: ANN401 (JSON)
    """Nest an operator in one of its own arguments."""
    node: Any = {"var": "a"}
    for _ in range(levels):
        arguments: list[Any] = [{"var": "b"}] * count
        arguments[position] = node
        if operator == "fractional":
            arguments = [part if number == 0 else [part, 1] for number, part in enumerate(arguments)]
        node = {operator: arguments}
    return node


NESTED = [
    (operator, position, count)
    for operator, count in {
        "if": 3, "and": 3, "or": 3, "!": 1, "!!": 1, "==": 2, "===": 2, "!==": 2, "<": 3, ">": 2, "in": 2, "cat": 2,
        "+": 2, "substr": 3, "starts_with": 2, "ends_with": 2, "sem_ver": 3, "fractional": 3, "map": 2, "some": 2,
        "reduce": 3, "merge": 2, "missing": 1, "var": 2, "missing_some": 2,
    }.items()
    for position in range(count)
]  # fmt: skip


@pytest.mark.parametrize(("operator", "position", "count"), NESTED)
def test_nesting_costs_no_more_than_its_size(operator: str, position: int, count: int) -> None:
    """What is written twice for each level would be written 2^60 times here, and this test would not end."""
    for arguments in ([], ["x"]):
        node = _within(operator, position, count, 60)
        (wrapped,) = node.values()
        function = function_of({operator: [*wrapped, *arguments]})
        with contextlib.suppress(MalformedTargeting):
            function({"a": "x", "b": ["y"], "targetingKey": "u"})


@pytest.mark.parametrize("key", [{"var": "b"}, {"cat": ["k"]}, ["x"]])
def test_splits_within_splits_cost_no_more_than_their_size(key: Any) -> None:  # noqa: ANN401 (JSON)
    """As keys, as arms and as weights, at the top and within."""
    for place in range(3):
        node: Any = {"var": "a"}
        for _ in range(40):
            arm: list[Any] = [node, 1] if place == 0 else ["x", node] if place == 1 else ["x", 1]
            node = {"fractional": [node if place == 2 else key, arm, ["y", 1]]}
        for logic_ in (node, {"if": [{"var": "a"}, node, {"!": [node]}]}):
            function_of(logic_)({"a": "x", "b": "y", "targetingKey": "u"})
