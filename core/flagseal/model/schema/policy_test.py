"""PolicyTest (formats.md, Policies): what the policies ought to decide, as cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.schema.envelope import document
from flagseal.model.schema.vocabulary import (
    CHANGE_CLASSES,
    DAYS,
    LIFECYCLES,
    PURPOSES,
    RULE_ID,
    SLUG,
    TIERS,
    boolean,
    day,
    exactly_one_of,
    instant,
    integer,
    label,
    listing,
    record,
    slug,
    text,
    word,
)

if TYPE_CHECKING:
    from flagseal.model.schema.vocabulary import JsonSchema

_PROOFS = listing(
    "Which proof there is (default: keys).",
    word("A proof.", ("forge", "keys")),
    least=1,
)

_APPROVAL: JsonSchema = {
    "type": ["string", "object"],
    "description": "A person, or a person with the proof there is of this approval and when it was given.",
    "pattern": SLUG,
    "minLength": 1,
    "maxLength": 63,
    "properties": {
        "person": slug("A person."),
        "evidence": _PROOFS,
        "at": instant("When the approval was given (RFC 3339, UTC); by default when it is decided."),
    },
    "required": ["person"],
    "additionalProperties": False,
}

_DOCUMENT = exactly_one_of(
    record(
        "One document that changes, and how.",
        {
            "subject": text("Kind/namespace/name, or Kind/name for a policy.", longest=256),
            "set": {
                "type": "object",
                "description": "What changes in its spec, as a JSON merge patch (RFC 7396): null removes a field.",
            },
            "remove": boolean("Whether it is removed."),
        },
        required=("subject",),
    ),
    "set",
    "remove",
)

_CHANGE = exactly_one_of(
    record(
        "What is changed: by its class, made for the test; or by documents of this repository.",
        {
            "class": word("The class of the change.", CHANGE_CLASSES),
            "documents": listing("Documents of this repository that change.", _DOCUMENT, least=1),
            "tier": word("The tier of the flag.", TIERS),
            "environment": label("The environment that the change touches."),
            "owner": slug("The team that owns the flag."),
            "step": integer(
                "By how many points of 100 a widening lets more people leave the safe variant (default: 1).",
                least=1,
                most=100,
            ),
            "behind": listing(
                "Environments that do not serve yet what a widening serves (default: none).", label("An environment.")
            ),
            "purpose": word("The purpose of the flag (default: release).", PURPOSES),
            "expires": day("The last day of the flag (default: far ahead)."),
            "review": text("How often the flag is reviewed (90d).", pattern=DAYS, longest=6),
            "lifecycle": record(
                "The step of its life that the flag was in, and the one it takes (default: it stays in `canary`).",
                {"from": word("The step it was in.", LIFECYCLES), "to": word("The step it takes.", LIFECYCLES)},
                required=("from", "to"),
            ),
            "policies": listing("Policy documents that change.", text("A kind.", longest=63)),
            "ticket": text("The ticket the change carries.", longest=128),
        },
    ),
    "class",
    "documents",
)

POLICY_TEST = document(
    "PolicyTest",
    "Cases that the policies must decide as expected.",
    record(
        "The cases.",
        {
            "cases": listing(
                "One case each.",
                record(
                    "A change, and what the policies must say to it.",
                    {
                        "name": text("What the case shows, in words.", longest=256),
                        "given": record(
                            "The change, the people and the time.",
                            {
                                "change": _CHANGE,
                                "author": slug("Who wrote it."),
                                "contributors": listing("Who else wrote it.", slug("A person.")),
                                "approvals": listing("Who approved it.", _APPROVAL),
                                "mergers": listing("Who merged it in the forge (default: nobody).", slug("A person.")),
                                "evidence": _PROOFS,
                                "time": instant("When it is decided (RFC 3339, UTC)."),
                            },
                            required=("change",),
                        ),
                        "expect": record(
                            "What must come out.",
                            {
                                "verdict": word("The verdict.", ("allow", "deny")),
                                "missing": listing("Roles that are still missing.", slug("A role.")),
                                "class": word("The strictest class.", CHANGE_CLASSES),
                                "effectiveFrom": instant("From when it is in effect, where that is latest."),
                                "findings": listing(
                                    "Rules of the gate that must complain about what is changed (FS205).",
                                    text("A rule's id.", pattern=RULE_ID, longest=5),
                                ),
                                "rules": listing(
                                    "Ids of the rules that must have failed.", text("A rule's id.", longest=64)
                                ),
                            },
                            required=("verdict",),
                        ),
                    },
                    required=("name", "given", "expect"),
                ),
                least=1,
            ),
        },
        required=("cases",),
    ),
)
