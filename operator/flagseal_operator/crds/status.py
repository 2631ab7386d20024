"""The schema of every status: what :mod:`flagseal_operator.status` writes."""

from __future__ import annotations

from typing import Any, Final

from flagseal_operator.crds.structural import PRESERVE


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _whole(description: str) -> dict[str, Any]:
    return {"type": "integer", "format": "int64", "description": description}


CONDITIONS: Final[dict[str, Any]] = {
    "type": "array",
    "description": "How the resource stands; the list is complete, and a condition's date moves only with its status.",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
    "items": {
        "type": "object",
        "description": "One aspect of how it stands.",
        "required": ["type", "status", "reason", "message", "lastTransitionTime"],
        "properties": {
            "type": _text("What it is about."),
            "status": {
                "type": "string",
                "description": "Whether it holds; Unknown where nothing was decided.",
                "enum": ["True", "False", "Unknown"],
            },
            "reason": _text("Why, as one stable word."),
            "message": _text("Why, in words, and who must do what next."),
            "lastTransitionTime": {
                "type": "string",
                "format": "date-time",
                "description": "Since when its status is what it is.",
            },
            "observedGeneration": _whole("The generation of the spec that it speaks of."),
        },
    },
}

_COMMON: Final = {
    "observedGeneration": _whole("The generation of the spec that this status speaks of."),
    "conditions": CONDITIONS,
}
_APPROVED_BY: Final = _text("Who approved what is in force (#12 alice +1); `genesis` for what was there at the start.")
_IN_FORCE: Final = {
    "digest": _text("Digest of the document that the resource declares."),
    "effectiveDigest": _text("Digest of the document that is in effect in this environment."),
    "approval": {
        "type": "object",
        "description": "The statement by which it is in effect.",
        "properties": {
            "statement": _text(
                "SHA-256 of its payload in hexadecimal; `genesis:` and a commit for what was there at the start."
            ),
            "sequence": _whole("Its number in the history."),
        },
    },
    "approvedBy": _APPROVED_BY,
    "snapshotVersion": _whole("The snapshot with which it came out."),
}
_EMERGENCY: Final = {
    "person": _text("Who is proven to have asked for it."),
    "proof": _text("Digest of the proof, by which a review names it."),
    "reviewed": {
        "type": "object",
        "description": "Its review, as accepted; absent while nobody has reviewed it.",
        "properties": {
            "review": _text("Name of the IncidentReview."),
            "outcome": _text("Whether it was made permanent, or returned from."),
            "by": {
                "type": "array",
                "description": "Who approved the review.",
                "items": _text("A person, as organisation.yaml calls them."),
            },
            "at": _text("When the review was accepted."),
            "statement": _text("Id of the statement that approved it."),
            "sequence": _whole("Its number in the history."),
        },
    },
}
_OWN: Final[dict[str, dict[str, Any]]] = {
    "FlagDefinition": _IN_FORCE,
    "Segment": _IN_FORCE,
    "EntitlementBinding": _IN_FORCE,
    "FlagPolicy": _IN_FORCE,
    "FlagApproval": {"sequence": _whole("The statement's number."), "approvedBy": _APPROVED_BY},
    "FlagRepository": {"commit": _text("The commit up to which it was followed.")},
    "FlagFreeze": _EMERGENCY,
    "EmergencyOverride": _EMERGENCY,
}


def status_schema(kind: str) -> dict[str, Any]:
    """Describe the status of a kind; fields of a newer operator are kept."""
    return {
        "type": "object",
        "description": "What the operator found. It is computed as a whole, and never read back to decide anything.",
        "properties": {**_COMMON, **_OWN[kind]},
        PRESERVE: True,
    }
