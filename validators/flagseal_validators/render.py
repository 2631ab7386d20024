"""What the gate says, as text for people and as JSON for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flagseal_validators.gate import Report

_FIELDS = ("rule", "severity", "file", "line", "column", "path", "message", "remedy")


def as_text(report: Report) -> str:
    """Render one line a finding, and one that sums up."""
    lines = [finding.text() for finding in report.findings]
    errors = sum(finding.severity == "error" for finding in report.findings)
    warnings = len(report.findings) - errors
    files = _counted(report.files_checked, "file")
    outcome = f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}" if report.findings else "nothing to mend"
    return "\n".join([*lines, f"{files} checked: {outcome}."]) + "\n"


def as_json(report: Report) -> str:
    """Render ``{"findings": [{rule, severity, file, line, column, path, message, remedy}]}``."""
    findings = [{field: values[field] for field in _FIELDS} for values in map(asdict, report.findings)]
    return json.dumps({"findings": findings}, indent=2) + "\n"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
