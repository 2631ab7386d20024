"""JSONLogic means what its reference implementation does; each case was run there (json-logic-js 2.0.5)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.evaluation.bucketing import BUCKETINGS
from flagseal.evaluation.codegen.program import compiled
from flagseal.evaluation.javascript import to_text
from flagseal.evaluation.jsonlogic import MalformedTargeting
from tests.evaluation.flags import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagseal.evaluation.outcome import Evaluation


class _Raw:
    """Answer with what targeting gives."""

    def default(self) -> Any:  # noqa: ANN401
        return None

    def serve(self, result: object) -> Any:  # noqa: ANN401
        return result

    def is_shared(self, evaluation: Evaluation) -> bool:
        del evaluation
        return True


def function_of(logic: dict[str, Any]) -> Callable[[object], object]:
    """Compile logic to a function of data."""
    return compiled(
        "f", logic, _Raw(), bucketing=BUCKETINGS["v2"], clock=lambda: NOW, fresh=lambda evaluation: evaluation
    )


def apply(logic: dict[str, Any], data: object = None) -> object:
    """Apply logic to data."""
    return function_of(logic)(data)


X = {"var": "x"}
NAN = math.nan

CASES: list[tuple[dict[str, Any], object, object]] = [
    # Data
    ({"var": "a.b"}, {"a": {"b": 1}}, 1),
    ({"var": "a.b.c"}, {"a": {"b": 1}}, None),
    ({"var": "a.b"}, {"a.b": 1}, None),
    ({"var": ["a", 7]}, {}, 7),
    ({"var": ["a", 7]}, {"a": None}, None),
    ({"var": ["a.b", 7]}, {"a": None}, 7),
    ({"var": ["a", {"+": [1, 2]}]}, {}, 3),
    ({"var": 1}, {"1": "one"}, "one"),
    ({"var": "a.1"}, {"a": ["x", "y"]}, "y"),
    ({"var": "a.2"}, {"a": ["x", "y"]}, None),
    ({"var": "a.01"}, {"a": ["x", "y"]}, None),
    ({"var": "a.-1"}, {"a": ["x", "y"]}, None),
    ({"var": "a.length"}, {"a": ["x", "y"]}, 2),
    ({"var": "a.length"}, {"a": "a😀"}, 3),
    ({"var": "a.0"}, {"a": "xyz"}, "x"),
    ({"var": {"cat": ["a", ".b"]}}, {"a": {"b": 2}}, 2),
    ({"missing": ["a", "b.c", "d"]}, {"a": "", "b": {"c": 0}}, ["a", "d"]),
    ({"missing": [["a", "b"]]}, {"a": 1}, ["b"]),
    ({"missing_some": [1, ["a", "b"]]}, {"a": 1}, []),
    ({"missing_some": [2, ["a", "b", "c"]]}, {"a": 1}, ["b", "c"]),
    # Logic
    ({"if": [False, 1, False, 2]}, None, None),
    ({"if": [False, 1, True, 2, 3]}, None, 2),
    ({"if": ["only"]}, None, "only"),
    ({"if": [[], 1, {}, 2, 3]}, None, 2),
    ({"if": ["0", "text", "none"]}, None, "text"),
    ({"?:": [0, 1, 2]}, None, 2),
    ({"and": [1, "", 2]}, None, ""),
    ({"and": [1, 2, 3]}, None, 3),
    ({"or": [0, "", [], 4, 5]}, None, 4),
    ({"or": [0, ""]}, None, ""),
    ({"!": [[]]}, None, True),
    ({"!": {"var": "x"}}, {"x": {}}, False),
    ({"!!": ["0"]}, None, True),
    ({"!!": [X]}, {"x": math.nan}, False),
    # Comparison
    ({"==": [1, "1"]}, None, True),
    ({"==": [1, True]}, None, True),
    ({"==": ["1", True]}, None, True),
    ({"==": ["true", True]}, None, False),
    ({"==": [0, ""]}, None, True),
    ({"==": ["0", ""]}, None, False),
    ({"==": [None, False]}, None, False),
    ({"==": [None, 0]}, None, False),
    ({"==": [X, None]}, {}, True),
    ({"==": [[1, 2], "1,2"]}, None, True),
    ({"==": [[], 0]}, None, True),
    ({"==": [X, "[object Object]"]}, {"x": {"a": 1}}, True),
    ({"==": [[1], [1]]}, None, False),
    ({"==": [" \n2 ", 2]}, None, True),
    ({"==": ["0x10", 16]}, None, True),
    ({"==": ["1_0", 10]}, None, False),
    ({"==": ["inf", X]}, {"x": math.inf}, False),
    ({"==": ["Infinity", X]}, {"x": math.inf}, True),
    ({"!=": [1, "1"]}, None, False),
    ({"===": [1, "1"]}, None, False),
    ({"===": [1, 1.0]}, None, True),
    ({"===": [True, 1]}, None, False),
    ({"===": [X, 1]}, {"x": True}, False),
    ({"===": [X, True]}, {"x": 1}, False),
    ({"===": [X, X]}, {"x": math.nan}, False),
    ({"===": [[1], [1]]}, None, False),
    ({"!==": [X, None]}, {}, False),
    ({"<": [1, 2, 3]}, None, True),
    ({"<": [1, 3, 2]}, None, False),
    ({"<": [1, 2, None]}, None, False),
    ({"<": [X, 18]}, {}, True),
    ({"<": ["10", "9"]}, None, True),
    ({"<": ["10", 9]}, None, False),
    ({"<": ["b", "a"]}, None, False),
    ({"<": ["😀", "\uffff"]}, None, True),
    ({"<": ["x", 1]}, None, False),
    ({">=": ["x", 1]}, None, False),
    ({"<=": [1, 1, 2]}, None, True),
    ({">": [True, False]}, None, True),
    ({">=": [[5], 5]}, None, True),
    # Membership
    ({"in": ["a", ["a", "b"]]}, None, True),
    ({"in": [X, ["1", "2"]]}, {"x": 1}, False),
    ({"in": [X, [1, "a", None]]}, {"x": True}, False),
    ({"in": [X, [1, "a", True]]}, {"x": True}, True),
    ({"in": [X, [1, "a", None]]}, {}, True),
    ({"in": [[1], [[1]]]}, None, False),
    ({"in": ["ring", "Spring"]}, None, True),
    ({"in": [1, "a1"]}, None, True),
    ({"in": ["", ""]}, None, False),
    ({"in": ["", "a"]}, None, True),
    ({"in": ["a", None]}, None, False),
    ({"in": [X, {"merge": [["a"], "b"]}]}, {"x": "b"}, True),
    # Arithmetic
    ({"+": ["3", "4px", 1.5]}, None, 8.5),
    ({"+": [True]}, None, NAN),
    ({"+": [[5, 6]]}, None, 5),
    ({"+": []}, None, 0),
    ({"*": ["3"]}, None, "3"),
    ({"*": ["3", "2"]}, None, 6),
    ({"-": ["5"]}, None, -5),
    ({"-": ["5", True]}, None, 4),
    ({"/": [1, 0]}, None, math.inf),
    ({"/": [0, 0]}, None, NAN),
    ({"/": [1, {"-": [0]}]}, None, -math.inf),
    ({"%": [-7, 3]}, None, -1),
    ({"%": [7, 0]}, None, NAN),
    ({"min": ["3", 2]}, None, 2),
    ({"max": []}, None, -math.inf),
    ({"max": [1, "x"]}, None, NAN),
    # Texts
    ({"cat": ["a", None, 1.0, True, [1, [None, 2]]]}, None, "a1true1,,2"),
    ({"cat": "alone"}, None, "alone"),
    ({"substr": ["jsonlogic", 4]}, None, "logic"),
    ({"substr": ["jsonlogic", -5]}, None, "logic"),
    ({"substr": ["jsonlogic", 1, 3]}, None, "son"),
    ({"substr": ["jsonlogic", 4, -2]}, None, "log"),
    ({"substr": ["jsonlogic", -5, -2]}, None, "log"),
    ({"substr": ["a😀b", 1, 2]}, None, "😀"),
    # Lists
    ({"merge": [1, [2, [3]], []]}, None, [1, 2, [3]]),
    ({"filter": [X, {">=": [{"var": ""}, 2]}]}, {"x": [1, 2, 3]}, [2, 3]),
    ({"map": [X, {"*": [{"var": ""}, 2]}]}, {"x": [1, 2]}, [2, 4]),
    ({"map": [X, {"var": "a"}]}, {"x": [{"a": 1}, {}]}, [1, None]),
    ({"reduce": [X, {"+": [{"var": "accumulator"}, {"var": "current.n"}]}, 0]}, {"x": [{"n": 1}, {"n": 2}]}, 3),
    ({"reduce": [X, {"var": "current"}, 9]}, {"x": "no list"}, 9),
    ({"all": [X, {">": [{"var": ""}, 0]}]}, {"x": []}, False),
    ({"all": [X, {">": [{"var": ""}, 0]}]}, {"x": [1, 2]}, True),
    ({"none": [X, {"===": [{"var": "n"}, 1]}]}, {"x": [{"n": 2}]}, True),
    ({"some": [X, {"===": [{"var": ""}, "a"]}]}, {"x": ["b", "a"]}, True),
    ({"some": [X, {"===": [{"var": ""}, "a"]}]}, {"x": "a"}, False),
    ({"some": [X, {"some": [{"var": ""}, {"===": [{"var": ""}, 1]}]}]}, {"x": [[2], [1]]}, True),
    ({"map": [X, {"var": "x"}]}, {"x": [1]}, [None]),
    # Values
    ({"if": [True, {"a": 1, "b": {"var": "x"}}]}, {"x": 1}, {"a": 1, "b": {"var": "x"}}),
    ({"log": ["said"]}, None, "said"),
]


def _same(left: object, right: object) -> bool:
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right


@pytest.mark.parametrize(("logic", "data", "expected"), CASES, ids=lambda case: repr(case)[:60])
def test_operators_mean_what_the_reference_means(logic: dict[str, Any], data: object, expected: object) -> None:
    """At the top of a flag's targeting."""
    assert _same(apply(logic, data), expected)


@pytest.mark.parametrize(("logic", "data", "expected"), CASES, ids=lambda case: repr(case)[:60])
def test_operators_mean_the_same_inside_others(logic: dict[str, Any], data: object, expected: object) -> None:
    """As an argument, as a condition, behind another condition, and as a member's logic."""
    again = {"if": [{"var": "nothing"}, 0, logic]}
    assert _same(apply({"if": [True, again]}, data), expected)
    assert apply({"!": [{"!": [logic]}]}, data) is apply({"!!": [logic]}, data)
    whole = {"map": [[data if data is not None else {}], logic]}
    if not any(isinstance(it, dict) and len(it) == 1 for it in _parts(data)):
        assert _same(apply({"reduce": [whole, {"var": "current"}, None]}), expected)


def _parts(value: object) -> list[object]:
    children = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value, *(part for child in children for part in _parts(child))]


@pytest.mark.parametrize("logic", [{"nope": []}, {"$ref": "x"}, {"a.b": [1]}, {"*": []}, {"missing_some": [1]}])
def test_what_the_reference_throws_at_is_malformed(logic: dict[str, Any]) -> None:
    """Unknown operators, and calls that JavaScript cannot make."""
    with pytest.raises(MalformedTargeting):
        apply(logic)


NUMBERS = {
    0.1: "0.1",
    -0.0: "0",
    1.0: "1",
    123456789.125: "123456789.125",
    1e20: "100000000000000000000",
    1e21: "1e+21",
    1.5e300: "1.5e+300",
    123e-9: "1.23e-7",
    1e-6: "0.000001",
    -2.5e-7: "-2.5e-7",
    5e-324: "5e-324",
    2**60: "1152921504606846976",
    math.inf: "Infinity",
    -math.inf: "-Infinity",
}


@pytest.mark.parametrize(("number", "text"), NUMBERS.items())
def test_numbers_are_written_as_javascript_does(number: float, text: str) -> None:
    """What is hashed and compared as text is the same text everywhere."""
    assert to_text(number) == text
