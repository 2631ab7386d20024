"""The JSON Schemas of what ``flagseal retire`` and ``flagseal debt`` write, published in ``validators/schemas/output``.

Objects are closed: a field that is not described here is never written, which a test holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from flagseal.model.flag import RISK_TIERS, Lifecycle, Purpose
from flagseal.model.schema.envelope import DIALECT, SCHEMA_BASE
from flagseal_validators.retirement.debt import AGES, Why
from flagseal_validators.retirement.stepping import Act, Step

if TYPE_CHECKING:
    from flagseal.model.schema.vocabulary import JsonSchema

_COUNT: Final[JsonSchema] = {"type": "integer", "minimum": 0}
_DAY: Final[JsonSchema] = {"type": "string", "format": "date"}
_TEXT: Final[JsonSchema] = {"type": "string"}


def _words(kind: object, *others: str | None) -> JsonSchema:
    return {"enum": [*get_args(kind), *others]}


def _or_null(schema: JsonSchema) -> JsonSchema:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(**fields: JsonSchema) -> JsonSchema:
    return {"type": "object", "additionalProperties": False, "required": list(fields), "properties": fields}


def _list(items: JsonSchema) -> JsonSchema:
    return {"type": "array", "items": items}


DEBT_SCHEMA: Final[JsonSchema] = {
    "$schema": DIALECT,
    "$id": f"{SCHEMA_BASE}/output/debt.json",
    "title": "flagseal debt --format json",
    "description": "The flags that should not be there any more, or not as they are.",
    **_object(
        today=_DAY,
        flags={**_COUNT, "description": "How many flags there are in all."},
        total={**_COUNT, "description": "How many of them are debt."},
        reasons={"type": "object", "propertyNames": _words(Why), "additionalProperties": _COUNT},
        owners=_list(
            _object(
                owner=_TEXT,
                total=_COUNT,
                ages={"type": "object", "propertyNames": {"enum": list(AGES)}, "additionalProperties": _COUNT},
            )
        ),
        entries=_list(
            _object(
                flag=_TEXT,
                owner=_TEXT,
                purpose=_words(Purpose),
                riskTier={"enum": list(RISK_TIERS)},
                lifecycle=_words(Lifecycle),
                ageDays=_or_null({"type": "integer", "description": "Since its file's first commit."}),
                unchangedDays=_or_null({"type": "integer", "description": "Since its file's last commit."}),
                date=_or_null({**_DAY, "description": "Its last day, or the day its next review is due."}),
                daysLeft=_or_null({"type": "integer", "description": "Until then; negative afterwards."}),
                references=_or_null({**_COUNT, "description": "Places in code; null if none were searched."}),
                why=_list(_words(Why)),
                debt={"type": "boolean", "description": "Whether it counts."},
            )
        ),
    ),
}

RETIRE_SCHEMA: Final[JsonSchema] = {
    "$schema": DIALECT,
    "$id": f"{SCHEMA_BASE}/output/retire.json",
    "title": "flagseal retire --format json",
    "description": "The flags that something is due of, the most urgent first, and what became of each.",
    **_object(
        today=_DAY,
        flags=_list(
            _object(
                flag=_TEXT,
                owner=_TEXT,
                step=_words(Step),
                act=_words(Act),
                lifecycle=_words(Lifecycle),
                to=_or_null(_words(Lifecycle)),
                date=_or_null(_DAY),
                daysLeft=_or_null({"type": "integer"}),
                title=_TEXT,
                branch=_or_null({**_TEXT, "description": "Null where an issue is opened in place of a request."}),
                constant={
                    "type": "object",
                    "description": "By environment, the variant that everybody is served from now on; null if not one.",
                    "additionalProperties": _or_null(_TEXT),
                },
                obstacles=_list(_TEXT),
                references=_or_null(_list(_TEXT)),
                done={"enum": ["opened", "updated", "unchanged", "left", "later", None]},
                why=_TEXT,
                url=_TEXT,
            )
        ),
        closed=_list({**_TEXT, "description": "A flag whose request or issue was closed."}),
    ),
}
