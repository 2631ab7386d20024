"""The published OpenAPI file of OFREP 0.3 against what the relay really answers.

The file contradicts its own examples in three places, and the examples are followed (compat.md). Each is patched by
name here, and a test holds that the patch is still needed.
"""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import yaml

from tests.relay.conftest import asking
from tests.relay.harness import FLAGS, MemorySource, evaluation_body
from tests.relay.test_events import listening

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.relay.conftest import Asked


def a_value_is_of_at_least_one_type(schemas: dict[str, Any]) -> None:
    """`oneOf` on 200: every value also fits the schema of no value, and every integer that of a float."""
    alternatives = schemas["evaluationSuccess"]["allOf"][1]
    alternatives["anyOf"] = alternatives.pop("oneOf")


def default_is_a_reason(schemas: dict[str, Any]) -> None:
    """DEFAULT is missing from the reasons."""
    schemas["evaluationSuccess"]["allOf"][0]["properties"]["reason"]["enum"].append("DEFAULT")


def a_flag_may_be_missing_in_bulk(schemas: dict[str, Any]) -> None:
    """The bulk example answers FLAG_NOT_FOUND for one flag, which its schema has no room for."""
    schemas["bulkEvaluationSuccess"]["properties"]["flags"]["items"]["oneOf"].append(
        {"$ref": "#/components/schemas/flagNotFound"}
    )


PATCHES: tuple[Callable[[dict[str, Any]], None], ...] = (
    a_value_is_of_at_least_one_type,
    default_is_a_reason,
    a_flag_may_be_missing_in_bulk,
)


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    """Read the file as it was published."""
    path = os.environ.get("OFREP_OPENAPI")
    if path is None:
        pytest.skip("OFREP_OPENAPI names no copy of OFREP's openapi.yaml")
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 (a path from outside)
        document = yaml.safe_load(file)
    assert isinstance(document, dict)
    return document


@pytest.fixture(scope="module")
def patched(published: dict[str, Any]) -> dict[str, Any]:
    """Take the three contradictions out."""
    document = copy.deepcopy(published)
    for patch in PATCHES:
        patch(document["components"]["schemas"])
    return document


def fits(document: dict[str, Any], schema: str, value: object) -> None:
    """Hold a value against one of the file's schemas."""
    jsonschema_rs.validate({**document, "$ref": f"#/components/schemas/{schema}"}, value)


def documented(document: dict[str, Any], path: str, status: int) -> None:
    """Hold a status against those that the file knows for a path."""
    assert str(status) in document["paths"][path]["post"]["responses"]


ONE = "/ofrep/v1/evaluate/flags/{key}"
ALL = "/ofrep/v1/evaluate/flags"


@pytest.mark.parametrize("key", [*FLAGS, "nowhere"])
@pytest.mark.parametrize("org", ["acme", "globex"])
def test_single_answers_fit_the_schema_of_their_status(
    asked: Asked, patched: dict[str, Any], key: str, org: str
) -> None:
    """200, 400 and 404 each have their own."""
    answer = asked.one(key, evaluation_body(targetingKey="u1", org=org))
    documented(patched, ONE, answer.status_code)
    schema = {200: "serverEvaluationSuccess", 400: "evaluationFailure", 404: "flagNotFound"}[answer.status_code]
    fits(patched, schema, answer.json())


@pytest.mark.parametrize("body", [b"", b"[]", b'{"context": 1}', b'{"context": {"targetingKey": 1}}'])
def test_refusals_fit_their_schemas(asked: Asked, patched: dict[str, Any], body: bytes) -> None:
    """Single ones name the key, bulk ones have none."""
    fits(patched, "evaluationFailure", asked.one("static", body).json())
    fits(patched, "bulkEvaluationFailure", asked.bulk(body).json())


def test_bulk_answers_fit_their_schema(asked: Asked, patched: dict[str, Any]) -> None:
    """Successes, failures, event streams and metadata."""
    answer = asked.bulk(evaluation_body(targetingKey="u1", org="acme"))
    documented(patched, ALL, answer.status_code)
    fits(patched, "bulkEvaluationSuccess", answer.json())


def test_events_fit_their_schema(asked: Asked, patched: dict[str, Any]) -> None:
    """What our own clients read beside it is allowed there."""
    with listening(asked.server.url) as listener:
        fits(patched, "sseEventData", listener.data())


def test_an_unready_relay_answers_as_the_file_knows(patched: dict[str, Any]) -> None:
    """500 with details: 503 is none of OFREP's."""
    for waiting in asking(MemorySource()):
        for path, answer in ((ONE, waiting.one("static")), (ALL, waiting.bulk())):
            documented(patched, path, answer.status_code)
            fits(patched, "generalErrorResponse", answer.json())


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.__name__)
def test_each_contradiction_is_still_in_the_published_file(
    published: dict[str, Any], patch: Callable[[dict[str, Any]], None]
) -> None:
    """With the two other patches alone, an answer that its own examples show does not fit."""
    document = copy.deepcopy(published)
    for other in PATCHES:
        if other is not patch:
            other(document["components"]["schemas"])
    bulk = {
        "flags": [
            {"key": "discount-banner", "value": True, "reason": "TARGETING_MATCH", "variant": "enabled"},
            {"key": "limit", "value": 5, "reason": "DEFAULT"},
            {"key": "non-existent-flag", "errorCode": "FLAG_NOT_FOUND", "errorDetails": "was not found"},
        ]
    }
    with pytest.raises(jsonschema_rs.ValidationError):
        fits(document, "bulkEvaluationSuccess", bulk)
    patch(document["components"]["schemas"])
    fits(document, "bulkEvaluationSuccess", bulk)
