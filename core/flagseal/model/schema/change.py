"""ApprovalPolicy, LifecyclePolicy and ChangeCalendar (formats.md, Policies): who may change what, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.schema.envelope import document, ignored
from flagseal.model.schema.vocabulary import (
    CHANGE_CLASSES,
    CLOCK,
    DAYS,
    EVIDENCE,
    LARGEST_ID,
    LIFECYCLES,
    PURPOSES,
    TIERS,
    instant,
    integer,
    label,
    listing,
    record,
    reference,
    slug,
    table,
    text,
    word,
)

if TYPE_CHECKING:
    from flagseal.model.schema.vocabulary import JsonSchema

DAYS_OF_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
END_OF_DAY = "24:00"

ZONE = (
    "^(UTC|(Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific|Etc)"
    "(/[A-Za-z0-9_+-]+){1,2})$"
)
"""By place, which is what the database promises to keep; never what a machine calls its own zone."""

_CLASS_MEANINGS = {
    "metadata": "What a change needs that touches no compiled byte but the description of the flag.",
    "toward-safe": "What a change needs that can only move people to the safe variant.",
    "widen": "What every other change needs; also the row for classes that have none.",
}

_PROOF: dict[str, JsonSchema] = {
    "approvals": listing(
        "Who must approve: distinct people, one for each place.",
        record(
            "So many holders of a role.",
            {
                "role": slug("A role of policies/organisation.yaml, or `owner`."),
                "count": integer("How many of them.", least=1, most=20),
            },
            required=("role", "count"),
        ),
        least=1,
    ),
    "evidence": word("Which proof counts: the forge's facts, the reviewers' own keys, either, or both.", EVIDENCE),
    "ticket": word("Whether the change must carry the trailer `Ticket:`.", ("required",)),
    "merger": word("That whoever merged the request is not counted among its approvers.", ("not-counted",)),
}

_TIMING: dict[str, JsonSchema] = {
    "after": listing(
        "Environments in which the same change must already be in force.", label("An environment."), least=1
    ),
    "window": slug("The window of policies/calendar.yaml in which the change may take effect."),
    "maxStep": integer(
        "The largest growth, in points of 100, of the share that can leave the safe variant.", least=1, most=100
    ),
}


_ROWS: dict[str, JsonSchema] = {
    "row": record("What a change of flags needs.", _PROOF | _TIMING, required=("approvals", "evidence")),
    "policyRow": record("What a change of policies needs.", _PROOF, required=("approvals", "evidence")),
}


def _rows(description: str, row: str) -> JsonSchema:
    return record(
        description,
        {name: {**reference(row), "description": _CLASS_MEANINGS[name]} for name in CHANGE_CLASSES},
    )


_PROTECTION = record(
    "What the rules of the protected branch in the forge must hold, and may, beside what they always must.",
    {
        "checks": listing(
            "Checks that the forge must require.",
            record(
                "One check.",
                {
                    "name": text("Its name, as the forge shows it.", longest=256),
                    "app": integer("The number of the app that gives it.", least=1, most=LARGEST_ID),
                },
                required=("name", "app"),
            ),
            least=1,
        ),
        "bypass": listing(
            "Who may pass the rules by, and nobody else. What they do so is still checked when it is attested.",
            record(
                "One actor.",
                {
                    "actor": word("What it is in the forge.", ("team", "app", "role", "user")),
                    "id": integer("Its number in the forge.", least=1, most=LARGEST_ID),
                    "mode": word(
                        "On requests only, always, or so that the forge records nothing.",
                        ("pull-request", "always", "exempt"),
                    ),
                    "reason": text("What for.", longest=256),
                },
                required=("actor", "id", "mode", "reason"),
            ),
            least=1,
        ),
    },
)

APPROVAL_POLICY = document(
    "ApprovalPolicy",
    "Who must approve a change, by tier, environment and class. What no row covers is refused.",
    record(
        "The rows.",
        {
            "default": {
                "type": "string",
                "description": "What no row covers is refused; nothing else is possible.",
                "const": "deny",
            },
            "tiers": {
                "type": "object",
                "description": "Rows by risk tier.",
                "properties": {
                    tier: record(
                        f"Flags of tier {tier}.",
                        {
                            "production": _rows("In environments with production: true.", "row"),
                            "nonProduction": _rows("In all other environments.", "row"),
                        },
                    )
                    for tier in TIERS
                },
                "additionalProperties": False,
            },
            "policies": _rows("Changes of the documents in policies/ themselves.", "policyRow"),
            "protection": _PROTECTION,
            "ignore": ignored(),
        },
        required=("default", "tiers", "policies"),
    ),
    definitions=_ROWS,
)

_DAYS_BY_PURPOSE = text("A number of days (180d).", pattern=DAYS, longest=6)


def _by_purpose(description: str) -> JsonSchema:
    return {
        "type": "object",
        "description": description,
        "properties": {purpose: {**_DAYS_BY_PURPOSE, "description": f"For purpose {purpose}."} for purpose in PURPOSES},
        "additionalProperties": False,
    }


LIFECYCLE_POLICY = document(
    "LifecyclePolicy",
    "How long flags may live, and which step of life may follow which.",
    record(
        "The limits.",
        {
            "maxLifetime": _by_purpose("The longest life, counted from the file's first commit, by purpose."),
            "review": _by_purpose("The longest time between two reviews, by purpose."),
            "warnBefore": text("How long before its expiry a flag is pointed out (14d).", pattern=DAYS, longest=6),
            "transitions": {
                "type": "object",
                "description": 'Which lifecycle may follow which; "*" stands for all.',
                "properties": {
                    step: listing(f"What may follow {step}.", word("The next lifecycle.", LIFECYCLES))
                    for step in (*LIFECYCLES, "*")
                },
                "additionalProperties": False,
            },
            "ignore": ignored(),
        },
        required=("maxLifetime", "review", "warnBefore", "transitions"),
    ),
)

CHANGE_CALENDAR = document(
    "ChangeCalendar",
    "When changes may take effect.",
    record(
        "The calendar.",
        {
            "windows": table(
                "Weekly windows, by name.",
                record(
                    "One weekly window.",
                    {
                        "timezone": text("A time zone of the IANA database (Europe/Berlin).", pattern=ZONE, longest=64),
                        "days": listing("Days of the week.", word("A day.", DAYS_OF_WEEK), least=1),
                        "from": text("When it opens, local time (09:00).", pattern=CLOCK, longest=5),
                        "to": text(
                            "When it closes, local time (16:00, exclusive); 24:00 is the end of the day.",
                            pattern=f"{CLOCK}|^{END_OF_DAY}$",
                            longest=5,
                        ),
                    },
                    required=("timezone", "days", "from", "to"),
                ),
                keys=slug("The window's name."),
            ),
            "blackouts": listing(
                "Stretches in which nothing of some tiers may take effect.",
                record(
                    "One blackout.",
                    {
                        "name": text("What it is for.", longest=128),
                        "from": instant("When it begins (RFC 3339, UTC)."),
                        "until": instant("When it is over; at this instant it is (RFC 3339, UTC)."),
                        "tiers": listing("Whom it holds.", word("A risk tier.", TIERS), least=1),
                    },
                    required=("name", "from", "until", "tiers"),
                ),
            ),
            "ignore": ignored(),
        },
        required=("windows", "blackouts"),
    ),
)
