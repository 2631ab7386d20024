"""One definition a kind: names, columns, rules of the API server's own, and the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flagseal.model.schema import SCHEMAS
from flagseal.model.schema.cluster import CLUSTER_SCHEMAS
from flagseal_operator.crds.status import status_schema
from flagseal_operator.crds.structural import structural
from flagseal_operator.resources import GROUP, NAMESPACED, PLURALS, VERSION

if TYPE_CHECKING:
    from flagseal.model.schema.vocabulary import JsonSchema

CATEGORY: Final = "flagseal"
SHORT_NAMES: Final = {
    "FlagDefinition": ["flag", "flags"],
    "Segment": ["flagsegment"],
    "EntitlementBinding": ["entitlement", "entitlements"],
    "FlagPolicy": ["flagpol"],
    "FlagApproval": ["approval", "approvals"],
    "FlagRepository": ["flagrepo"],
    "FlagFreeze": ["freeze", "freezes"],
    "EmergencyOverride": ["override", "overrides"],
}

_READY: Final = '.status.conditions[?(@.type=="Ready")]'


def _column(name: str, path: str, kind: str = "string", *, wide: bool = False) -> dict[str, Any]:
    return {"name": name, "type": kind, "jsonPath": path, **({"priority": 1} if wide else {})}


_STATE: Final = (_column("Ready", f"{_READY}.status"), _column("Reason", f"{_READY}.reason", wide=True))
_APPROVED_BY: Final = _column("Approved by", ".status.approvedBy")
_SNAPSHOT: Final = _column("Snapshot", ".status.snapshotVersion", "integer")
_AGE: Final = _column("Age", ".metadata.creationTimestamp", "date")
_IN_FORCE: Final = (*_STATE, _APPROVED_BY, _SNAPSHOT, _AGE)

COLUMNS: Final = {
    "FlagDefinition": (
        _column("Owner", ".spec.owner"),
        _column("Tier", ".spec.riskTier"),
        _column("Lifecycle", ".spec.lifecycle"),
        _column("Expires", ".spec.expires"),
        *_IN_FORCE,
    ),
    "Segment": _IN_FORCE,
    "EntitlementBinding": (_column("Owner", ".spec.owner"), _column("Org", ".spec.org"), *_IN_FORCE),
    "FlagPolicy": (_column("Kind", ".spec.document.kind"), *_IN_FORCE),
    "FlagApproval": (_column("Sequence", ".status.sequence", "integer"), *_STATE, _APPROVED_BY, _AGE),
    "FlagRepository": (
        _column("URL", ".spec.url"),
        _column("Apply", ".spec.apply"),
        *_STATE,
        _column("Commit", ".status.commit"),
        _AGE,
    ),
    "FlagFreeze": (
        _column("Incident", ".spec.incident"),
        _column("Until", ".spec.until"),
        *_STATE,
        _column("By", ".status.person"),
        _column("Reviewed", ".status.reviewed.outcome"),
        _AGE,
    ),
    "EmergencyOverride": (
        _column("Flag", ".spec.flag"),
        _column("Action", ".spec.action"),
        _column("Incident", ".spec.incident"),
        _column("Until", ".spec.until"),
        *_STATE,
        _column("By", ".status.person"),
        _column("Reviewed", ".status.reviewed.outcome"),
        _AGE,
    ),
}

_IMMUTABLE: Final = {"rule": "self == oldSelf", "message": "It cannot be changed: write another one."}
RULES: Final[dict[str, list[dict[str, str]]]] = {
    "FlagDefinition": [
        {
            "rule": "has(self.key) == has(oldSelf.key) && (!has(self.key) || self.key == oldSelf.key)",
            "message": "key cannot be changed: applications ask by it. Declare another flag.",
        }
    ],
    "FlagApproval": [_IMMUTABLE],
    "FlagFreeze": [_IMMUTABLE],
    "EmergencyOverride": [_IMMUTABLE],
}
"""CEL (Kubernetes 1.25 and later; older servers pass over it), on the spec."""


def definition(kind: str) -> dict[str, Any]:
    """Make the CustomResourceDefinition of a kind."""
    schema: JsonSchema = SCHEMAS[kind] if kind in SCHEMAS else CLUSTER_SCHEMAS[kind]
    plural = PLURALS[kind]
    names = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": SHORT_NAMES[kind],
        "categories": [CATEGORY],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": names,
            "scope": "Namespaced" if kind in NAMESPACED else "Cluster",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": list(COLUMNS[kind]),
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": _schema(kind, schema)},
                }
            ],
        },
    }


def _schema(kind: str, schema: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON)
    definitions = schema.get("$defs", {})
    spec = structural(schema["properties"]["spec"], definitions)
    if kind in RULES:
        spec["x-kubernetes-validations"] = RULES[kind]
    name = schema["properties"]["metadata"]["properties"]["name"]
    return {
        "type": "object",
        "description": schema["description"],
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "The version of the format."},
            "kind": {"type": "string", "description": "What kind of resource this is."},
            "metadata": {
                "type": "object",
                "properties": {
                    "name": {key: name[key] for key in ("type", "description", "pattern", "maxLength") if key in name}
                },
            },
            "spec": spec,
            "status": status_schema(kind),
        },
    }
