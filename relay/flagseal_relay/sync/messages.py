"""The messages of ``flagd.sync.v1``, as far as a server needs them.

They are described here and not generated: it is six fields. The description lives in a pool of its own, since the
global one takes a name only once, and an application may have the generated code of a flagd provider in it.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pool, message_factory, struct_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import DecodeError

from flagseal.model.errors import FlagsealError

PACKAGE: Final = "flagd.sync.v1"
SERVICE: Final = f"{PACKAGE}.FlagSyncService"

_STRUCT: Final = ".google.protobuf.Struct"
FIELDS: Final = {
    "SyncFlagsRequest": {"provider_id": (1, ""), "selector": (2, "")},
    "SyncFlagsResponse": {"flag_configuration": (1, ""), "sync_context": (2, _STRUCT)},
    "FetchAllFlagsRequest": {"provider_id": (1, ""), "selector": (2, "")},
    "FetchAllFlagsResponse": {"flag_configuration": (1, "")},
    "GetMetadataResponse": {"metadata": (2, _STRUCT)},
}
"""By message and field: its number, and its type unless it is a string."""


class MalformedRequest(FlagsealError):
    """Refuse bytes that are not the message they should be."""

    code = "MalformedRequest"


def read_selector(request: bytes) -> str:
    """Give the selector of a SyncFlagsRequest or a FetchAllFlagsRequest, which are of one form; empty if it has none.

    Raises:
        MalformedRequest: It is neither.
    """
    message = _CLASSES["SyncFlagsRequest"]()
    try:
        message.ParseFromString(request)
    except DecodeError as error:
        raise MalformedRequest(f"The request is no flagd.sync.v1 message: {error}.") from None
    return str(message.selector)


def sync_response(document: str) -> bytes:
    """Write a SyncFlagsResponse.

    Its ``sync_context`` is there and empty: nothing is added to the contexts that applications evaluate in, and
    nothing is to be asked for with GetMetadata.

    Args:
        document: A flagd document.
    """
    message = _CLASSES["SyncFlagsResponse"](flag_configuration=document)
    message.sync_context.SetInParent()
    return bytes(message.SerializeToString())


def fetch_response(document: str) -> bytes:
    """Write a FetchAllFlagsResponse."""
    return bytes(_CLASSES["FetchAllFlagsResponse"](flag_configuration=document).SerializeToString())


def metadata_response() -> bytes:
    """Write a GetMetadataResponse that adds nothing, but says so: the Python provider fails without the field."""
    message = _CLASSES["GetMetadataResponse"]()
    message.metadata.SetInParent()
    return bytes(message.SerializeToString())


def _classes() -> dict[str, Any]:
    file = FileDescriptorProto(
        name="flagseal/flagd-sync.proto",
        package=PACKAGE,
        syntax="proto3",
        dependency=[struct_pb2.DESCRIPTOR.name],
    )
    for name, fields in FIELDS.items():
        described = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            described.field.add(
                name=field,
                number=number,
                label=FieldDescriptorProto.LABEL_OPTIONAL,
                type=FieldDescriptorProto.TYPE_MESSAGE if kind else FieldDescriptorProto.TYPE_STRING,
                type_name=kind or None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in FIELDS}


_CLASSES: Final = _classes()
