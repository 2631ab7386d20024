"""EntitlementBinding (entitlements.md)."""

from __future__ import annotations

from flagseal.model.schema.envelope import document, ignored
from flagseal.model.schema.vocabulary import (
    QUALIFIED_FLAG,
    day,
    exactly_one_of,
    listing,
    record,
    slug,
    text,
    variant,
    word,
)

REASONS = ("contract", "beta", "trial", "support")

_GRANT = record(
    "One flag that the organisation is entitled to.",
    {
        "flag": text("The flag, as namespace/name.", pattern=QUALIFIED_FLAG, longest=127),
        "reason": word("Why it is granted.", REASONS),
        "until": day("The last day of the grant; it never outlives its agreement."),
        "ticket": text("Where the grant was asked for.", longest=128),
        "variant": variant("The variant served, for flags with limits."),
    },
    required=("flag", "reason"),
)

_ORGANISATION = {
    "org": text("The value of `org` in the evaluation context.", longest=256),
    "owner": slug("The team that answers for the contract."),
    "agreement": record(
        "The contract on which every grant hangs.",
        {
            "id": text("The contract's number in the system that keeps it.", longest=128),
            "plan": text("The plan that was bought.", longest=128),
            "from": day("The first day of the agreement."),
            "until": day("The last day of the agreement."),
        },
        required=("id", "from", "until"),
    ),
    "grants": listing("What the organisation is entitled to.", _GRANT),
}

_ONE = ("org", "owner", "agreement", "grants")

ENTITLEMENT_BINDING = document(
    "EntitlementBinding",
    "What one organisation, or a list of them, is entitled to, and by which agreement.",
    {
        **exactly_one_of(
            record(
                "One organisation (org, owner, agreement, grants), or a list of them (bindings).",
                {
                    **_ORGANISATION,
                    "bindings": listing(
                        "Several organisations, as a company prefers to review them.",
                        record("One organisation, with its owner and its agreement.", _ORGANISATION, required=_ONE),
                        least=1,
                    ),
                    "ignore": ignored(),
                },
            ),
            "org",
            "bindings",
        ),
        "dependentRequired": {name: [other for other in _ONE if other != name] for name in _ONE},
    },
)
