"""OFREP for one flag: each row of the table in compat.md."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from flagseal_relay.request import MAX_BODY, BodyTooLarge, read_rest
from tests.relay.harness import evaluation_body

if TYPE_CHECKING:
    from starlette.types import Message

    from tests.relay.conftest import Asked


@pytest.mark.parametrize(
    ("key", "context", "expected"),
    [
        ("static", {}, {"value": True, "variant": "on", "reason": "STATIC"}),
        ("targeted", {"org": "acme"}, {"value": True, "variant": "on", "reason": "TARGETING_MATCH"}),
        ("targeted", {"org": "globex"}, {"value": False, "variant": "off", "reason": "DEFAULT"}),
        ("zero", {}, {"value": 0, "variant": "none", "reason": "STATIC"}),
        ("empty-text", {}, {"value": "", "variant": "none", "reason": "STATIC"}),
        ("limits", {}, {"value": {"seats": 5}, "variant": "small", "reason": "STATIC"}),
        ("undecided", {"org": "globex"}, {"reason": "DEFAULT"}),
        ("disabled", {}, {"reason": "DISABLED"}),
    ],
)
def test_a_served_flag_answers_200(
    asked: Asked, key: str, context: dict[str, object], expected: dict[str, object]
) -> None:
    """Key, reason, and value and variant exactly where there are some."""
    answer = asked.one(key, evaluation_body(**context))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    body.pop("metadata", None)
    assert body == {"key": key, **expected}


def test_a_whole_float_keeps_its_point(asked: Asked) -> None:
    """The Python client takes `1` for an integer and refuses it for a float flag."""
    assert b'"value":1.0' in asked.one("whole-float").content


def test_metadata_of_flag_and_flag_set_come_along(asked: Asked) -> None:
    """Owner from the flag, environment from the set; nothing about staleness while fresh."""
    metadata = asked.one("targeted").json()["metadata"]
    assert metadata["owner"] == "team-payments"
    assert metadata["environment"] == "production"
    assert "stale" not in metadata


@pytest.mark.parametrize(("key", "code"), [("unknown-variant", "GENERAL"), ("malformed", "PARSE_ERROR")])
def test_a_flag_that_cannot_be_evaluated_answers_400(asked: Asked, key: str, code: str) -> None:
    """Key, code and details, always all three."""
    answer = asked.one(key)
    assert answer.status_code == 400
    body = answer.json()
    assert (body["key"], body["errorCode"]) == (key, code)
    assert body["errorDetails"]


def test_a_flag_that_is_not_served_answers_404(asked: Asked) -> None:
    """With the key as it was asked for, and details."""
    answer = asked.one("nowhere")
    assert answer.status_code == 404
    body = answer.json()
    assert (body["key"], body["errorCode"]) == ("nowhere", "FLAG_NOT_FOUND")
    assert "nowhere" in body["errorDetails"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "PARSE_ERROR"),
        (b"not json", "PARSE_ERROR"),
        (b'{"context": {}', "PARSE_ERROR"),
        (b'{"context": {"a": "\xff"}}', "PARSE_ERROR"),
        (b'{"context": {"a": NaN}}', "PARSE_ERROR"),
        (b"[]", "PARSE_ERROR"),
        (b'"text"', "PARSE_ERROR"),
        (b'{"context": []}', "INVALID_CONTEXT"),
        (b'{"context": null}', "INVALID_CONTEXT"),
        (b'{"context": "u1"}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": 7}}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": null}}', "INVALID_CONTEXT"),
        (b'{"context": {"a": "' + b"x" * 300_000 + b'"}}', "INVALID_CONTEXT"),
        (b'{"context": {"a": ' + b"[" * 100 + b"]" * 100 + b"}}", "PARSE_ERROR"),
        (b'{"context": {"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}}", "PARSE_ERROR"),
        (b'{"context": {"a": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}}", "PARSE_ERROR"),
        (b'{"context": {"a": ' + b"9" * 10_000 + b"}}", "PARSE_ERROR"),
    ],
)
def test_a_request_that_cannot_be_taken_answers_400(asked: Asked, body: bytes, code: str) -> None:
    """With the key, the code, and what is wrong with it."""
    answer = asked.one("static", body)
    assert answer.status_code == 400
    said = answer.json()
    assert (said["key"], said["errorCode"]) == ("static", code)
    assert said["errorDetails"]


@pytest.mark.parametrize("body", [b"{}", b'{"context": {}}', b'{"context": {"org": "acme"}}', b' {"other": 1} '])
def test_an_absent_context_or_targeting_key_is_none(asked: Asked, body: bytes) -> None:
    """Clients leave out what the application did not give."""
    assert asked.one("static", body).status_code == 200


def test_nesting_within_the_limit_is_taken(asked: Asked) -> None:
    """Many brackets are not the same as deep ones."""
    body = json.dumps({"context": {"wide": [[i] for i in range(1000)], "deep": json.loads("[" * 60 + "]" * 60)}})
    assert asked.one("static", body.encode()).status_code == 200


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain", "x"])
def test_any_content_type_is_taken(asked: Asked, content_type: str) -> None:
    """`curl -d` calls JSON a form."""
    assert asked.one("static", evaluation_body(), **{"content-type": content_type}).status_code == 200


def test_a_body_in_pieces_is_read_to_its_end(asked: Asked) -> None:
    """Chunked bodies have no length beforehand."""

    def pieces() -> Any:  # noqa: ANN401 (httpx takes any iterator of bytes)
        yield b'{"context": {"or'
        yield b'g": "acme"}}'

    answer = asked.client.post("/ofrep/v1/evaluate/flags/targeted", content=pieces())
    assert answer.json()["variant"] == "on"


def test_an_endless_body_is_cut_off(asked: Asked) -> None:
    """With OFREP's own answer, whatever length was announced."""

    def pieces() -> Any:  # noqa: ANN401
        for _ in range(64):
            yield b"x" * 10_000

    answer = asked.client.post("/ofrep/v1/evaluate/flags/static", content=pieces())
    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "INVALID_CONTEXT"


def test_reading_stops_at_the_limit() -> None:
    """What comes after it is never asked for."""
    read = 0

    async def endless() -> Message:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b"x" * 10_000, "more_body": True}

    with pytest.raises(BodyTooLarge):
        asyncio.run(read_rest(b"", endless))
    assert read == MAX_BODY // 10_000 + 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_evaluations_are_asked_for_with_post(asked: Asked, method: str) -> None:
    """And a browser's preflight learns nothing."""
    answer = asked.client.request(method, "/ofrep/v1/evaluate/flags/static")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("key", ["a/b", "a b", "ключ", "%", "..", "a\x00b", '"quoted"', "🏳"])
def test_any_key_is_echoed_as_asked(asked: Asked, key: str) -> None:
    """Whatever it is made of."""
    answer = asked.client.post(f"/ofrep/v1/evaluate/flags/{quoted(key)}", content=b"{}")
    assert answer.status_code == 404
    assert answer.json()["key"] == key


def quoted(key: str) -> str:
    """Give a key as a path's segment, with nothing left for a client to normalise."""
    return "".join(f"%{byte:02X}" for byte in key.encode())
