"""Reading an OFREP request: bytes of anybody's making into an evaluation context, or a refusal that says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from flagseal.model.errors import FlagsealError

if TYPE_CHECKING:
    from starlette.types import Receive

MAX_BODY: Final = 256 * 1024
"""Bytes of a request's body; as much as a flag's own file may have."""

MAX_DEPTH: Final = 64
"""Levels of nesting in a request's body."""

_decode: Final = msgspec.json.Decoder().decode


class RequestRefused(FlagsealError):
    """Refuse a request whose body cannot be taken.

    ``code`` is OFREP's: ``PARSE_ERROR`` for what is not JSON of the request's form, ``INVALID_CONTEXT`` for a
    context that cannot be one.
    """

    code = "PARSE_ERROR"

    @property
    def details(self) -> str:
        """Everything a person needs, as one text."""
        return f"{self.message} {self.remedy}".rstrip()


class BodyTooLarge(RequestRefused):
    """Refuse a body over :data:`MAX_BODY`; the rest of it is not read, so the connection cannot be used again."""

    code = "INVALID_CONTEXT"

    def __init__(self) -> None:
        super().__init__(
            f"The body is over {MAX_BODY // 1024} KiB.",
            remedy="Send only the attributes that flags look at.",
        )


class ClientGone(Exception):
    """End the handling of a request whose sender has left."""


async def read_rest(first: bytes, receive: Receive) -> bytes:
    """Read a body of several pieces.

    Raises:
        BodyTooLarge: It goes over :data:`MAX_BODY`.
        ClientGone: The sender left in the middle.
    """
    pieces = [first]
    size = len(first)
    while size <= MAX_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if not message.get("more_body", False):
            return b"".join(pieces)
    raise BodyTooLarge


def parse_context(body: bytes) -> dict[str, Any]:
    """Read the evaluation context out of a body.

    An absent ``context`` is an empty one, and ``targetingKey`` may be absent, though the published schema requires
    both: the Python client leaves them out where the application gave none, and flagd's own server takes that.
    What is present must have the right type.

    Raises:
        RequestRefused: The body is too large, too deep, not JSON, or its context is none.
    """
    if len(body) > MAX_BODY:
        raise BodyTooLarge
    try:
        request = _decode(body)
    except msgspec.DecodeError as error:
        raise RequestRefused(f"The body is not JSON: {error}.", remedy='Send {"context": {…}}.') from None
    except UnicodeDecodeError:
        raise RequestRefused("The body is not UTF-8.", remedy="JSON is sent as UTF-8.") from None
    except RecursionError:
        raise _too_deep() from None
    # Counting brackets costs nothing and bounds the depth from above; few requests need the walk.
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _depth_exceeds(request, MAX_DEPTH):
        raise _too_deep()
    if type(request) is not dict:
        raise RequestRefused(f"The body is {_kind(request)}, not an object.", remedy='Send {"context": {…}}.')
    context = request.get("context", _ABSENT)
    if context is _ABSENT:
        return {}
    if type(context) is not dict:
        raise RequestRefused(f"$.context is {_kind(context)}, not an object.", code="INVALID_CONTEXT")
    if type(context.get("targetingKey", "")) is not str:
        kind = _kind(context["targetingKey"])
        raise RequestRefused(
            f"$.context.targetingKey is {kind}, not a string.",
            code="INVALID_CONTEXT",
            remedy="Leave it out if there is none.",
        )
    return context


_ABSENT: Final = object()


def _too_deep() -> RequestRefused:
    return RequestRefused(
        f"The body nests deeper than {MAX_DEPTH} levels.",
        remedy="Send only the attributes that flags look at.",
    )


def _depth_exceeds(value: object, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"
