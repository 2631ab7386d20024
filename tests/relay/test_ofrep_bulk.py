"""OFREP for all flags: one answer, and the tag that says when it holds no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.relay.harness import FLAGS, MemoryNamespace, MemoryView, evaluation_body, view
from tests.relay.test_refreshing import eventually

if TYPE_CHECKING:
    from tests.relay.conftest import Asked


def test_a_bulk_answer_mixes_successes_and_failures(asked: Asked) -> None:
    """Each flag answers as it does alone, in the order of keys."""
    context = evaluation_body(org="acme")
    answer = asked.bulk(context)
    assert answer.status_code == 200
    flags = answer.json()["flags"]
    assert [flag["key"] for flag in flags] == sorted(FLAGS)
    assert flags == [asked.one(key, context).json() for key in sorted(FLAGS)]
    assert {flag["errorCode"] for flag in flags if "errorCode" in flag} == {"GENERAL", "PARSE_ERROR"}


def test_a_bulk_answer_says_which_snapshot_it_is(asked: Asked) -> None:
    """In metadata, in values that OFREP allows."""
    metadata = asked.bulk().json()["metadata"]
    assert (metadata["version"], metadata["sequence"], metadata["environment"]) == (1, 1, "production")
    assert all(isinstance(value, bool | str | int | float) for value in metadata.values())


def test_a_bulk_answer_points_at_the_event_stream(asked: Asked) -> None:
    """Under the name by which the client reached us."""
    assert asked.bulk().json()["eventStreams"] == [{"type": "sse", "url": f"{asked.server.url}/events"}]
    port = asked.server.port
    answer = asked.bulk(host=f"localhost:{port}")
    assert answer.json()["eventStreams"] == [{"type": "sse", "url": f"http://localhost:{port}/events"}]


def test_an_unchanged_answer_is_304_without_body(asked: Asked) -> None:
    """The tag comes along, the body does not."""
    first = asked.bulk(evaluation_body(org="acme"))
    again = asked.bulk(evaluation_body(org="acme"), if_none_match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '{},"other"'])
def test_tags_are_found_in_every_form(asked: Asked, form: str) -> None:
    """Weak, or in a list."""
    tag = asked.bulk().headers["etag"]
    assert asked.bulk(if_none_match=form.format(tag)).status_code == 304


def test_a_tag_without_quotes_is_understood(asked: Asked) -> None:
    """The protocol's own example has none."""
    tag = asked.bulk().headers["etag"]
    assert asked.bulk(if_none_match=tag.strip('"')).status_code == 304


@pytest.mark.parametrize("header", ["", "*", '"', '""', "other", 'W/"', "\\x00"])
def test_other_tags_get_the_whole_answer(asked: Asked, header: str) -> None:
    """Nothing but the tag itself means unchanged."""
    assert asked.bulk(if_none_match=header).status_code == 200


def test_the_tag_folds_in_the_context(asked: Asked) -> None:
    """Another context is another answer, even where the flags answer alike."""
    acme = asked.bulk(evaluation_body(org="acme"))
    initech = asked.bulk(evaluation_body(org="initech"), if_none_match=acme.headers["etag"])
    globex = asked.bulk(evaluation_body(org="globex"), if_none_match=initech.headers["etag"])
    assert (initech.status_code, globex.status_code) == (200, 200)
    assert len({acme.headers["etag"], initech.headers["etag"], globex.headers["etag"]}) == 3


def test_the_tag_does_not_depend_on_how_the_context_is_written(asked: Asked) -> None:
    """Order of keys and spaces are not content."""
    one = asked.bulk(b'{"context": {"org": "acme", "plan": "free"}}')
    other = asked.bulk(b'{"context":{"plan":"free","org":"acme"}}')
    assert one.headers["etag"] == other.headers["etag"]


def test_the_tag_folds_in_the_configuration(own: Asked) -> None:
    """A new snapshot ends what clients remember."""
    tag = own.bulk().headers["etag"]
    own.source.coming = view({**FLAGS, "static": {**FLAGS["static"], "defaultVariant": "off"}}, version=2)
    own.relay.notify()
    eventually(lambda: own.bulk(if_none_match=tag).status_code == 200)
    answer = own.bulk(if_none_match=tag)
    assert answer.headers["etag"] != tag
    assert next(flag for flag in answer.json()["flags"] if flag["key"] == "static")["variant"] == "off"


def test_the_tag_changes_with_the_snapshot_though_no_answer_does(own: Asked) -> None:
    """The answer says which snapshot it is from, so a client must not go on showing the old one."""
    tag = own.bulk().headers["etag"]
    own.source.coming = view(version=2)
    own.relay.notify()
    eventually(lambda: own.bulk().json()["metadata"]["version"] == 2)
    assert own.bulk().headers["etag"] != tag


def test_a_rule_that_only_time_switches_changes_the_tag(own: Asked) -> None:
    """Same snapshot, same context, another answer: 304 would keep a customer past the contract's end."""
    switch = 1_800_000_000
    now = [float(switch - 1)]
    timed = {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
        "targeting": {"if": [{"<": [{"var": "$flagd.timestamp"}, switch]}, "on", "off"]},
    }
    own.source.coming = MemoryView({"payments": MemoryNamespace.of({"timed": timed}, clock=lambda: now[0])}, version=2)
    own.relay.notify()
    eventually(lambda: own.bulk().json()["metadata"]["version"] == 2)
    first = own.bulk()
    assert first.json()["flags"][0]["variant"] == "on"
    assert own.bulk(if_none_match=first.headers["etag"]).status_code == 304
    now[0] = float(switch)
    after = own.bulk(if_none_match=first.headers["etag"])
    assert after.status_code == 200
    assert after.json()["flags"][0]["variant"] == "off"


@pytest.mark.parametrize(
    ("body", "code"), [(b"", "PARSE_ERROR"), (b"[]", "PARSE_ERROR"), (b'{"context": 1}', "INVALID_CONTEXT")]
)
def test_a_bulk_request_that_cannot_be_taken_answers_400(asked: Asked, body: bytes, code: str) -> None:
    """Code and details; there is no key."""
    answer = asked.bulk(body)
    assert answer.status_code == 400
    said = answer.json()
    assert said["errorCode"] == code
    assert said["errorDetails"]
    assert "key" not in said


def test_what_an_event_told_the_client_is_taken_along(asked: Asked) -> None:
    """OFREP clients repeat an event's tag and time in the query."""
    answer = asked.client.post(
        "/ofrep/v1/evaluate/flags?flagConfigEtag=abc&flagConfigLastModified=1771622898", content=b"{}"
    )
    assert answer.status_code == 200
