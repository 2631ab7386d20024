"""What came of policy tests, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.canonical import Json
    from flagseal_validators.policy_tests.mutating import MutationReport
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
            yield from (f"         {line}" for line in row.case.splitlines())
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
                "remedy": row.remedy,
                "case": row.case,
            }
            for row in report.rows
        ],
    }


def mutations_as_text(report: MutationReport) -> str:
    """Render which loosenings no case notices, each with a case that would."""
    return "\n".join(_mutation_lines(report)) + "\n"


def _mutation_lines(report: MutationReport) -> Iterator[str]:
    survivors = [mutation for mutation in report.mutations if mutation.survives]
    noticed = sum(mutation.noticed_by is not None for mutation in report.mutations)
    idle = [mutation for mutation in report.mutations if mutation.noticed_by is None and not mutation.survives]
    yield "Loosened by one step each"
    for mutation in survivors:
        yield f"FAIL {mutation.place} {mutation.what}"
        yield "       no case fails. This one would:"
        yield from (f"         {line}" for line in mutation.case.splitlines())
    for mutation in idle:
        yield f"--   {mutation.place} {mutation.what}: no case was found that it decides otherwise"
    yield ""
    told = f"{len(report.mutations)} loosenings, {noticed} noticed"
    if survivors:
        told += f", {len(survivors)} not noticed"
    if idle:
        told += f", {len(idle)} without effect"
    yield f"{told}."


def mutations_as_record(report: MutationReport) -> dict[str, Json]:
    """Give every loosening, with the case that noticed it or would."""
    return {
        "passed": report.passed,
        "loosenings": [
            {
                "place": mutation.place,
                "what": mutation.what,
                "noticedBy": mutation.noticed_by,
                "case": mutation.case,
                "survives": mutation.survives,
            }
            for mutation in report.mutations
        ],
    }
