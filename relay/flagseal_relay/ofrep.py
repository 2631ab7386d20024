"""OFREP 0.3: one flag, or all of them, for one context.

Both are plain functions from a request's parts to a reply; the door (app.py) reads and sends.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from flagseal_relay.reply import Reply, empty_reply, json_reply
from flagseal_relay.request import BodyTooLarge, RequestRefused, parse_context

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagseal_relay.book import Book
    from flagseal_relay.metrics import Metrics

ALL_FLAGS: Final = "/ofrep/v1/evaluate/flags"
ONE_FLAG: Final = "/ofrep/v1/evaluate/flags/"
EVENTS: Final = "/events"

_ETAG: Final = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_CLOSE: Final = ((b"connection", b"close"),)

_encode: Final = msgspec.json.Encoder().encode


def answer_one(book: Book, key: str, body: bytes, metrics: Metrics) -> Reply:
    """Answer for one flag.

    Args:
        book: The snapshot's answers.
        key: The flag, as the path names it.
        body: The request's body.
        metrics: Where it is counted.
    """
    try:
        context = parse_context(body)
    except RequestRefused as refusal:
        return refuse(refusal, metrics, key=key)
    answer = book.one(key, context)
    answer.cell.count += 1
    return answer


def answer_all(book: Book, body: bytes, headers: Iterable[tuple[bytes, bytes]], scheme: str, metrics: Metrics) -> Reply:
    """Answer for all flags, or say that nothing changed since the client asked.

    Args:
        book: The snapshot's answers.
        body: The request's body.
        headers: The request's: ``If-None-Match``, and ``Host`` for the address of the event stream.
        scheme: ``http`` or ``https``.
        metrics: Where it is counted.
    """
    try:
        context = parse_context(body)
    except RequestRefused as refusal:
        return refuse(refusal, metrics)
    bulk = book.all(context)
    host = b""
    for name, value in headers:
        if name == b"if-none-match" and _names(value, bulk.etag):
            return empty_reply(304, [(b"etag", bulk.etag)])
        if name == b"host":
            host = value
    rest = _encode({"eventStreams": [_event_stream(scheme, host)], "metadata": book.metadata()})
    answer = b"".join((b'{"flags":[', b",".join(bulk.items), b"],", rest[1:]))
    return json_reply(200, answer, [(b"etag", bulk.etag)])


def refuse(refusal: RequestRefused, metrics: Metrics, *, key: str | None = None) -> Reply:
    """Answer a request that cannot be taken.

    Args:
        refusal: Why.
        metrics: Where it is counted.
        key: The flag asked for, if it is one.
    """
    metrics.bad_requests.count += 1
    body = {} if key is None else {"key": key}
    body |= {"errorCode": refusal.code, "errorDetails": refusal.details}
    return json_reply(400, _encode(body), _CLOSE if isinstance(refusal, BodyTooLarge) else ())


def _names(header: bytes, etag: bytes) -> bool:
    """Whether an If-None-Match names a tag; clients that strip the quotes are understood."""
    return etag in _ETAG.findall(header) or header.strip() == etag.strip(b'"')


def _event_stream(scheme: str, host: bytes) -> dict[str, object]:
    if _HOST.fullmatch(host) is None:
        return {"type": "sse", "endpoint": {"requestUri": EVENTS}}
    return {"type": "sse", "url": f"{scheme}://{host.decode('ascii')}{EVENTS}"}
