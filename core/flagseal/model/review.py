"""An IncidentReview as a value: which emergencies it speaks of, and what it says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

if TYPE_CHECKING:
    from flagseal.model.document import Document

REVIEW = "IncidentReview"


class ReviewedEmergency(msgspec.Struct, frozen=True):
    """One override or freeze as a review names it.

    Attributes:
        kind: ``EmergencyOverride`` or ``FlagFreeze``.
        name: Of the resource.
        flag: ``namespace/name``; None for a freeze.
        namespaces: Those that a freeze names; None for all, and for an override.
        proof: Digest of what was signed for it.
        requested_by: Who made it, as the review says.
    """

    kind: str
    name: str
    flag: str | None
    namespaces: frozenset[str] | None
    proof: str
    requested_by: str


class IncidentReview(msgspec.Struct, frozen=True):
    """What a review says, as far as others look at it.

    Attributes:
        name: ``metadata.name``.
        incident: As the incident system calls it.
        environment: Where it happened.
        emergencies: What is reviewed.
        outcome: ``permanent`` or ``returned``.
    """

    name: str
    incident: str
    environment: str
    emergencies: tuple[ReviewedEmergency, ...]
    outcome: str


def parse_review(document: Document) -> IncidentReview:
    """Read a review that is valid by its schema."""
    spec = cast("dict[str, Any]", document.spec)
    return IncidentReview(
        name=document.name,
        incident=spec["incident"],
        environment=spec["environment"],
        emergencies=tuple(
            ReviewedEmergency(
                kind=entry["kind"],
                name=entry["name"],
                flag=entry.get("flag"),
                namespaces=frozenset(entry["namespaces"]) if "namespaces" in entry else None,
                proof=entry["proof"],
                requested_by=entry["requestedBy"],
            )
            for entry in spec["emergencies"]
        ),
        outcome=spec["outcome"],
    )
