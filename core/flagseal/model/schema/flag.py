"""FlagDefinition and Segment (formats.md, FlagDefinition)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.schema.conditions import DEFINITIONS
from flagseal.model.schema.envelope import document, ignored
from flagseal.model.schema.vocabulary import (
    ATTRIBUTE,
    DAYS,
    FLAG_KEY,
    FLAG_REFERENCE,
    LIFECYCLES,
    PURPOSES,
    TIERS,
    VARIANT,
    boolean,
    day,
    exactly_one_of,
    instant,
    integer,
    label,
    listing,
    record,
    reference,
    slug,
    table,
    text,
    variant,
    word,
)

if TYPE_CHECKING:
    from flagseal.model.schema.vocabulary import JsonSchema

LARGEST_WEIGHT = 2**31 - 1
"""flagd refuses a sum of weights above it (compat.md)."""

_BY = text(
    "The attribute that buckets (default: targetingKey). Where it is missing or empty, the default is served.",
    pattern=ATTRIBUTE,
    longest=256,
)
_SALT = text("Keeps people in their buckets through a rename (default: the flag's key).", longest=256)
_WEIGHT = integer("Share of this variant, in proportion to the sum of the weights.", least=1, most=LARGEST_WEIGHT)

_SPLIT: JsonSchema = {
    "type": ["object", "array"],
    "description": "Serve variants by weight: a map (the safe variant comes last), or a list whose order counts.",
    "propertyNames": {"pattern": VARIANT, "maxLength": 63},
    "additionalProperties": _WEIGHT,
    "minProperties": 1,
    "items": record(
        "One arm of the split.",
        {"variant": variant("The variant that this share is served."), "weight": _WEIGHT},
        required=("variant", "weight"),
    ),
    "minItems": 1,
}

_RAMP = record(
    "Widen step by step against the safe variant, on a schedule that is approved as a whole.",
    {
        "variant": variant("The variant that grows."),
        "from": integer("Share of 100 at the start.", least=0, most=100),
        "to": integer("Share of 100 from the end on.", least=0, most=100),
        "start": instant("When the first step begins; before it, the rule does not match."),
        "end": instant("When the last step is reached."),
        "steps": integer("Into how many steps the way is divided.", least=1, most=100),
        "by": _BY,
        "salt": _SALT,
    },
    required=("variant", "from", "to", "start", "end", "steps"),
)

_RULE = exactly_one_of(
    record(
        "Serve something where a condition holds. The first rule that matches wins.",
        {
            "name": text("What the rule is for, in words; unique in its environment.", longest=128),
            "when": reference("condition"),
            "serve": variant("The variant that is served where it matches."),
            "split": _SPLIT,
            "ramp": _RAMP,
            "by": _BY,
            "salt": _SALT,
            "from": instant("From when on the rule counts (RFC 3339, UTC)."),
            "until": instant("Until when the rule counts; at this instant it no longer does (RFC 3339, UTC)."),
        },
        required=("name",),
    ),
    "serve",
    "split",
    "ramp",
)

_ENVIRONMENT = record(
    "What one environment serves.",
    {
        "default": variant("The variant served where nothing else matches."),
        "off": boolean("Serve the safe variant to everyone and keep the rest for later."),
        "requires": listing(
            "Prerequisites: where another flag does not serve the variant named, the safe variant is served.",
            record(
                "Another flag, and what it must serve.",
                {
                    "flag": text(
                        "The other flag: its name in this namespace, or namespace/name.",
                        pattern=FLAG_REFERENCE,
                        longest=127,
                    ),
                    "variant": variant("The variant it must serve."),
                },
                required=("flag", "variant"),
            ),
        ),
        "targets": table(
            "Single targeting keys, by the variant that they are served.",
            listing(
                "The targeting keys that are served it.",
                text("One targeting key, as the application gives it.", longest=256),
                least=1,
            ),
            keys={"pattern": VARIANT, "maxLength": 63},
        ),
        "rules": listing("Tried from first to last; the first that matches wins.", _RULE),
        "targeting": {
            "type": "object",
            "description": "JSONLogic as flagd has it, in place of rules. What cannot be analysed touches everyone.",
        },
    },
    required=("default",),
)

FLAG_DEFINITION = document(
    "FlagDefinition",
    "One feature flag: what it is for, who owns it, and what each environment serves.",
    record(
        "What the flag is for, whose it is, and what it serves where.",
        {
            "key": text(
                "What applications ask for (default: metadata.name); unique in the repository.",
                pattern=FLAG_KEY,
                longest=128,
            ),
            "description": text("What the flag switches, in words."),
            "purpose": word("What kind of flag this is; it decides how long it may live.", PURPOSES),
            "owner": slug("The team that answers for the flag (policies/organisation.yaml)."),
            "riskTier": word("How much a wrong value can harm; it decides who must approve.", TIERS),
            "lifecycle": word("Where the flag stands in its life.", LIFECYCLES),
            "expires": day("The last day on which the flag should exist."),
            "review": record(
                "How often an entitlement is reviewed; it has this in place of an expiry.",
                {
                    "every": text("The longest time between two reviews, in days (90d).", pattern=DAYS, longest=6),
                    "last": day("The day of the last review."),
                    "by": slug("Who reviewed it last."),
                },
                required=("every",),
            ),
            "retireWhen": text("What must be true for the flag to be removed."),
            "ticket": text(
                "Why the flag exists. (The ticket of a change is the commit trailer `Ticket:`.)", longest=128
            ),
            "claim": boolean("Whether an entitlement appears in tokens' feature_flags."),
            "variants": table(
                "The values the flag can have, by name. All are of one JSON type.",
                {
                    "type": ["boolean", "string", "number", "object"],
                    "description": "The value that applications get.",
                },
                keys={"pattern": VARIANT, "maxLength": 63},
                least=1,
            ),
            "safeVariant": variant(
                "The variant approved in advance for rollback, kill switch and, where asked, stale data."
            ),
            "environments": table(
                "What each environment serves. One that is not listed does not serve the flag.",
                _ENVIRONMENT,
                keys=label("The name of an environment of policies/environments.yaml."),
            ),
            "ignore": ignored(),
        },
        required=(
            "description",
            "purpose",
            "owner",
            "riskTier",
            "lifecycle",
            "variants",
            "safeVariant",
            "environments",
        ),
    ),
    definitions=DEFINITIONS,
)

SEGMENT = document(
    "Segment",
    "A named condition that the flags of one namespace share.",
    record(
        "Whom the segment takes in.",
        {
            "description": text("Whom the segment means, in words."),
            "when": reference("condition"),
            "ignore": ignored(),
        },
        required=("when",),
    ),
    definitions=DEFINITIONS,
)
