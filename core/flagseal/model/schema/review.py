"""IncidentReview (operator.md, Freeze and break-glass): what people found out about an emergency afterwards."""

from __future__ import annotations

from flagseal.model.schema.envelope import document
from flagseal.model.schema.vocabulary import QUALIFIED_FLAG, day, label, listing, record, slug, text, word

OUTCOMES = ("permanent", "returned")
EMERGENCY_KINDS = ("EmergencyOverride", "FlagFreeze")
PROOF_DIGEST = "^sha256:[0-9a-f]{64}$"

CHECKLIST = {
    "noticed": "How it was noticed, and how long that took.",
    "cause": "What the cause was.",
    "served": "Who was served what, before and during the emergency, and whether that helped.",
    "justified": "Whether breaking glass was right, and an ordinary approval would have been too slow.",
    "prevented": "What keeps it from happening again, or makes it shorter.",
}
"""What every review has to say, by the field that says it."""

_LONGEST = 4096

_EMERGENCY = record(
    "One override or freeze that is reviewed. All of it must be as the published proof has it; otherwise the review "
    "says nothing about it.",
    {
        "kind": word("What was made.", EMERGENCY_KINDS),
        "name": label("What it was called."),
        "flag": text("The flag of an override, as namespace/name.", pattern=QUALIFIED_FLAG, longest=127),
        "namespaces": listing("The namespaces of a freeze (default: all).", label("A namespace."), least=1),
        "proof": text(
            "The digest of its proof, as `flagseal incidents list` shows it.", pattern=PROOF_DIGEST, longest=71
        ),
        "requestedBy": slug("Who made it, by policies/organisation.yaml. Their approval of this review never counts."),
    },
    required=("kind", "name", "proof", "requestedBy"),
)

_FOLLOW_UP = record(
    "Something that is left to be done.",
    {
        "what": text("What has to be done.", longest=_LONGEST),
        "owner": slug("The person or team that does it."),
        "ticket": text("Where it is followed.", longest=128),
        "due": day("By when it is done."),
    },
    required=("what", "owner"),
)

INCIDENT_REVIEW = document(
    "IncidentReview",
    "The review of break-glass: what happened, and what became of it. Approved by somebody who did not ask for it.",
    record(
        "The review.",
        {
            "incident": text("The incident, as your incident system calls it.", longest=128),
            "environment": label("The environment in which it happened."),
            "emergencies": listing("The overrides and freezes that are reviewed.", _EMERGENCY, least=1),
            "outcome": word(
                "Whether what was served in the emergency was made permanent in git, or git is served again.", OUTCOMES
            ),
            "happened": text("What happened, in words for somebody who was not there.", longest=_LONGEST),
            "checklist": record(
                "What every review has to say.",
                {name: text(question, longest=_LONGEST) for name, question in CHECKLIST.items()},
                required=tuple(CHECKLIST),
            ),
            "followUps": listing("What is left to be done; an empty list says that nothing is.", _FOLLOW_UP),
        },
        required=("incident", "environment", "emergencies", "outcome", "happened", "checklist", "followUps"),
    ),
)
