"""Every kind of answer in OpenFeature's words: types, reasons, error codes, metadata."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openfeature import api
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagResolutionDetails, FlagType, Reason

from flagseal.evaluation import Evaluation
from flagseal.provider.resolution import TypeMismatch, fitting, resolved
from tests.provider.harness import ACME, DOMAIN, GLOBEX
from tests.provider.memory import MemoryProvider
from tests.relay.harness import FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openfeature.client import OpenFeatureClient
    from openfeature.flag_evaluation import FlagEvaluationDetails


def constant(value: object) -> dict[str, Any]:
    """Write down a flag with one variant."""
    return {"state": "ENABLED", "variants": {"it": value}, "defaultVariant": "it"}


VALUES: dict[str, Any] = {
    "boolean": True,
    "text": "blue",
    "integer": 7,
    "whole": 7.0,
    "fraction": 0.5,
    "huge": 10**400,
    "object": {"seats": 5},
    "list": [1, 2],
}
TYPES: dict[FlagType, Any] = {
    FlagType.BOOLEAN: False,
    FlagType.STRING: "default",
    FlagType.INTEGER: -1,
    FlagType.FLOAT: -1.0,
    FlagType.OBJECT: {"default": True},
}
FITS: dict[FlagType, dict[str, Any]] = {
    FlagType.BOOLEAN: {"boolean": True},
    FlagType.STRING: {"text": "blue"},
    FlagType.INTEGER: {"integer": 7, "whole": 7, "huge": 10**400},
    FlagType.FLOAT: {"integer": 7.0, "whole": 7.0, "fraction": 0.5},
    FlagType.OBJECT: {"object": {"seats": 5}, "list": [1, 2]},
}


@pytest.fixture(scope="module")
def client() -> Iterator[OpenFeatureClient]:
    """Serve the relay's table of answers, a flag of each type, and a key that two namespaces have."""
    namespaces = {
        "payments": {**FLAGS, **{key: constant(value) for key, value in VALUES.items()}, "twice": constant(True)},
        "search": {"twice": constant(False), "ranker": constant("v2")},
    }
    api.set_provider_and_wait(MemoryProvider(namespaces), DOMAIN)
    yield api.get_client(DOMAIN)
    api.shutdown()


def both(client: OpenFeatureClient, kind: FlagType, key: str, default: Any) -> FlagEvaluationDetails[Any]:  # noqa: ANN401
    """Ask both ways, which have to agree, and give the answer."""
    details = client.evaluate_flag_details(kind, key, default, ACME)
    later = asyncio.run(client.evaluate_flag_details_async(kind, key, default, ACME))
    assert details == later
    return details


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("key", VALUES)
def test_a_value_is_given_in_the_type_asked_for_or_not_at_all(
    client: OpenFeatureClient, kind: FlagType, key: str
) -> None:
    """JSON has one kind of number; apart from that, another type is TYPE_MISMATCH and the application's default."""
    details = both(client, kind, key, TYPES[kind])
    if key in FITS[kind]:
        assert details.value == FITS[kind][key]
        assert type(details.value) is type(FITS[kind][key])
        assert (details.reason, details.variant, details.error_code) == (Reason.STATIC, "it", None)
        return
    assert (details.value, details.reason, details.variant) == (TYPES[kind], Reason.ERROR, None)
    assert details.error_code is ErrorCode.TYPE_MISMATCH
    assert details.error_message


@pytest.mark.parametrize(
    ("key", "value", "reason", "variant", "code"),
    [
        ("static", True, Reason.STATIC, "on", None),
        ("targeted", True, Reason.TARGETING_MATCH, "on", None),
        ("undecided", True, Reason.TARGETING_MATCH, "on", None),
        ("disabled", "default", Reason.DISABLED, None, None),
        ("unknown-variant", "default", Reason.ERROR, None, ErrorCode.GENERAL),
        ("malformed", "default", Reason.ERROR, None, ErrorCode.PARSE_ERROR),
        ("no-such-flag", "default", Reason.ERROR, None, ErrorCode.FLAG_NOT_FOUND),
        ("twice", "default", Reason.ERROR, None, ErrorCode.GENERAL),
        ("", "default", Reason.ERROR, None, ErrorCode.FLAG_NOT_FOUND),
    ],
)
@pytest.mark.parametrize("default", [False, True])
def test_each_row_of_the_table_of_answers(
    client: OpenFeatureClient,
    key: str,
    value: object,
    reason: Reason,
    variant: str | None,
    code: ErrorCode | None,
    default: bool,
) -> None:
    """Where no variant is served, the application's own default is, whether or not that is an error."""
    details = both(client, FlagType.BOOLEAN, key, default)
    assert details.value is (default if value == "default" else value)
    assert (details.reason, details.variant, details.error_code) == (reason, variant, code)
    assert bool(details.error_message) == (code is not None)


def test_nothing_decided_and_no_default_is_the_applications_default(client: OpenFeatureClient) -> None:
    """With reason DEFAULT, and without an error."""
    details = client.get_boolean_details("undecided", True, GLOBEX)
    assert (details.value, details.reason, details.variant) == (True, Reason.DEFAULT, None)
    assert details.error_code is None


def test_zero_values_are_values(client: OpenFeatureClient) -> None:
    """No default takes the place of 0 or the empty text."""
    assert client.get_integer_value("zero", 5) == 0
    assert client.get_string_value("empty-text", "default") == ""


def test_metadata_pass_through_as_the_callers_own(client: OpenFeatureClient) -> None:
    """Of flag and flag set; hooks may copy, write and even change them."""
    details = client.get_boolean_details("targeted", False, ACME)
    assert details.flag_metadata == {"owner": "team-payments", "flagSetId": "payments", "environment": "production"}
    assert json.loads(json.dumps(details.flag_metadata)) == details.flag_metadata
    assert pickle.loads(pickle.dumps(copy.deepcopy(details))) == details  # noqa: S301 (our own)
    details.flag_metadata["owner"] = "me"  # type: ignore[index]
    assert client.get_boolean_details("targeted", False, ACME).flag_metadata["owner"] == "team-payments"


def test_objects_are_the_callers_own(client: OpenFeatureClient) -> None:
    """Whoever changes one changes nobody else's."""
    limits = client.get_object_value("limits", {})
    limits["seats"] = 99  # type: ignore[index]
    assert client.get_object_value("limits", {}) == {"seats": 5}


def test_a_stale_snapshot_says_so_with_every_answer() -> None:
    """The last good value, its reason, and the mark; with errors too."""
    api.set_provider_and_wait(MemoryProvider({"payments": FLAGS}, stale=True), DOMAIN)
    client = api.get_client(DOMAIN)
    for key in ("static", "targeted", "disabled", "malformed"):
        assert client.get_boolean_details(key, False, ACME).flag_metadata["stale"] is True, key
    assert client.get_boolean_details("static", False).reason is Reason.STATIC
    api.shutdown()


def test_the_provider_has_a_name_and_no_hooks() -> None:
    """What the SDK shows, and calls around each evaluation."""
    provider = MemoryProvider({})
    assert provider.get_metadata().name == "Flagseal"
    assert provider.get_provider_hooks() == []


json_values = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(json_values, st.sampled_from([bool, str, int, float, dict]))
def test_whatever_fits_equals_what_the_flag_gave(value: object, kind: type) -> None:
    """Conversions lose nothing but what floats cannot hold, and booleans are never numbers."""
    try:
        given_back = fitting(value, kind)
    except TypeMismatch:
        assert type(value) is not kind
        return
    assert type(given_back) is kind or (kind is dict and type(given_back) is list)
    assert isinstance(value, bool) == (kind is bool)
    assert given_back == value or (kind is float and given_back == float(value))  # type: ignore[arg-type]


def test_words_that_the_sdk_does_not_know_do_no_harm() -> None:
    """A reason passes through, an error code becomes GENERAL."""
    odd = Evaluation(True, "on", "NEWS", metadata={})  # type: ignore[arg-type]
    assert resolved(odd, bool, False, stale=False, marked={}) == FlagResolutionDetails(True, None, None, "NEWS", "on")
    odd = Evaluation(None, None, "ERROR", "NEWS", "what", {})  # type: ignore[arg-type]
    assert resolved(odd, bool, False, stale=False, marked={}).error_code is ErrorCode.GENERAL
