"""Buckets to the bit: the vectors of compat.md, and what is no key."""

from __future__ import annotations

import math
from typing import Any

import pytest
from mmh3 import mmh3_32_uintdigest

from flagseal.evaluation.bucketing import BUCKETINGS, cbor
from tests.evaluation.flags import ask, flag, flag_set

VERSIONS = ("v1", "v2", "v3")
TENTH = {"fractional": [["on", 10], ["off", 90]]}
VECTORS = {
    "user-1": ("off", "off", "off"),
    "user-2": ("off", "off", "on"),
    "user-4": ("on", "off", "off"),
    "user-9": ("on", "on", "off"),
    "user-44": ("off", "on", "off"),
    "user-239": ("off", "on", "on"),
    "user-254": ("on", "off", "on"),
    "user-452": ("on", "on", "on"),
}


@pytest.mark.parametrize("bucketing", VERSIONS)
@pytest.mark.parametrize("key", VECTORS)
def test_the_vectors_of_three_versions_hold(key: str, bucketing: str) -> None:
    """Flag `new-checkout`, a tenth on, shorthand key."""
    flags = flag_set(bucketing=bucketing, **{"new-checkout": flag(TENTH)})
    expected = VECTORS[key][VERSIONS.index(bucketing)]
    assert flags.evaluate("new-checkout", {"targetingKey": key}).variant == expected


def test_the_hashes_and_the_encoding_of_user_2_hold() -> None:
    """Both hashes, and the CBOR that v3 hashes."""
    assert mmh3_32_uintdigest(b"new-checkoutuser-2") == 986941360
    encoded = cbor(["new-checkout", "user-2"])
    assert encoded.hex() == "826c6e65772d636865636b6f757466757365722d32"
    assert mmh3_32_uintdigest(encoded) == 278469018
    assert BUCKETINGS["v2"].shorthand("new-checkout", "user-2") == 986941360
    assert BUCKETINGS["v3"].shorthand("new-checkout", "user-2") == 278469018


@pytest.mark.parametrize("length", [0, 23, 24, 255, 256, 65535, 65536])
def test_texts_of_every_length_are_encoded_as_cbor_says(length: int) -> None:
    """The heads of text strings grow with their length."""
    text = "x" * (length - 2) + "é" if length > 1 else ""
    assert BUCKETINGS["v3"].rank(text or "-") == mmh3_32_uintdigest(cbor(text or "-"))
    assert BUCKETINGS["v3"].shorthand(text, "k") == mmh3_32_uintdigest(cbor([text, "k"]))


ENCODED: list[tuple[object, str]] = [
    (1, "01"),
    (1.0, "01"),
    (-0.0, "00"),
    (1.5, "f93e00"),
    (0.1, "fb3fb999999999999a"),
    (-1, "20"),
    (2.0**63, "1b8000000000000000"),
    (2.0**64, "fa5f800000"),
    (-(2.0**63), "3b7fffffffffffffff"),
    (True, "f5"),
    ({"b": 1, "a": 2.0, "aa": 3}, "a36161026162016261 6103".replace(" ", "")),
    ([1.0, [None]], "820181f6"),
]


@pytest.mark.parametrize(("value", "encoded"), ENCODED)
def test_keys_of_every_type_have_one_encoding(value: object, encoded: str) -> None:
    """Whole floats are integers, floats as short as they can be, keys in the order of their bytes."""
    assert cbor(value).hex() == encoded


def test_v3_takes_keys_of_any_type_but_null_and_lists() -> None:
    """1 and 1.0 are one key, true is another; an object is one too."""
    rank = BUCKETINGS["v3"].rank
    assert rank(1) == rank(1.0) == mmh3_32_uintdigest(b"\x01")
    assert rank(True) == mmh3_32_uintdigest(b"\xf5")
    assert rank({"a": 1}) is not None
    assert rank(None) is rank("") is rank([1]) is rank(object()) is None


@pytest.mark.parametrize("bucketing", VERSIONS)
@pytest.mark.parametrize("key", [None, "", "\ud800"])
def test_a_missing_or_empty_key_serves_nothing(key: object, bucketing: str) -> None:
    """Whether it is given or put together; half a character has no bytes to hash."""
    by_key = {"fractional": [{"var": "x"}, ["on", 1], ["on", 1]]}
    assert ask(by_key, {"x": key, "targetingKey": "u"}, bucketing=bucketing).reason == "DEFAULT"
    assert ask(TENTH, {"targetingKey": key}, bucketing=bucketing).reason == "DEFAULT"
    assert ask(TENTH, {"targetingKey": 7}, bucketing=bucketing).reason == "DEFAULT"


@pytest.mark.parametrize("bucketing", VERSIONS)
def test_a_key_that_is_a_list_is_an_arm(bucketing: str) -> None:
    """Then flag and targeting key are hashed, as in the shorthand; also where only an evaluation finds the list."""
    computed = {"fractional": [{"var": "x"}, ["off", 90]]}
    for number in range(50):
        context = {"x": ["on", 10], "targetingKey": f"user-{number}"}
        assert ask(computed, context, bucketing=bucketing).variant == ask(TENTH, context, bucketing=bucketing).variant


def test_v1_and_v2_know_keys_of_text_only() -> None:
    """A number in the key's place is a malformed arm to them."""
    by_number = {"fractional": [{"var": "x"}, ["on", 1], ["on", 1]]}
    context = {"x": 7, "targetingKey": "u"}
    assert [ask(by_number, context, bucketing=version).reason for version in VERSIONS] == [
        "DEFAULT",
        "DEFAULT",
        "TARGETING_MATCH",
    ]


NOTHING: list[Any] = [
    [],
    [{"cat": ["k"]}],
    [["on", 0], ["off", 0]],
    [["on", -5]],
    [["on", 2**31 - 1], ["off", 1]],
    [["on", 1.5]],
    [["on", "1"]],
    [["on", True]],
    [["on", None]],
    [["on", 1, 2]],
    [[], ["on"]],
    [["on"], "off"],
    [{"cat": ["k"]}, "on"],
    [["on", {"var": "text"}]],
    [["on", {"var": "half"}]],
]


@pytest.mark.parametrize("arguments", NOTHING, ids=repr)
def test_malformed_arms_serve_nothing(arguments: object) -> None:
    """Weights are whole numbers, one an arm, and their sum is between 1 and 2147483647."""
    context = {"targetingKey": "u", "text": "1", "half": 0.5}
    assert ask({"fractional": arguments}, context).reason == "DEFAULT"
    assert ask({"if": [{"!": [{"fractional": arguments}]}, "on"]}, context).variant == "on"


SOMETHING: list[Any] = [
    [["on"]],
    [["on", 10.0]],
    [["on", 1], ["off", -5]],
    [["on", 2**31 - 1]],
    [["off", 0], ["on", 1]],
    [["on", {"var": "whole"}], ["off", {"-": [3, 10]}]],
    [{"cat": ["k"]}, [{"var": "name"}, 1]],
    [{"cat": ["k"]}, [{"if": [False, "off", "on"]}]],
]


@pytest.mark.parametrize("arguments", SOMETHING, ids=repr)
def test_arms_are_what_the_schema_takes(arguments: object) -> None:
    """A whole float is an integer, a missing weight is 1, a negative one 0; values and weights may be computed."""
    context = {"targetingKey": "u", "whole": 3.0, "name": "on"}
    assert ask({"fractional": arguments}, context).variant == "on"


@pytest.mark.parametrize("bucketing", VERSIONS)
def test_constant_and_computed_weights_cut_alike(bucketing: str) -> None:
    """What is worked out beforehand is what would be worked out each time."""
    weights = [3, 0, 7, 1, 89]
    names = [f"n{number}" for number in range(len(weights))]
    variants = dict.fromkeys(names, 1)
    constant = [[name, weight] for name, weight in zip(names, weights, strict=True)]
    computed = [[name, {"+": [weight]}] for name, weight in zip(names, weights, strict=True)]
    key = {"cat": ["salt", {"var": "targetingKey"}]}
    for number in range(300):
        context = {"targetingKey": f"user-{number}"}
        answers = {
            ask({"fractional": [key, *arms]}, context, bucketing=bucketing, variants=variants).variant
            for arms in (constant, computed)
        }
        nested = {"if": [{"fractional": [key, *constant]}, {"fractional": [key, *constant]}]}
        answers.add(ask(nested, context, bucketing=bucketing, variants=variants).variant)
        assert len(answers) == 1


def test_shares_are_what_they_say() -> None:
    """A tenth of ten thousand is about a thousand, in every version."""
    for bucketing in VERSIONS:
        flags = flag_set(bucketing=bucketing, f=flag(TENTH))
        served = sum(flags.evaluate("f", {"targetingKey": str(number)}).value is True for number in range(10_000))
        assert math.isclose(served, 1000, abs_tol=120)
