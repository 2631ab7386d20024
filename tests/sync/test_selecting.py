"""Which flags a selector selects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2

from flagseal.evaluation import FlagSet
from tests.relay.harness import FLAGS, MemorySource
from tests.sync.conftest import SEARCH, asking, company

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sync.conftest import Asked


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("flagSetId=payments", ""),
        ("source=payments", ""),
        ("payments", ""),
        ("payments/flags.json", ""),
        (None, "flagSetId=payments"),
        (None, "payments"),
        ("flagSetId=payments", "flagSetId=search"),
        ("payments", "flagSetId=nowhere"),
        ("", "payments"),
    ],
)
def test_a_namespace_goes_out_byte_for_byte(asked: Asked, header: str | None, body: str) -> None:
    """As a flag set or as a source, named by the header or by the body; the header wins unless it is empty."""
    assert asked.stream(body, header).text() == asked.published("payments")
    assert asked.fetch(body, header) == asked.published("payments")


def test_without_a_selector_all_namespaces_come_as_one(asked: Asked) -> None:
    """With what is true of all of them said once."""
    everything = asked.stream().document()
    assert set(everything["flags"]) == {*FLAGS, *SEARCH}
    assert everything["metadata"] == {"environment": "production"}
    assert json.loads(asked.fetch()) == everything


def test_a_flag_is_the_same_in_one_document_and_in_the_other(asked: Asked) -> None:
    """Its variants, its targeting, and the metadata that its answers carry: its own, then its flag set's."""
    everything, alone = asked.fetch(), asked.fetch("payments")
    merged, single = FlagSet.load(everything), FlagSet.load(alone)
    for key in FLAGS:
        assert merged.flag_metadata(key) == single.flag_metadata(key)
        for org in ("acme", "globex"):
            assert merged.evaluate(key, {"org": org}) == single.evaluate(key, {"org": org})
    assert merged.flag_metadata("targeted") == {
        "environment": "production",
        "flagSetId": "payments",
        "owner": "team-payments",
    }


def test_a_single_namespace_is_everything_there_is() -> None:
    """Then both documents say the same."""
    with asking(MemorySource(company(payments=FLAGS))) as asked:
        assert json.loads(asked.fetch()) == json.loads(asked.fetch("payments"))


def test_a_key_in_two_namespaces_is_in_the_document_of_neither_when_all_come_as_one() -> None:
    """Choosing would let a cheap flag answer for a dear one; each namespace alone still has its own."""
    flags = {"both": FLAGS["static"], "mine": FLAGS["static"]}
    with asking(MemorySource(company(payments=flags, search={"both": FLAGS["zero"]}))) as asked:
        assert asked.stream().flags() == {"mine"}
        assert asked.stream("search").flags() == {"both"}


CALLS: list[Callable[[Asked, str], object]] = [
    lambda asked, selector: asked.stream(selector).text(),
    lambda asked, selector: asked.fetch(selector),
]


@pytest.mark.parametrize("call", CALLS, ids=["SyncFlags", "FetchAllFlags"])
@pytest.mark.parametrize(
    ("selector", "code"),
    [
        ("flagSetId=nowhere", grpc.StatusCode.NOT_FOUND),
        ("nowhere", grpc.StatusCode.NOT_FOUND),
        ("core.openfeature.dev/team/flags", grpc.StatusCode.NOT_FOUND),
        ("x" * 5_000, grpc.StatusCode.NOT_FOUND),
        ("\r\nflagd: grüße\x00", grpc.StatusCode.NOT_FOUND),
        ("flagSetId=", grpc.StatusCode.INVALID_ARGUMENT),
        ("source=", grpc.StatusCode.INVALID_ARGUMENT),
        ("=payments", grpc.StatusCode.INVALID_ARGUMENT),
        ("flagsetid=payments", grpc.StatusCode.INVALID_ARGUMENT),
        ("team=payments", grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
def test_a_selector_that_selects_nothing_is_told_why(
    asked: Asked, call: Callable[[Asked, str], Any], selector: str, code: grpc.StatusCode
) -> None:
    """And gets no flags: an empty answer would look like flags that were all removed."""
    with pytest.raises(grpc.RpcError) as refused:
        call(asked, selector)
    assert refused.value.code() == code
    details = refused.value.details() or ""
    assert len(details) < 400
    assert "elect" in details


def test_two_headers_that_differ_are_refused(asked: Asked) -> None:
    """One could be shown to a proxy, and the other to us."""
    headers = (("flagd-selector", "payments"), ("flagd-selector", "search"))
    with pytest.raises(grpc.RpcError) as refused:
        asked.stub.FetchAllFlags(sync_pb2.FetchAllFlagsRequest(), metadata=headers, timeout=60)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_request_that_is_no_message_is_refused(asked: Asked) -> None:
    """As the caller's fault, not ours."""
    channel: Any = asked.channel
    for call in (
        channel.unary_unary("/flagd.sync.v1.FlagSyncService/FetchAllFlags"),
        lambda request: next(channel.unary_stream("/flagd.sync.v1.FlagSyncService/SyncFlags")(request, timeout=60)),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            call(b"\xff")
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_call_of_no_such_name_is_unimplemented(asked: Asked) -> None:
    """So that clients of a later version can tell."""
    channel: Any = asked.channel
    with pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary("/flagd.sync.v1.FlagSyncService/Later")(b"", timeout=60)
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_nothing_is_added_to_anybodys_context(asked: Asked) -> None:
    """Neither by the deprecated call nor beside the flags: answers would differ from those over HTTP."""
    metadata = asked.stub.GetMetadata(sync_pb2.GetMetadataRequest(), timeout=60)
    assert metadata.HasField("metadata")
    assert len(metadata.metadata) == 0
    first = next(asked.stub.SyncFlags(sync_pb2.SyncFlagsRequest(), timeout=60))
    assert first.HasField("sync_context")
    assert len(first.sync_context) == 0
