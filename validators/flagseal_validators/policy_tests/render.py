"""What came of policy tests, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.canonical import Json
    from flagseal_validators.policy_tests.values import TestReport


def as_text(report: TestReport) -> str:
    """Render each case, each row with how often it decided, and what to do."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: TestReport) -> Iterator[str]:
    for case in report.cases:
        yield f"{'ok  ' if case.passed else 'FAIL'} {case.name}"
        for failure in case.failures:
            yield f"       {case.place}: {failure}"
    if report.cases:
        yield ""
    yield "Rows of the ApprovalPolicy: allowed, denied"
    width = max((len(row.place) for row in report.rows), default=0)
    for row in report.rows:
        yield f"{'ok  ' if row.exercised else 'FAIL'} {row.place:<{width}} {row.allowed:>3} {row.denied:>3}"
        if not row.exercised:
            yield f"       no case exercises this row. {row.remedy}"
    failed = sum(not case.passed for case in report.cases)
    idle = sum(not row.exercised for row in report.rows)
    yield ""
    yield (
        f"{len(report.cases)} cases, {failed} failed; {len(report.rows)} rows, "
        f"{f'{idle} not exercised' if idle else 'all exercised'}."
    )


def as_record(report: TestReport) -> dict[str, Json]:
    """Give everything, the decisions included."""
    return {
        "passed": report.passed,
        "cases": [
            {
                "name": case.name,
                "place": case.place,
                "passed": case.passed,
                "failures": list(case.failures),
                "rows": list(case.rows),
                "decision": case.decision.to_json() if case.decision is not None else None,
            }
            for case in report.cases
        ],
        "rows": [
            {
                "row": row.place,
                "allowed": row.allowed,
                "denied": row.denied,
                "exercised": row.exercised,
                "remedy": "" if row.exercised else row.remedy,
            }
            for row in report.rows
        ],
    }
