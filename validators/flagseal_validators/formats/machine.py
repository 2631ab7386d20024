"""The report for programs: JSON, with a published schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec

from flagseal.model.characters import visible

if TYPE_CHECKING:
    from flagseal.model.finding import Finding
    from flagseal_validators.report import Report

_FIELDS: Final = {
    "rule": {"type": "string", "pattern": "^FS[0-9]{3}$", "description": "`flagseal rule ID` explains it."},
    "severity": {"enum": ["error", "warning"], "description": "An error refuses the change; a warning is shown."},
    "file": {"type": "string", "description": "Relative to the repository's root, with forward slashes."},
    "line": {"type": "integer", "minimum": 0, "description": "From 1; 0 where the whole file is meant."},
    "column": {
        "type": "integer",
        "minimum": 0,
        "description": "From 1, in Unicode code points; 0 where the whole line is meant.",
    },
    "path": {"type": "string", "pattern": r"^\$", "description": "JSONPath of the value; `$` for the document."},
    "message": {"type": "string", "description": "What is wrong there."},
    "remedy": {"type": "string", "description": "What to do about it."},
}
_SUPPRESSION: Final = {
    "reason": {"type": "string", "description": "Why the rule does not apply, in the author's words."},
    "until": {"type": "string", "format": "date", "description": "The last day on which it is suppressed."},
}


def as_json(report: Report) -> str:
    """Render ``{"findings": [{rule, severity, file, line, column, path, message, remedy}], "suppressed": […]}``."""
    value = {
        "findings": [_plain(finding) for finding in report.findings],
        "suppressed": [
            {**_plain(it.finding), "reason": _sound(it.by.reason), "until": it.by.until} for it in report.suppressed
        ],
    }
    return json.dumps(value, indent=2) + "\n"


def _plain(finding: Finding) -> dict[str, str | int]:
    values = msgspec.structs.asdict(finding)
    return {field: _sound(values[field]) for field in _FIELDS}


def _sound(value: str | int) -> str | int:
    """Spell out what many readers of JSON refuse: halves of characters, as in a file's name that is not UTF-8."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return visible(value)
    return value


def _listing(description: str, fields: dict[str, Any]) -> dict[str, Any]:
    item = {"type": "object", "additionalProperties": False, "required": list(fields), "properties": fields}
    return {"type": "array", "description": description, "items": item}


SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "flagseal validate --format json",
    "description": "What the gate finds in a flag repository.",
    "type": "object",
    "additionalProperties": False,
    "required": ["findings", "suppressed"],
    "properties": {
        "findings": _listing("What is found, sorted by file and place.", _FIELDS),
        "suppressed": _listing("What documents are excused from (`spec.ignore`).", {**_FIELDS, **_SUPPRESSION}),
    },
}
"""What :func:`as_json` writes; published as ``validators/schemas/output/validate.json``."""
