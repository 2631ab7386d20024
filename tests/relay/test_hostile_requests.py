"""Anything may arrive. Every request gets an answer of OFREP's form, and the next one is answered too."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

from hypothesis import example, given
from hypothesis import strategies as st

from flagseal_relay.request import RequestRefused, parse_context
from tests.relay.harness import FLAGS

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from tests.relay.conftest import Asked

CODES = {"PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "GENERAL"}

json_values: SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
contexts = st.dictionaries(st.sampled_from(["org", "targetingKey", "app", "$flagd", "", "a.b"]), json_values)
bodies = st.one_of(
    st.binary(max_size=200),
    json_values.map(lambda value: json.dumps(value).encode()),
    contexts.map(lambda context: json.dumps({"context": context}).encode()),
    st.builds(
        lambda text, at: text[: at % (len(text) + 1)], contexts.map(lambda c: json.dumps(c).encode()), st.integers(0)
    ),
)
keys = st.one_of(st.sampled_from(sorted(FLAGS)), st.text(max_size=40), st.binary(max_size=20))


def check_one(status: int, body: dict[str, Any], key: str) -> None:
    """Hold one answer against the table."""
    assert body["key"] == key
    if status == 200:
        assert isinstance(body["reason"], str)
        assert ("value" in body) == ("variant" in body)
    else:
        assert (status, body["errorCode"]) == (404, "FLAG_NOT_FOUND") or (status == 400 and body["errorCode"] in CODES)
        assert isinstance(body["errorDetails"], str)
        assert body["errorDetails"]


@given(key=keys, body=bodies)
@example(key="static", body=b'{"context": {"\\ud800": "\\udfff"}}')
@example(key="targeted", body=b'{"context": {"org": 1e400}}')
@example(key="a\ud800", body=b"{}")
def test_any_key_and_body_get_an_answer_of_the_right_form(asked: Asked, key: str | bytes, body: bytes) -> None:
    """One of the table's rows, whatever is sent."""
    raw = key if isinstance(key, bytes) else key.encode(errors="surrogatepass")
    path = "".join(f"%{byte:02X}" for byte in raw)
    answer = asked.client.post(f"/ofrep/v1/evaluate/flags/{path}", content=body)
    check_one(answer.status_code, answer.json(), raw.decode(errors="replace"))


@given(body=bodies, tag=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=40))
def test_any_body_gets_a_bulk_answer_of_the_right_form(asked: Asked, body: bytes, tag: str) -> None:
    """All flags, or why not."""
    answer = asked.client.post(
        "/ofrep/v1/evaluate/flags", content=body, headers={b"if-none-match": tag.strip().encode("latin-1")}
    )
    said = answer.json()
    if answer.status_code == 200:
        assert [flag["key"] for flag in said["flags"]] == sorted(FLAGS)
        for flag in said["flags"]:
            check_one(400 if "errorCode" in flag else 200, flag, flag["key"])
    else:
        assert answer.status_code == 400
        assert said["errorCode"] in CODES
        assert said["errorDetails"]


@given(body=st.one_of(bodies, st.binary()))
def test_reading_a_context_gives_one_or_refuses(body: bytes) -> None:
    """Nothing else comes out of it."""
    assert read(body) in CODES | {"taken"}


def read(body: bytes) -> str:
    """Read a context, and give the code under which it was refused, if it was."""
    try:
        context = parse_context(body)
    except RequestRefused as refusal:
        return refusal.code
    return "taken" if isinstance(context.get("targetingKey", ""), str) else "taken for one, though it is none"


@given(
    line=st.sampled_from([b"POST /ofrep/v1/evaluate/flags/static HTTP/1.1", b"GET /events HTTP/1.1", b"GET / HTTP/1.1"])
    | st.binary(max_size=60),
    headers=st.lists(
        st.sampled_from(
            [
                b"Host: localhost",
                b"Host: a",
                b"Content-Length: 5",
                b"Content-Length: -1",
                b"Content-Length: 99999999999999999999",
                b"Transfer-Encoding: chunked",
                b"Upgrade: websocket",
                b"Connection: Upgrade",
                b"Expect: 100-continue",
                b"Last-Event-ID: \xff\xfe",
            ]
        )
        | st.binary(max_size=40),
        max_size=6,
    ),
    body=st.binary(max_size=60),
)
def test_no_bytes_on_the_wire_stop_the_relay(asked: Asked, line: bytes, headers: list[bytes], body: bytes) -> None:
    """Not every stranger speaks HTTP."""
    with socket.create_connection((asked.server.host, asked.server.port), timeout=60) as wire:
        wire.sendall(b"\r\n".join([line, *headers, b"", body]))
    assert asked.one("static").status_code == 200
