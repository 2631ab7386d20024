"""JSON that came from elsewhere goes through the same schema and the same rules."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal.model import loader
from flagseal.model.errors import InvalidDocuments
from flagseal.model.jsonpath import ROOT
from flagseal.model.limits import DEEPEST
from flagseal.model.loader import parse_body
from tests.model.samples import EVERY_KIND, FLAG, load


def body() -> dict[str, Any]:
    """Give the sample flag as JSON."""
    return copy.deepcopy(load(FLAG).documents[0].body())


def refused(value: object, **options: bool) -> list[tuple[str, str]]:
    """Tell what is refused: rule and path."""
    with pytest.raises(InvalidDocuments) as error:
        parse_body(value, place="bundle", **options)
    assert {found.file for found in error.value.findings} == {"bundle"}
    return [(found.rule, found.path) for found in error.value.findings]


@pytest.mark.parametrize("text", EVERY_KIND, ids=lambda text: text.splitlines()[1])
def test_a_document_survives_the_way_through_json(text: str) -> None:
    """What a file gave is what its body gives."""
    document = load(text).documents[0]
    assert parse_body(document.body(), place="x") == document


def test_numbers_that_are_equal_give_one_document() -> None:
    """10.0 and 10 have one canonical form, so they are one value from here on."""
    value = body()
    value["spec"]["variants"] = {"enabled": 10.0, "disabled": 2.5}
    document = parse_body(value, place="x")
    assert isinstance(document.spec, dict)
    assert repr(document.spec["variants"]) == repr({"enabled": 10, "disabled": 2.5})


def test_the_body_is_copied() -> None:
    """Who handed it over can go on with it."""
    value = body()
    document = parse_body(value, place="x")
    value["spec"]["owner"] = "somebody-else"
    assert isinstance(document.spec, dict)
    assert document.spec["owner"] == "team-payments"


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (2**53, "FS110"),
        (-(2**53), "FS110"),
        (10**400, "FS110"),
        (float("nan"), "FS110"),
        (float("inf"), "FS110"),
        (1e300, "FS110"),
        ("\x00", "FS102"),
        ("\ud800", "FS102"),
        ("\u202e", "FS102"),
        ((1, 2), "FS122"),
        (b"x", "FS122"),
        ({1: 2}, "FS111"),
        ({"\x07": 2}, "FS102"),
    ],
)
def test_what_no_file_could_say_is_refused(value: object, rule: str) -> None:
    """The limits are those of files."""
    given = body()
    given["spec"]["variants"] = {"enabled": {"x": value}, "disabled": {}}
    assert [found for found, _ in refused(given)] == [rule]


def test_depth_is_bounded_without_exhausting_the_stack() -> None:
    """However deep a JSON parser went."""
    deep: list[Any] = []
    for _ in range(50_000):
        deep = [deep]
    given = body()
    given["spec"]["variants"] = {"enabled": {"x": deep}, "disabled": {}}
    assert [found for found, _ in refused(given)] == ["FS104"]


def test_form_and_meaning_are_checked_as_in_files() -> None:
    """Schema first, then what the schema cannot say."""
    given = body()
    given["metadata"]["labels"] = {}
    assert refused(given) == [("FS120", "$.metadata.labels")]
    given = body()
    given["spec"]["safeVariant"] = "safe"
    assert refused(given) == [("FS301", "$.spec.safeVariant")]


@pytest.mark.parametrize("value", [None, [], "x", 3, {}, {"kind": "Pod"}, {"kind": ["FlagDefinition"]}])
def test_what_is_no_document_is_refused(value: object) -> None:
    """Whatever it is."""
    assert refused(value)


def test_a_tombstone_is_taken_only_where_it_is_expected() -> None:
    """History knows removals; nobody else does."""
    tombstone = load(FLAG).documents[0].tombstone()
    assert refused(tombstone.body()) == [("FS122", "$.spec")]
    assert parse_body(tombstone.body(), place="x", allow_tombstone=True) == tombstone
    without_spec = tombstone.body()
    del without_spec["spec"]
    assert refused(without_spec, allow_tombstone=True) == [("FS121", "$")]
    assert parse_body(body(), place="x", allow_tombstone=True) == load(FLAG).documents[0]


def test_a_tombstone_is_held_to_the_form_too() -> None:
    """A removal cannot carry what a document cannot."""
    value = load(FLAG).documents[0].tombstone().body()
    assert refused({**value, "note": "x"}, allow_tombstone=True) == [("FS120", "$.note")]


ODD = st.sampled_from(
    ["a\u202eb", "\x00", "a\tb", "\ud800", "é", "\n", 2**53, -(2**53), float("nan"), 1.0, -0.0, 2.5, b"x", ()]
)
KEYS = st.one_of(st.text(max_size=3), st.sampled_from(["a\u200b", "é"]), st.integers())


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=4), ODD),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    ),
    st.sampled_from([0, DEEPEST - 1, DEEPEST, DEEPEST + 1]),
)
def test_the_quick_copy_is_the_copy_that_looks_closely(value: object, nested: int) -> None:
    """The same value and the same findings, whatever was handed over and however deep."""
    for _ in range(nested):
        value = [value]
    quick: list[object] = []
    close: list[object] = []
    copied = loader._copied(value, quick)  # type: ignore[arg-type]
    looked = loader._checked(value, ROOT, 1, close)  # type: ignore[arg-type]
    assert repr(copied) == repr(looked)
    assert quick == close
