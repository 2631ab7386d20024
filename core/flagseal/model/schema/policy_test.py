"""PolicyTest (formats.md, Policies): what the policies ought to decide, as cases."""

from __future__ import annotations

from flagseal.model.schema.envelope import document
from flagseal.model.schema.vocabulary import (
    CHANGE_CLASSES,
    TIERS,
    instant,
    label,
    listing,
    record,
    slug,
    text,
    word,
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
                                "change": record(
                                    "What is changed.",
                                    {
                                        "class": word("The class of the change.", CHANGE_CLASSES),
                                        "tier": word("The tier of the flag.", TIERS),
                                        "environment": label("The environment that the change touches."),
                                        "owner": slug("The team that owns the flag."),
                                        "policies": listing(
                                            "Policy documents that change.", text("A kind.", longest=63)
                                        ),
                                        "ticket": text("The ticket the change carries.", longest=128),
                                    },
                                    required=("class",),
                                ),
                                "author": slug("Who wrote it."),
                                "contributors": listing("Who else wrote it.", slug("A person.")),
                                "approvals": listing("Who approved it.", slug("A person.")),
                                "evidence": listing(
                                    "Which proof there is (default: keys).",
                                    word("A proof.", ("forge", "keys")),
                                    least=1,
                                ),
                                "time": instant("When it is decided (RFC 3339, UTC)."),
                            },
                            required=("change",),
                        ),
                        "expect": record(
                            "What must come out.",
                            {
                                "verdict": word("The verdict.", ("allow", "deny")),
                                "missing": listing("Roles that are still missing.", slug("A role.")),
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
