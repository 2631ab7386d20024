"""The report for a person at a terminal: by file, with the line that is meant and a caret below it."""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby
from typing import TYPE_CHECKING, Final

from flagseal.model.characters import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flagseal.model.finding import Finding
    from flagseal_validators.report import Report

_WIDEST: Final = 110
"""Columns of a source line that are shown; of a longer one, the part around the place."""
_BEFORE: Final = 40

_TOKEN: Final = re.compile(r"""[^\s,:\[\]{}]+|.""")

_RED, _YELLOW, _GREEN, _BOLD, _DIM = "31;1", "33;1", "32", "1", "2"


def as_text(report: Report, *, line_of: Callable[[str, int], str | None], colour: bool = False) -> str:
    """Render the report.

    Args:
        report: What the gate says.
        line_of: Gives a line of a file, counted from 1; None where it cannot be had.
        colour: Whether to write ANSI colours.
    """
    paint = _painted if colour else _plain
    lines: list[str] = []
    for file, findings in groupby(report.findings, key=lambda finding: finding.file):
        lines.append(paint(visible(file), _BOLD))
        for finding in findings:
            lines += _finding_lines(finding, line_of, paint)
        lines.append("")
    outcome = _RED if report.errors else _YELLOW if report.findings else _GREEN
    return "\n".join([*lines, paint(report.summary(), outcome)]) + "\n"


def _finding_lines(
    finding: Finding, line_of: Callable[[str, int], str | None], paint: Callable[[str, str], str]
) -> Iterator[str]:
    place = ":".join(str(part) for part in (finding.line, finding.column) if part)
    severity = paint(f"{finding.severity} {finding.rule}", _RED if finding.severity == "error" else _YELLOW)
    yield "  " + " ".join(part for part in (place, severity, visible(finding.message)) if part)
    source = line_of(finding.file, finding.line) if finding.line else None
    if source is not None:
        yield from _source_lines(source, finding, paint)
    if finding.remedy:
        yield f"    → {visible(finding.remedy)}"


def _source_lines(source: str, finding: Finding, paint: Callable[[str, str], str]) -> Iterator[str]:
    number, at = str(finding.line), finding.column - 1
    start = max(0, at - _BEFORE) if len(source) > _WIDEST else 0
    shown = source[start : start + _WIDEST]
    before = visible(("…" if start else "") + shown[: max(0, at - start)])
    rest = shown[max(0, at - start) :]
    tail = "…" if start + _WIDEST < len(source) else ""
    yield f"    {paint(f'{number} |', _DIM)} {before}{visible(rest)}{tail}"
    if finding.column and (token := _TOKEN.match(rest)):
        marks = "^" * max(1, _width(visible(token[0])))
        gap = " " * (len(number) + 1)
        yield f"    {gap}{paint('|', _DIM)} {' ' * _width(before)}{paint(marks, _RED)}"


def _width(text: str) -> int:
    """Count the columns of a terminal that a text takes."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def _plain(text: str, code: str) -> str:
    del code
    return text


def _painted(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m"
