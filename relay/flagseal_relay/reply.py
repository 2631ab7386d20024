"""A finished HTTP answer, and how it goes out; nothing here knows what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Send

    Header = tuple[bytes, bytes]

_JSON: Final = (b"content-type", b"application/json")
_COMMON_LENGTH: Final = 4096

_encode: Final = msgspec.json.Encoder().encode
_starts: dict[tuple[int, int], dict[str, Any]] = {}


class Reply:
    """A status, headers and a body, ready to be sent any number of times."""

    __slots__ = ("body", "start")

    def __init__(self, start: dict[str, Any], body: bytes) -> None:
        self.start = start
        self.body = body

    @property
    def status(self) -> int:
        """The HTTP status code."""
        return int(self.start["status"])

    async def send(self, send: Send) -> None:
        """Send it."""
        await send(self.start)
        await send({"type": "http.response.body", "body": self.body})


def json_start(status: int, length: int) -> dict[str, Any]:
    """Give the opening message of a JSON answer; those of common lengths are shared, and never changed by anyone."""
    start = _starts.get((status, length))
    if start is None:
        start = _start(status, (_JSON, (b"content-length", b"%d" % length)))
        if length <= _COMMON_LENGTH:
            _starts[status, length] = start
    return start


def json_reply(status: int, body: bytes, headers: Sequence[Header] = ()) -> Reply:
    """Give an answer whose body is JSON already."""
    if not headers:
        return Reply(json_start(status, len(body)), body)
    return Reply(_start(status, (_JSON, (b"content-length", b"%d" % len(body)), *headers)), body)


def empty_reply(status: int, headers: Sequence[Header]) -> Reply:
    """Give an answer without a body (304)."""
    return Reply(_start(status, headers), b"")


def error_reply(status: int, details: str, headers: Sequence[Header] = ()) -> Reply:
    """Give an answer that says why there is none: OFREP's ``{"errorDetails": …}``."""
    return json_reply(status, _encode({"errorDetails": details}), headers)


def _start(status: int, headers: Sequence[Header]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}
