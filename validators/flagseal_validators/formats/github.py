"""The report as commands of GitHub's workflow runner, which shows them at the lines of a pull request.

A runner takes what a step writes for commands wherever a line begins with ``::``, and in an older form wherever ``##[``
stands. Names and messages are those of the change's author, so neither may come from them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal.model.characters import visible
from flagseal_validators.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.finding import Finding
    from flagseal_validators.report import Report

MOST_SHOWN: Final = 10
"""Annotations of one level that GitHub keeps of one step; what is more would be dropped without a word."""


def as_github(report: Report) -> str:
    """Render annotations, errors first; past what GitHub keeps, findings are lines of the log."""
    return "".join(f"{_harmless(line)}\n" for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    errors = [finding for finding in report.findings if finding.severity == "error"]
    warnings = [finding for finding in report.findings if finding.severity == "warning"]
    for findings in (errors, warnings):
        yield from map(_annotation, findings[:MOST_SHOWN])
    if rest := [*errors[MOST_SHOWN:], *warnings[MOST_SHOWN:]]:
        yield f"::group::{len(rest):,} more, which GitHub would not show at their lines"
        for finding in rest:
            yield f"  {finding.text()}"
        yield "::endgroup::"
    yield report.summary()


def _annotation(finding: Finding) -> str:
    properties = {"file": finding.file, "line": finding.line, "col": finding.column}
    properties["title"] = f"{finding.rule} {RULES[finding.rule].title}"
    told = ",".join(f"{name}={_property(visible(str(value)))}" for name, value in properties.items() if value)
    remedy = f"\n{visible(finding.remedy)}" if finding.remedy else ""
    return f"::{finding.severity} {told}::{_data(visible(finding.message) + remedy)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _harmless(line: str) -> str:
    return line.replace("##[", "## [")
