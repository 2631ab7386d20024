"""The report as JUnit XML, for CI servers that show tests: a suite a file, a case a finding."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from flagseal.model.characters import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.finding import Finding
    from flagseal_validators.judged import Suppression
    from flagseal_validators.report import Report


def as_junit(report: Report) -> str:
    """Render errors as failures, warnings as passed cases that say something, what is suppressed as skipped.

    Where nothing is found, one passed case says how many files were looked at.
    """
    told: list[tuple[Finding, Suppression | None]] = [(finding, None) for finding in report.findings]
    told += [(suppressed.finding, suppressed.by) for suppressed in report.suppressed]
    told.sort(key=lambda entry: entry[0])
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    counts = _counts(max(1, len(told)), report.errors, len(report.suppressed))
    lines.append(f'<testsuites name="flagseal validate" {counts}>')
    for file, entries in groupby(told, key=lambda entry: entry[0].file):
        lines += _suite(file, list(entries))
    if not told:
        lines.append(f'  <testsuite name="flagseal validate" {_counts(1, 0, 0)}>')
        lines.append(f'    <testcase classname="flagseal" name={quoteattr(report.summary())}/>')
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _suite(file: str, entries: list[tuple[Finding, Suppression | None]]) -> Iterator[str]:
    failed = sum(finding.severity == "error" and by is None for finding, by in entries)
    skipped = sum(by is not None for _, by in entries)
    yield f"  <testsuite name={_attribute(file)} {_counts(len(entries), failed, skipped)}>"
    for finding, by in entries:
        name = f"{finding.rule} {finding.path}"
        place = f"classname={_attribute(file)} file={_attribute(file)}{_line(finding)}"
        yield f"    <testcase name={_attribute(name)} {place}>"
        if by is not None:
            yield f"      <skipped message={_attribute(f'{by.reason} (until {by.until})')}/>"
        elif finding.severity == "error":
            said = f"message={_attribute(finding.message)} type={_attribute(finding.rule)}"
            yield f"      <failure {said}>{escape(finding.text())}</failure>"
        else:
            yield f"      <system-out>{escape(finding.text())}</system-out>"
        yield "    </testcase>"
    yield "  </testsuite>"


def _counts(tests: int, failures: int, skipped: int) -> str:
    return f'tests="{tests}" failures="{failures}" errors="0" skipped="{skipped}"'


def _line(finding: Finding) -> str:
    return f' line="{finding.line}"' if finding.line else ""


def _attribute(text: str) -> str:
    # What XML 1.0 cannot hold at all (section 2.2) is spelled out, as everywhere.
    return quoteattr(visible(text))
