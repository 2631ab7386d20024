"""The canonical form is RFC 8785, and a digest says nothing but content."""

from __future__ import annotations

import hashlib

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from flagseal.model.canonical import Json, canonical_json, digest_of
from flagseal.model.document import Document, split_subject, subject_of
from tests.model.samples import FLAG, load, spoilt


def test_the_example_of_rfc_8785_comes_out_as_printed() -> None:
    """Section 3.2.2 and 3.2.3: numbers, escapes and sorting."""
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    assert canonical_json(value) == (
        b'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    keys = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    assert list(keys) != sorted(keys)
    order = canonical_json(keys).decode()
    assert [order.index(f":{number}") for number in (2, 4, 6, 7, 1, 5, 3)] == sorted(
        order.index(f":{number}") for number in keys.values()
    )


def test_a_document_is_its_content_and_not_its_layout() -> None:
    """Comments, order of keys, quoting and style change no digest; content does."""
    plain = load(FLAG).documents[0]
    restyled = load("# a comment\n" + spoilt(FLAG, "ticket: PAY-1234", "ticket: 'PAY-1234'")).documents[0]
    moved = load(spoilt(spoilt(FLAG, "  ticket: PAY-1234\n", ""), "spec:\n", "spec:\n  ticket: PAY-1234\n")).documents[
        0
    ]
    edited = load(spoilt(FLAG, "PAY-1234", "PAY-1235")).documents[0]
    assert plain == restyled == moved
    assert plain.digest == restyled.digest == moved.digest == "sha256:" + hashlib.sha256(plain.canonical).hexdigest()
    assert edited.digest != plain.digest
    assert edited != plain


def test_no_defaults_are_filled_in_before_the_digest() -> None:
    """The key is left out where it is left out."""
    document = load(spoilt(FLAG, "  key: newCheckout\n", "")).documents[0]
    assert b'"key"' not in document.canonical
    assert document.digest == digest_of(document.body())


def test_a_tombstone_has_a_digest_of_its_own() -> None:
    """It is the document with a null spec."""
    document = load(FLAG).documents[0]
    tombstone = document.tombstone()
    assert tombstone.subject == document.subject == "FlagDefinition/payments/new-checkout"
    assert tombstone.canonical == (
        b'{"apiVersion":"flagseal.dev/v1alpha1","kind":"FlagDefinition",'
        b'"metadata":{"name":"new-checkout","namespace":"payments"},"spec":null}'
    )


@pytest.mark.parametrize("subject", ["FlagDefinition/payments/x", "Organisation/organisation"])
def test_subjects_come_apart_as_they_were_put_together(subject: str) -> None:
    """Namespaced kinds have three parts, policies two."""
    assert subject_of(*split_subject(subject)) == subject


@pytest.mark.parametrize(
    "text",
    ["", "FlagDefinition/x", "Organisation/a/b", "PolicyTest/x", "Pod/a/b", "FlagDefinition//x", "Organisation/"],
)
def test_what_is_no_subject_is_refused(text: str) -> None:
    """Kinds that are not governed have none."""
    with pytest.raises(ValueError, match="not a subject"):
        split_subject(text)


def test_documents_of_equal_content_are_one_in_a_set() -> None:
    """The source does not count."""
    first, second = load(FLAG).documents[0], load(f"# {FLAG}"[:0] + FLAG).documents[0]
    assert len({first, second, Document("FlagDefinition", "payments", "new-checkout", first.spec)}) == 1


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_the_quick_way_gives_the_bytes_of_the_reference(value: Json) -> None:
    """Most documents are written by a fast encoder; none may come out otherwise than RFC 8785 has it."""
    assert canonical_json(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value", [{1: "a"}, {"a": {2, 3}}, b"bytes", 2**53, -(2**53), float("nan"), {"\ud800": 1}, "\udfff"]
)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    """Neither way makes something up for it."""
    with pytest.raises(ValueError, match=r"."):
        canonical_json(value)


def test_a_packed_document_is_the_same_document() -> None:
    """It keeps bytes in the place of objects: content, digest, equality and what can be read from it stay."""
    document = load(FLAG).documents[0]
    packed = document.packed()
    assert packed == document
    assert hash(packed) == hash(document)
    assert (packed.spec, packed.body(), packed.digest) == (document.spec, document.body(), document.digest)
    assert packed.packed() is packed
    assert not packed.is_tombstone
    assert packed.tombstone() == document.tombstone() == document.tombstone().packed()
    assert document.tombstone().packed().is_tombstone
