"""The messages we describe, against the code that a flagd provider generated from the published file."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor import FieldDescriptor
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2

from flagseal_relay.sync.messages import (
    FIELDS,
    PACKAGE,
    SERVICE,
    MalformedRequest,
    fetch_response,
    metadata_response,
    read_selector,
    sync_response,
)

THEIRS = sync_pb2.DESCRIPTOR


@pytest.mark.parametrize("name", FIELDS)
def test_each_message_has_the_published_fields(name: str) -> None:
    """Names, numbers and types are theirs, and none is left out."""
    fields = THEIRS.message_types_by_name[name].fields
    published = {
        field.name: (field.number, "" if field.message_type is None else f".{field.message_type.full_name}")
        for field in fields
    }
    assert published == FIELDS[name]
    assert {field.type for field in fields} <= {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE}


def test_the_service_has_the_published_name() -> None:
    """Package and service, which the path of a call is made of."""
    assert THEIRS.package == PACKAGE
    assert [service.full_name for service in THEIRS.services_by_name.values()] == [SERVICE]


@pytest.mark.parametrize("document", ["", "{}", '{"flags":{"grüße":{}}}', "x" * 100_000])
def test_answers_are_read_as_they_were_meant(document: str) -> None:
    """By the generated code; contexts are there and empty."""
    sync = sync_pb2.SyncFlagsResponse.FromString(sync_response(document))
    assert sync.flag_configuration == document
    assert sync.HasField("sync_context")
    assert len(sync.sync_context) == 0
    assert sync_pb2.FetchAllFlagsResponse.FromString(fetch_response(document)).flag_configuration == document
    metadata = sync_pb2.GetMetadataResponse.FromString(metadata_response())
    assert metadata.HasField("metadata")
    assert len(metadata.metadata) == 0


@pytest.mark.parametrize("selector", ["", "payments", "flagSetId=grüße"])
def test_requests_are_read_as_they_were_meant(selector: str) -> None:
    """Written by the generated code."""
    assert read_selector(sync_pb2.SyncFlagsRequest(selector=selector).SerializeToString()) == selector
    fetch = sync_pb2.FetchAllFlagsRequest(selector=selector, provider_id="somebody")
    assert read_selector(fetch.SerializeToString()) == selector


def test_fields_of_a_later_version_are_passed_over() -> None:
    """Protocol buffers promise that."""
    later = b"\x9a\x06\x03new" + sync_pb2.SyncFlagsRequest(selector="payments").SerializeToString()
    assert read_selector(later) == "payments"


@pytest.mark.parametrize("request_", [b"\xff", b"\x12\x05ab", b"\x12\x02\xff\xfe"])
def test_what_is_no_message_is_refused(request_: bytes) -> None:
    """A broken tag, a field cut short, text that is not UTF-8."""
    with pytest.raises(MalformedRequest):
        read_selector(request_)
