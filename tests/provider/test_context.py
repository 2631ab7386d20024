"""Contexts that applications really pass, and contexts that nobody should."""

from __future__ import annotations

from collections import OrderedDict, UserDict, deque
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode

from flagseal.provider.context import flattened
from tests.provider.harness import DOMAIN
from tests.provider.memory import MemoryProvider


class Plan(str, Enum):  # noqa: UP042 (applications have such)
    """A text that is an enumeration."""

    PRO = "pro"


class Level(IntEnum):
    """A number that is one."""

    HIGH = 3


class Row(tuple[int, ...]):
    """A sequence of a kind of its own."""

    __slots__ = ()


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (NOON, NOON.timestamp()),
        (NOON.astimezone(timezone(timedelta(hours=5))), NOON.timestamp()),
        (NOON.replace(tzinfo=None), NOON.timestamp()),
        (Plan.PRO, "pro"),
        (Level.HIGH, 3),
        (Fraction(1, 2), 0.5),
        ((1, "a", NOON), [1, "a", NOON.timestamp()]),
        (Row([1, 2]), [1, 2]),
        (OrderedDict(a=(1,)), {"a": [1]}),
        (UserDict(a=UserDict(b=2)), {"a": {"b": 2}}),
        ([1, object(), 2], [1, None, 2]),
        ({"a": 1, 2: 3}, {"a": 1}),
        (None, None),
    ],
)
def test_an_attribute_is_seen_as_json_would_have_it(value: Any, seen: object) -> None:  # noqa: ANN401
    """A time as unix seconds, which conditions compare; the rest as what it stands for."""
    flat = flattened(EvaluationContext("u1", {"it": value, "org": "acme"}))
    assert flat == {"it": seen, "org": "acme", "targetingKey": "u1"}
    assert flat is not None
    assert type(flat["it"]) is type(seen)


@pytest.mark.parametrize("value", [object(), b"bytes", {1, 2}, Decimal(1), 1j, deque, float, lambda: 1])
def test_what_json_has_no_form_for_counts_as_missing(value: Any) -> None:  # noqa: ANN401
    """No condition holds on it, and nothing breaks."""
    assert flattened(EvaluationContext(None, {"it": value})) == {}


def test_the_targeting_key_wins_over_an_attribute_of_its_name() -> None:
    """And an attribute of its name stands in for it."""
    assert flattened(EvaluationContext("u1", {"targetingKey": "u2"})) == {"targetingKey": "u1"}
    assert flattened(EvaluationContext(None, {"targetingKey": "u2"})) == {"targetingKey": "u2"}
    assert flattened(EvaluationContext(None, {})) == {}
    assert flattened(None) is None


def test_the_callers_attributes_stay_as_they_are() -> None:
    """The merge is a copy."""
    attributes: dict[str, Any] = {"org": "acme", "at": NOON}
    flattened(EvaluationContext("u1", attributes))
    assert attributes == {"org": "acme", "at": NOON}


def test_a_time_in_the_context_meets_a_condition() -> None:
    """As it would if the application had sent unix seconds over OFREP."""
    rule = {"if": [{">": [{"var": "signedUp"}, NOON.timestamp()]}, "on", "off"]}
    flag = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off", "targeting": rule}
    api.set_provider_and_wait(MemoryProvider({"payments": {"late": flag}}), DOMAIN)
    client = api.get_client(DOMAIN)
    for hours, value in ((1, True), (-1, False)):
        context = EvaluationContext("u1", {"signedUp": NOON + timedelta(hours=hours)})
        assert client.get_boolean_value("late", not value, context) is value
    api.shutdown()


class Trap(dict[str, Any]):
    """A mapping that breaks when it is read."""

    def items(self) -> Any:  # noqa: ANN401
        """Break."""
        raise ZeroDivisionError


def nested(levels: int) -> Any:  # noqa: ANN401
    """Nest a list in a list, and so on."""
    value: Any = "core"
    for _ in range(levels):
        value = [value]
    return value


circle: list[Any] = []
circle.append(circle)

FLAG = {
    "state": "ENABLED",
    "variants": {"on": True, "off": False},
    "defaultVariant": "off",
    "targeting": {"if": [{"===": [{"var": "it"}, "x"]}, "on", {"if": [{"in": ["y", {"var": "it"}]}, "on", None]}]},
}


@pytest.mark.parametrize(
    "value", [Trap(a=1), nested(100_000), circle, {"a": Trap(b=2)}, datetime.max.replace(tzinfo=UTC), "\ud800", 10**500]
)
def test_no_context_breaks_an_evaluation(value: Any) -> None:  # noqa: ANN401
    """The worst is an error code and the application's default."""
    provider = MemoryProvider({"payments": {"flag": FLAG}})
    provider.initialize(EvaluationContext())
    details = provider.resolve_boolean_details("flag", False, EvaluationContext("u1", {"it": value}))
    assert details.value is False
    assert details.error_code in {None, ErrorCode.INVALID_CONTEXT, ErrorCode.GENERAL}


@pytest.mark.parametrize("context", [EvaluationContext("u1", None), EvaluationContext(7, {}), "text", 5])  # type: ignore[arg-type]
def test_no_misuse_breaks_an_evaluation(context: Any) -> None:  # noqa: ANN401
    """What is no context is an error code."""
    provider = MemoryProvider({"payments": {"flag": FLAG}})
    provider.initialize(EvaluationContext())
    assert provider.resolve_boolean_details("flag", True, context).value in {True, False}
    assert provider.resolve_boolean_details(["flag"], True, context).value is True  # type: ignore[arg-type]


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
odd = st.datetimes(timezones=st.none() | st.timezones()) | st.binary(max_size=3) | st.decimals() | st.fractions()
anything = st.recursive(
    plain | odd,
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), anything, max_size=4), st.none() | st.text(max_size=3))
def test_whatever_is_passed_the_evaluator_sees_json(attributes: dict[str, Any], key: str | None) -> None:
    """Texts, numbers, booleans, nulls, lists and objects, and nothing that is only like them."""
    flat = flattened(EvaluationContext(key, attributes))
    assert only_json(flat)


def only_json(value: object) -> bool:
    """Tell whether JSON has a form for a value (or a number that is none)."""
    if type(value) is dict:
        return all(type(key) is str and only_json(item) for key, item in value.items())
    if type(value) is list:
        return all(only_json(item) for item in value)
    return value is None or type(value) in {str, int, float, bool}
