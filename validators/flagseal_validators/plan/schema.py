"""The JSON Schema of ``flagseal plan --format json``, published as ``validators/schemas/output/plan.json``.

Objects are closed: a field that is not described here is never written, which a test holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal.model.flag import RISK_TIERS
from flagseal.model.policies import CHANGE_CLASSES
from flagseal.model.schema.envelope import DIALECT, SCHEMA_BASE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.schema.vocabulary import JsonSchema


def _text(description: str, *, null: bool = False) -> JsonSchema:
    return {"type": ["string", "null"] if null else "string", "description": description}


def _number(description: str) -> JsonSchema:
    return {"type": "integer", "minimum": 0, "description": description}


def _truth(description: str) -> JsonSchema:
    return {"type": "boolean", "description": description}


def _list(description: str, items: JsonSchema) -> JsonSchema:
    return {"type": "array", "description": description, "items": items}


def _map(description: str, values: JsonSchema) -> JsonSchema:
    return {"type": "object", "description": description, "additionalProperties": values}


def _object(description: str, fields: Mapping[str, JsonSchema], *, optional: tuple[str, ...] = ()) -> JsonSchema:
    return {
        "type": "object",
        "description": description,
        "properties": dict(fields),
        "required": [name for name in fields if name not in optional],
        "additionalProperties": False,
    }


_STRING: Final[JsonSchema] = {"type": "string"}
_DIGEST: Final = "sha256: and 64 hexadecimal digits"
_CLASS: Final[JsonSchema] = {
    "type": "string",
    "enum": list(CHANGE_CLASSES),
    "description": "The class of a change, from the mildest to the strictest.",
}
_TIER: Final[JsonSchema] = {
    "type": "string",
    "enum": list(RISK_TIERS),
    "description": "The risk tier, the higher of before and after.",
}
_PAIR: Final[JsonSchema] = {
    "type": "array",
    "items": _STRING,
    "minItems": 2,
    "maxItems": 2,
    "description": "Before and after.",
}
_EXAMPLES: Final = _list("A few targeting keys, as recorded; --examples says how many.", _STRING)

_MISSING: Final = _object(
    "Approvals that are needed, and who could give them.",
    {
        "environment": _text("Where; null for changes of policies.", null=True),
        "role": _text("A role of the organisation, or `owner`."),
        "count": _number("How many people."),
        "candidates": _list("Who could give one now; nobody, if it is empty.", _STRING),
        "ownerTeam": _text("The team, for the role `owner`.", null=True),
        "evidence": _text("`keys` or `forge`, where only that proof will do.", null=True),
    },
)

_FLAG: Final = _object(
    "What the change does to one flag in one environment.",
    {
        "flag": _text("namespace/name"),
        "class": _CLASS,
        "tier": _TIER,
        "before": _text("What is served before, in words; empty where it is not served."),
        "changes": _list('What changes of that, each to be read after "now".', _STRING),
        "after": _text("What is served afterwards, in words."),
        "why": _list("What makes the class so.", _STRING),
        "causes": _list("Other documents that bring it about, by subject.", _STRING),
        "because": _list('What happened to them, each to be read after "because".', _STRING),
        "rebucketed": _list(
            "Splits that are drawn again.",
            _object(
                "One split.",
                {
                    "rule": _text("The rule's name."),
                    "cause": _text("What changed."),
                    "share": {
                        "type": ["number", "null"],
                        "description": "The part of those whom it splits that moves though no weight asks for it;"
                        " null if nobody can say.",
                    },
                },
            ),
        ),
    },
)

_CONTEXTS: Final = _object(
    "What recorded contexts say.",
    {
        "at": _number("Unix seconds at which both sides were evaluated."),
        "total": _number("Contexts."),
        "changed": _number("Those for which any flag serves another value."),
        "later": _list("When something begins or ends later, on one side only: not counted.", _number("Unix seconds.")),
        "flags": _list(
            "By flag.",
            _object(
                "One flag.",
                {
                    "flag": _text("namespace/name"),
                    "changed": _number("Contexts that are served another value."),
                    "byVariant": _list(
                        "From which variant to which, the most frequent first.",
                        _object("One way.", {"variants": _PAIR, "count": _number("Contexts.")}),
                    ),
                    "byRule": _list(
                        "The same with the rule that answered.",
                        _object(
                            "One way.",
                            {
                                "rules": _PAIR,
                                "variants": _PAIR,
                                "count": _number("Contexts."),
                                "examples": _EXAMPLES,
                            },
                        ),
                    ),
                },
            ),
        ),
        "groups": _map(
            "By attribute (--group-by), the groups in which somebody changes.",
            _list(
                "The most changed first.",
                _object(
                    "One value of the attribute.",
                    {
                        "value": _text("As recorded; (none) where it is missing."),
                        "changed": _number("Contexts that change."),
                        "total": _number("Contexts with it."),
                        "byVariant": _list(
                            "From which variant to which.",
                            _object(
                                "One way.",
                                {
                                    "flag": _text("namespace/name"),
                                    "variants": _PAIR,
                                    "count": _number("Contexts."),
                                },
                            ),
                        ),
                        "examples": _EXAMPLES,
                    },
                ),
            ),
        ),
    },
)

_DECISION: Final[JsonSchema] = {
    **_object(
        "The record that every verifier would make of the change; null if nothing changes.",
        {
            "policy": _text(f"Digest of the policies that decided: {_DIGEST}."),
            "facts": _text("Digest of the facts."),
            "verdict": {"type": "string", "enum": ["allow", "deny"], "description": "With the approvals there are."},
            "policyClass": {
                "enum": [*CHANGE_CLASSES, None],
                "description": "Class of the change of policies; null if none changes.",
            },
            "policyWhy": _list("What makes it so.", _STRING),
            "checks": _list(
                "Every rule's outcome.",
                _object(
                    "One rule.",
                    {
                        "id": _text("The rule."),
                        "environment": _text("Where; null for the change as a whole.", null=True),
                        "passed": _truth("Whether it holds."),
                        "reason": _text("Why, in words."),
                        "remedy": _text("What to do."),
                    },
                ),
            ),
            "environments": _map(
                "By environment.",
                _object(
                    "What was decided there.",
                    {
                        "class": _CLASS,
                        "tier": _TIER,
                        "verdict": {"type": "string", "enum": ["allow", "deny"]},
                        "effectiveFrom": _text("RFC 3339; null if never.", null=True),
                        "why": _list("What makes the class so.", _STRING),
                        "towardSafeNow": _truth("Nobody is served anything new but the safe variant: at once."),
                        "flags": _list("Every flag affected.", _STRING),
                        "owners": _list("Teams that own one of them.", _STRING),
                    },
                ),
            ),
            "missing": _list("Approvals needed.", _MISSING),
        },
    ),
    "type": ["object", "null"],
}

PLAN_SCHEMA: Final[JsonSchema] = {
    "$schema": DIALECT,
    "$id": f"{SCHEMA_BASE}/output/plan.json",
    "title": "Flagseal plan",
    **_object(
        "What a change of flags and policies does, who must approve it, and when it may take effect.",
        {
            "base": _text("Commit of the state before."),
            "accepted": _truth("Whether that is the accepted state of this installation."),
            "head": _text("Commit of the state after; null for the working tree or a promotion.", null=True),
            "contributors": _list("Who wrote the change; their approvals do not count.", _STRING),
            "ticket": _text("The ticket the commits name.", null=True),
            "subjects": _list(
                "The documents that change.",
                _object(
                    "One document.",
                    {
                        "subject": _text("Kind/namespace/name, or Kind/name."),
                        "change": {"type": "string", "enum": ["adds", "changes", "removes"]},
                        "before": _text("Its digest as accepted.", null=True),
                        "after": _text("Its digest afterwards; that of its tombstone, if it is removed."),
                        "fields": _list("Fields that say nothing about what is served.", _STRING),
                    },
                ),
            ),
            "manifest": _object(
                "Digests of the manifests; null where the base is not known to be accepted.",
                {"before": _text("Before.", null=True), "after": _text("After.", null=True)},
            ),
            "environments": _map(
                "Where something changes.",
                _object(
                    "One environment.",
                    {
                        "production": _truth("Whether it goes by the rows of production."),
                        "flags": _list("By flag.", _FLAG),
                        "contexts": _CONTEXTS,
                    },
                    optional=("contexts",),
                ),
            ),
            "authority": _object(
                "What a change of policies lets whom do.",
                {
                    "abilities": _list(
                        "By person and role.",
                        _object(
                            "What somebody can do that they could not, or no longer.",
                            {
                                "person": _text("Their id."),
                                "role": _text("In which role."),
                                "gained": _truth("Gained, or else lost."),
                                "scopes": _list(
                                    "What they can approve.",
                                    _object(
                                        "One kind of change.",
                                        {
                                            "environment": _text("Null for policies.", null=True),
                                            "tier": _text("Null for policies.", null=True),
                                            "class": _CLASS,
                                            "alone": _truth("Whether it is all that is asked for."),
                                        },
                                    ),
                                ),
                                "emergencies": _list("Environments in which they roll back alone.", _STRING),
                                "because": _list("What brings it about.", _STRING),
                            },
                        ),
                    ),
                    "rules": _list("Rows, windows, blackouts, lifetimes that are others.", _STRING),
                },
            ),
            "promotions": _list(
                "Flags that an environment without production serves otherwise than one with it, afterwards.",
                _object(
                    "One flag and pair of environments.",
                    {
                        "flag": _text("namespace/name"),
                        "from": _text("The environment that is ahead."),
                        "to": _text("The one it would be promoted to."),
                        "ahead": _text("What the first serves."),
                        "behind": _text("What the second serves; empty where it does not serve it."),
                        "changes": _list("What promoting would change.", _STRING),
                        "class": _CLASS,
                        "tier": _TIER,
                        "missing": _list("Who would have to approve it.", _MISSING),
                        "obstacles": _list("What else would be in the way.", _STRING),
                    },
                ),
            ),
            "promotionsLeft": _number("Flags of the change that were not compared, since there are so many."),
            "obstacles": _list("What no approval can heal.", _STRING),
            "decision": _DECISION,
        },
    ),
}
