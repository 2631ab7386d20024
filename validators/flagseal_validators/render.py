"""What the gate says, as text for people, as JSON for programs, and the page of a rule."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

from flagseal.model.errors import UsageError
from flagseal.model.problem import did_you_mean
from flagseal_validators.rules import RULES

if TYPE_CHECKING:
    from flagseal_validators.gate import Report
    from flagseal_validators.rule import Example

_FIELDS = ("rule", "severity", "file", "line", "column", "path", "message", "remedy")
_WIDTH = 100


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


def rule_page(rule_id: str) -> str:
    """Render what a rule is about.

    Raises:
        UsageError: There is no such rule.
    """
    rule = RULES.get(rule_id)
    if rule is None:
        raise UsageError(
            f"there is no rule {ascii(rule_id)[1:-1]}",
            code="NoSuchRule",
            remedy=did_you_mean(rule_id, RULES) or f"The rules are {', '.join(RULES)}.",
        )
    suppression = "It can be suppressed by `spec.ignore`." if rule.suppressible else "It cannot be suppressed."
    parts = [
        f"{rule.id} {rule.title} ({rule.severity})",
        textwrap.fill(rule.why, _WIDTH),
        textwrap.fill(f"{rule.remedy} {suppression}", _WIDTH),
        "Found:\n\n" + _shown(rule.bad),
        "Accepted:\n\n" + _shown(rule.good),
    ]
    return "\n\n".join(parts) + "\n"


def _shown(example: Example) -> str:
    text = example.shown or (example.text if isinstance(example.text, str) else example.text.decode("latin-1"))
    files = [text, *(f"# {name}\n{other}" for name, other in example.others.items())]
    return textwrap.indent("\n".join(part.rstrip("\n") + "\n" for part in files), "    ").rstrip()


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
