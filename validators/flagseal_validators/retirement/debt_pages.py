"""The debt report for a person: text for a terminal, Markdown for a page."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from flagseal_validators.plan.markup import code
from flagseal_validators.retirement.debt import AGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.retirement.debt import Debt, Report, Why

_SAID: Final[dict[Why, str]] = {
    "expired": "expired",
    "no-expiry": "without an end",
    "review-overdue": "review overdue",
    "constant": "the same for everybody, and long unchanged",
    "retired": "retired, not yet deleted",
    "expires-soon": "soon due (does not count)",
}


def as_text(report: Report) -> str:
    """Write the report for a terminal."""
    return "\n".join(_text(report)) + "\n"


def as_markdown(report: Report) -> str:
    """Write the report as Markdown; names come from the schema's characters, and stand in code anyway."""
    return "\n".join(_markdown(report)) + "\n"


def _headline(report: Report) -> str:
    flags = f"{report.flags:,} flag{'s' * (report.flags != 1)}"
    if not report.total:
        return f"No debt among {flags}."
    return f"{report.total:,} of {flags} {'are' if report.total != 1 else 'is'} debt."


def _text(report: Report) -> Iterator[str]:
    yield _headline(report)
    for reason, count in report.reasons.items():
        yield f"  {count:>5,}  {_SAID[reason]}"
    for owner, entries in _by_owner(report):
        debt = sum(entry.counts for entry in entries)
        yield ""
        yield f"{owner}: {debt:,}" if debt else f"{owner}: none, but"
        widest = max(len(entry.flag) for entry in entries)
        for entry in entries:
            yield f"  {entry.flag:<{widest}}  {'; '.join(_said(entry))}"


def _markdown(report: Report) -> Iterator[str]:
    yield f"## Flag debt on {report.today}"
    yield ""
    yield f"**{_headline(report)}**"
    if report.owners:
        ages = [age for age in AGES if any(age in found for _, found in report.owners)]
        yield ""
        yield f"| owner | {' | '.join(ages)} | all |"
        yield f"| --- |{' ---: |' * (len(ages) + 1)}"
        for owner, found in report.owners:
            cells = " | ".join(str(found.get(age, "")) for age in ages)
            yield f"| {code(owner)} | {cells} | {sum(found.values())} |"
    if report.entries:
        yield ""
        yield "| flag | owner | age | what |"
        yield "| --- | --- | ---: | --- |"
        for entry in report.entries:
            age = "" if entry.age is None else f"{entry.age:,}\N{NO-BREAK SPACE}d"
            yield f"| {code(entry.flag)} | {code(entry.owner)} | {age} | {'; '.join(_said(entry))} |"


def _by_owner(report: Report) -> Iterator[tuple[str, list[Debt]]]:
    ranked = {owner: number for number, (owner, _) in enumerate(report.owners)}
    entries = sorted(report.entries, key=lambda entry: (ranked.get(entry.owner, len(ranked)), entry.owner))
    for owner, found in groupby(entries, key=lambda entry: entry.owner):
        yield owner, list(found)


def _said(entry: Debt) -> Iterator[str]:
    for reason in entry.why:
        match reason:
            case "expired":
                yield f"expired {_days(-(entry.left or 0))} ago, on {entry.day}"
            case "review-overdue":
                yield f"review was due {_days(-(entry.left or 0))} ago, on {entry.day}"
            case "no-expiry":
                yield "has no end"
            case "constant":
                yield f"the same for everybody, unchanged for {_days(entry.unchanged or 0)}"
            case "retired":
                yield "retired, not yet deleted"
            case "expires-soon":
                yield f"{'review due' if entry.purpose == 'entitlement' else 'expires'} on {entry.day}"
    if entry.references is not None:
        yield f"{entry.references} in code" if entry.references else "not in code"
    if entry.age is not None:
        yield f"{_days(entry.age)} old"


def _days(count: int) -> str:
    return f"{count:,} day{'s' * (count != 1)}"
