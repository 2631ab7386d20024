"""One valid resource of each kind that exists only in a cluster."""

from __future__ import annotations

from typing import Any

from flagseal.model.document import API_VERSION
from tests.model.samples import BINDING, ORGANISATION, load


def _resource(kind: str, name: str, spec: dict[str, Any], **metadata: str) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}


_ORGANISATION = load(ORGANISATION).documents[0]

POLICY = _resource("FlagPolicy", f"organisation.{_ORGANISATION.name}", {"document": _ORGANISATION.body()})

APPROVAL = _resource(
    "FlagApproval",
    "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
    {
        "envelopes": [
            {
                "payload": "e30=",
                "payloadType": "application/vnd.in-toto+json",
                "signatures": [{"keyid": "SHA256:abc", "sig": "AAAA"}],
            }
        ],
        "documents": [load(BINDING).documents[0].canonical.decode()],
    },
)

REPOSITORY = _resource(
    "FlagRepository",
    "acme",
    {"url": "https://example.com/acme/flags.git", "interval": "30s", "apply": "everything", "credentials": "acme"},
)

FREEZE = _resource(
    "FlagFreeze",
    "year-end",
    {
        "namespaces": ["payments"],
        "environment": "production",
        "incident": "INC-7",
        "reason": "The card network is down.",
        "until": "2026-12-01T12:00:00Z",
    },
)

OVERRIDE = _resource(
    "EmergencyOverride",
    "checkout-down",
    {
        "flag": "new-checkout",
        "environment": "production",
        "action": "rollback",
        "incident": "INC-7",
        "reason": "Carts are lost.",
        "until": "2026-12-01T12:00:00Z",
    },
    namespace="payments",
)

EVERY_RESOURCE = [POLICY, APPROVAL, REPOSITORY, FREEZE, OVERRIDE]


def resource(body: dict[str, Any], **fields: object) -> dict[str, Any]:
    """Give a resource with other fields in its spec; None removes one."""
    spec = {name: value for name, value in {**body["spec"], **fields}.items() if value is not None}
    return {**body, "spec": spec}
