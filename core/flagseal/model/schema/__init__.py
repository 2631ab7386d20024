"""The one source of every schema: JSON Schema 2020-12, as data.

Editors get it as ``validators/schemas/*.json`` (``python -m flagseal_validators.schemas``); the loader validates by it.
What a schema cannot say (that a variant exists, that a window ends after it starts) is in
:mod:`flagseal.model.consistency`.
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from flagseal.model.instants import is_day, is_instant
from flagseal.model.schema.access import ACCESS_POLICY, TRUST_TIERS
from flagseal.model.schema.binding import ENTITLEMENT_BINDING
from flagseal.model.schema.change import APPROVAL_POLICY, CHANGE_CALENDAR, LIFECYCLE_POLICY
from flagseal.model.schema.cluster import CLUSTER_SCHEMAS
from flagseal.model.schema.envelope import DIALECT, SCHEMA_BASE
from flagseal.model.schema.flag import FLAG_DEFINITION, SEGMENT
from flagseal.model.schema.organisation import ENVIRONMENT_LIST, ORGANISATION
from flagseal.model.schema.policy_test import POLICY_TEST
from flagseal.model.schema.review import INCIDENT_REVIEW

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema_rs import Draft202012Validator

    from flagseal.model.schema.vocabulary import JsonSchema

__all__ = ["CLUSTER_SCHEMAS", "SCHEMAS", "combined", "tombstone_validator", "validator"]

SCHEMAS: Final[Mapping[str, JsonSchema]] = MappingProxyType(
    {
        "FlagDefinition": FLAG_DEFINITION,
        "Segment": SEGMENT,
        "EntitlementBinding": ENTITLEMENT_BINDING,
        "Organisation": ORGANISATION,
        "EnvironmentList": ENVIRONMENT_LIST,
        "ApprovalPolicy": APPROVAL_POLICY,
        "LifecyclePolicy": LIFECYCLE_POLICY,
        "ChangeCalendar": CHANGE_CALENDAR,
        "AccessPolicy": ACCESS_POLICY,
        "TrustTiers": TRUST_TIERS,
        "IncidentReview": INCIDENT_REVIEW,
        "PolicyTest": POLICY_TEST,
    }
)
"""By kind. Treat every node as immutable."""


@cache
def validator(kind: str) -> Draft202012Validator:
    """Compile the schema of a kind, of documents or of the cluster, once a process.

    Raises:
        KeyError: No such kind.
    """
    return _compile(SCHEMAS[kind] if kind in SCHEMAS else CLUSTER_SCHEMAS[kind])


@cache
def tombstone_validator(kind: str) -> Draft202012Validator:
    """Compile the schema of a removed document of a kind: the same, with ``spec: null``.

    Raises:
        KeyError: No such kind.
    """
    schema = dict(SCHEMAS[kind])
    properties = schema["properties"]
    assert isinstance(properties, dict)  # noqa: S101 (our own data, and mypy cannot know)
    schema["properties"] = {**properties, "spec": {"type": "null"}}
    return _compile(schema)


def combined() -> JsonSchema:
    """Give one schema for files of any kind, for editors that bind one schema to a folder."""
    return {
        "$schema": DIALECT,
        "$id": f"{SCHEMA_BASE}/flagseal.json",
        "title": "Flagseal document",
        "description": "A flag, a segment, an entitlement binding, a policy or a review.",
        "oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in SCHEMAS],
        "$defs": {kind: dict(schema) for kind, schema in SCHEMAS.items()},
    }


def _compile(schema: JsonSchema) -> Draft202012Validator:
    # Here and not above: a service that only evaluates never pays for the import.
    from jsonschema_rs import Draft202012Validator  # noqa: PLC0415

    return Draft202012Validator(
        schema, validate_formats=True, formats={"date": is_day, "date-time": is_instant}, offline=True
    )
