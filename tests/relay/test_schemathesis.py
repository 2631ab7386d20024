"""Requests that schemathesis makes up from OFREP's published OpenAPI file, right ones and wrong ones, against a relay.

The three places in which the file contradicts its own examples are patched by name in ``test_ofrep_schemas.py``.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.relay.harness import FLAGS
from tests.relay.test_ofrep_schemas import patched, published

if TYPE_CHECKING:
    from schemathesis import BaseSchema

    from tests.relay.conftest import Asked

__all__ = ["patched", "published"]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    positive_data_acceptance,
    unsupported_method,
]
"""All that speak of OFREP, but two: tokens are not needed here yet (``ignored_auth``), and a body without a context or
a targeting key is answered on purpose, since clients send that (``negative_data_rejection``)."""

ONE, ALL = "/ofrep/v1/evaluate/flags/{key}", "/ofrep/v1/evaluate/flags"
BROKEN = {"malformed", "unknown-variant"}
"""Flags that answer 400 to requests with nothing wrong in them."""


@pytest.fixture(scope="module")
def ofrep(patched: dict[str, Any]) -> BaseSchema:
    """Read the patched file, and say which keys to ask for: made-up ones are all 404, and broken flags all 400."""
    document = copy.deepcopy(patched)
    key = document["paths"][ONE]["post"]["parameters"][0]
    key["schema"] = {"type": "string", "enum": [*sorted({*FLAGS} - BROKEN), "nowhere"]}
    return schemathesis.openapi.from_dict(document)


@pytest.mark.parametrize("path", [ONE, ALL])
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@settings(suppress_health_check=list(HealthCheck))  # What it draws is not ours to make faster.
@given(data=st.data())
def test_answers_are_what_the_published_file_says(
    data: st.DataObject, path: str, mode: GenerationMode, ofrep: BaseSchema, asked: Asked
) -> None:
    """Status, headers, content type and body, whether what is asked is right or wrong."""
    case = data.draw(ofrep[path]["POST"].as_strategy(generation_mode=mode))
    case.call_and_validate(base_url=asked.server.url, checks=CHECKS)
