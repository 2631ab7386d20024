"""The kinds of resources, and how one of them is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

GROUP: Final = "flagseal.dev"
VERSION: Final = "v1alpha1"

PLURALS: Final = {
    "FlagDefinition": "flagdefinitions",
    "Segment": "segments",
    "EntitlementBinding": "entitlementbindings",
    "FlagPolicy": "flagpolicies",
    "FlagApproval": "flagapprovals",
    "FlagRepository": "flagrepositories",
    "FlagFreeze": "flagfreezes",
    "EmergencyOverride": "emergencyoverrides",
}
"""By kind."""

NAMESPACED: Final = frozenset({"FlagDefinition", "Segment", "EntitlementBinding", "EmergencyOverride"})
DECLARING: Final = ("FlagDefinition", "Segment", "EntitlementBinding", "FlagPolicy")
"""Kinds that declare a governed document."""


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """Name one resource.

    Attributes:
        kind: One of :data:`PLURALS`.
        namespace: None for cluster-scoped kinds.
        name: ``metadata.name``.
    """

    kind: str
    namespace: str | None
    name: str

    def __str__(self) -> str:
        place = "" if self.namespace is None else f"{self.namespace}/"
        return f"{self.kind} {place}{self.name}"
