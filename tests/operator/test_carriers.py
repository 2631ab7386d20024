"""FlagApprovals carry statements and documents whole, or are refused with the place at which they do not."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal.approval.envelope import Envelope, Signature
from flagseal.model.errors import ApprovalError
from flagseal.model.schema.cluster import LARGEST_OBJECT
from flagseal_operator.carriers import carry, genesis_carrier, read_carrier, statement_carrier
from tests.snapshot.world import FLAGS, flag, policies

if TYPE_CHECKING:
    from collections.abc import Callable

ENVELOPE = Envelope(b"a statement", (Signature("SHA256:a", b"sig"),))
NAME = statement_carrier(ENVELOPE.payload)


def test_what_is_carried_arrives() -> None:
    """Envelopes with all signatures, documents to the byte, tombstones included."""
    documents = [*FLAGS, *policies(), FLAGS[0].tombstone()]
    (body,) = carry(NAME, documents, [ENVELOPE], committed="2026-11-23T10:00:00Z")
    found = read_carrier(json.loads(json.dumps(body)))
    assert found.envelopes == (ENVELOPE,)
    assert found.documents == {document.digest: document for document in documents}
    assert (found.name, found.committed) == (NAME, "2026-11-23T10:00:00Z")


@given(sizes=st.lists(st.integers(1, 900), min_size=1, max_size=12))
def test_no_object_is_larger_than_etcd_likes_and_nothing_is_left_behind(sizes: list[int]) -> None:
    """Large changes travel in parts, named on from the first."""
    documents = [
        flag(f"f-{number}", variants={"on": {"x": ["x" * 900] * size}, "off": {}}, safeVariant="off")
        for number, size in enumerate(sizes)
        if size < 500
    ]
    bodies = carry(NAME, documents, [ENVELOPE])
    assert all(len(json.dumps(body)) <= LARGEST_OBJECT for body in bodies)
    assert [body["metadata"]["name"] for body in bodies] == [  # type: ignore[index,call-overload]
        NAME if number == 1 else f"{NAME}-{number}" for number in range(1, len(bodies) + 1)
    ]
    read = [read_carrier(body) for body in bodies]
    assert [entry.envelopes for entry in read] == [(ENVELOPE,)] + [()] * (len(bodies) - 1)
    assert {digest for entry in read for digest in entry.documents} == {document.digest for document in documents}


def test_a_document_too_large_for_any_object_is_refused() -> None:
    """It would be refused by etcd, in words that help nobody."""
    with pytest.raises(ApprovalError) as refused:
        carry(NAME, [flag("large", variants={"on": {"x": "x" * LARGEST_OBJECT}, "off": {}})])
    assert refused.value.code == "CarrierTooLarge"


def _renamed(body: dict[str, Any]) -> None:
    body["metadata"]["name"] = genesis_carrier("sha256:" + "0" * 64)


def _respelt(body: dict[str, Any]) -> None:
    body["spec"]["documents"][0] = " " + body["spec"]["documents"][0]


SPOILS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "named by something else": _renamed,
    "named in words": lambda body: body["metadata"].update(name="latest"),
    "in another spelling": _respelt,
    "no JSON": lambda body: body["spec"].update(documents=["{"]),
    "no text": lambda body: body["spec"].update(documents=[{"kind": "FlagDefinition"}]),
    "no document": lambda body: body["spec"].update(documents=['{"kind":"PolicyTest"}']),
    "no list": lambda body: body["spec"].update(documents="x"),
    "no envelope": lambda body: body["spec"].update(envelopes=[{}]),
    "no list of envelopes": lambda body: body["spec"].update(envelopes={}),
    "an unknown field": lambda body: body["spec"].update(trust="me"),
    "no spec": lambda body: body.update(spec=None),
    "no metadata": lambda body: body.update(metadata=None),
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_what_is_not_whole_is_refused_with_its_place(spoil: Callable[[dict[str, Any]], Any]) -> None:
    """The resource says what is wrong with it; nothing of it is taken."""
    (body,) = carry(NAME, FLAGS, [ENVELOPE])
    spoilt: dict[str, Any] = copy.deepcopy(body)
    spoil(spoilt)
    with pytest.raises(ApprovalError) as refused:
        read_carrier(spoilt)
    assert refused.value.code == "CarrierMalformed"
    assert "$" in refused.value.message
    assert refused.value.remedy
