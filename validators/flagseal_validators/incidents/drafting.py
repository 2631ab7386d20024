"""The draft of a review: everything that is published filled in, and every answer left to a person."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal

from flagseal.model.characters import IN_VALUE
from flagseal.model.document import API_VERSION
from flagseal.model.schema.review import CHECKLIST
from flagseal_validators.rules.fs702_unfinished_review import OPEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.incidents.gathering import Emergency, Incident

Outcome = Literal["permanent", "returned"]

_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyz-")


def draft(incident: Incident, outcome: Outcome) -> str:
    """Write the file of a review of whatever of an incident is not reviewed.

    Text of unknown origin stands in it in quotes, which YAML reads as it is meant.

    Args:
        incident: With something that is not reviewed.
        outcome: What is proposed.
    """
    return "".join(f"{line}\n" for line in _lines(incident, outcome))


def _lines(incident: Incident, outcome: Outcome) -> Iterator[str]:
    yield f"apiVersion: {API_VERSION}"
    yield "kind: IncidentReview"
    yield f"metadata: {{name: {_text(incident.review)}}}"
    yield "spec:"
    yield f"  incident: {_text(incident.incident)}"
    yield f"  environment: {_text(incident.environment)}"
    yield "  # As published; anything else here, and the review is about nothing."
    yield "  emergencies:"
    for emergency in incident.open:
        yield from _emergency(emergency)
    yield "  # permanent: what the emergency served is how it is to be. returned: what git holds is right."
    yield f"  outcome: {outcome}"
    yield f"  happened: {_text(f'{OPEN}: what happened, for somebody who was not there')}"
    yield "  checklist:"
    for name, question in CHECKLIST.items():
        yield f"    {name}: {_text(f'{OPEN}: {question}')}"
    yield '  # One entry each: {what: …, owner: person or team, ticket: …, due: "YYYY-MM-DD"}'
    yield "  followUps: []"


def _emergency(emergency: Emergency) -> Iterator[str]:
    standing, claim = emergency.standing, emergency.standing.claim
    yield f"  - kind: {claim.kind}"
    yield f"    name: {_text(claim.name)}"
    if claim.flag is not None:
        yield f"    flag: {_text(claim.flag)}"
    if claim.namespaces is not None:
        yield f"    namespaces: [{', '.join(map(_text, sorted(claim.namespaces)))}]"
    yield f"    proof: {standing.proof.digest}"
    yield f"    requestedBy: {_text(standing.person)}"


def _text(text: str) -> str:
    """Write a text: a plain word as it is, everything else in quotes, so that YAML has nothing to guess."""
    plain = (
        set(text) <= _PLAIN and text[:1].isalpha() and text not in {"null", "true", "false", "yes", "no", "on", "off"}
    )
    if plain:
        return text
    # JSON's own escapes of what lies beyond the first plane are two halves, which YAML does not put together.
    return IN_VALUE.sub(lambda odd: f"\\U{ord(odd[0]):08x}", json.dumps(text, ensure_ascii=False))
