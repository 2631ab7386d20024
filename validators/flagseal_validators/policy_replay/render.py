"""What a candidate policy would have decided, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal.policy.facts import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.canonical import Json
    from flagseal_validators.policy_replay.values import Otherwise, ReplayReport

_INSTANT: Final = "%Y-%m-%d %H:%M UTC"
_SHOWN: Final = 5
_KNOWN: Final = (
    "Of refused changes only those are known that somebody signed on this branch, and what it waits for; what a forge"
    " refused is not."
)


def as_text(report: ReplayReport) -> str:
    """Render what comes out otherwise, and count the rest."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: ReplayReport) -> Iterator[str]:
    yield f"{_counted(len(report.statements))} since {report.genesis[:12]}, by the policies {report.policy[:19]}…"
    yield ""
    if report.refused:
        yield f"Accepted then, refused by these: {len(report.refused)}"
        for statement in report.refused:
            yield from _statement(statement)
            yield from _why(statement)
        yield ""
    if report.let_in:
        yield f"Not accepted then, let in by these: {len(report.let_in)}"
        for statement in report.let_in:
            yield from _statement(statement)
            state = "the branch waits for it" if statement.fate == "waiting" else "another change was accepted instead"
            yield f"      {state}; approved by {', '.join(statement.approved_by) or 'nobody'}"
        yield ""
    if report.later:
        yield f"In effect later: {len(report.later)}"
        for statement in report.later:
            yield from _statement(statement)
            for name, (now, then) in sorted(statement.later.items()):
                yield f"      {name}: from {now:{_INSTANT}} instead of {then:{_INSTANT}}"
        yield ""
    others = len(report.statements) - len(report.refused) - len(report.let_in) - len(report.later)
    yield f"{others} as they were. {_KNOWN}"


def _statement(statement: Otherwise) -> Iterator[str]:
    names = ", ".join(statement.subjects[:_SHOWN])
    more = f" and {len(statement.subjects) - _SHOWN} more" if len(statement.subjects) > _SHOWN else ""
    yield f"  {statement.sequence:>4}  {statement.commit[:12]}  {statement.at:{_INSTANT}}  {names}{more}"


def _why(statement: Otherwise) -> Iterator[str]:
    for reason in statement.reasons:
        yield f"      {reason}"
    for remedy in statement.remedies:
        yield f"        → {remedy}"


def _counted(number: int) -> str:
    return f"{number} statement{'' if number == 1 else 's'}"


def as_record(report: ReplayReport) -> dict[str, Json]:
    """Give every statement, with what came of it then and what would now."""
    return {
        "genesis": report.genesis,
        "policy": report.policy,
        "same": report.same,
        "statements": [
            {
                "sequence": it.sequence,
                "commit": it.commit,
                "at": rfc3339(it.at),
                "then": it.fate,
                "allowed": it.allowed,
                "differs": it.differs,
                "subjects": list(it.subjects),
                "approvedBy": list(it.approved_by),
                "reasons": list(it.reasons),
                "remedies": list(it.remedies),
                "missing": list(it.missing),
                "later": {
                    name: {"effectiveFrom": rfc3339(now), "then": rfc3339(then)}
                    for name, (now, then) in it.later.items()
                },
            }
            for it in report.statements
        ],
    }
