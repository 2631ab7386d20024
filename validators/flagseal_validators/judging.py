"""Rules, held against documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from flagseal.model.finding import Finding
from flagseal.model.instants import parse_day
from flagseal_validators.judged import Judged, Suppression
from flagseal_validators.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date

    from flagseal.model.document import Document
    from flagseal_validators.declared import Declared
    from flagseal_validators.rule import Complaint, Rule

WORTH_A_PROCESS: Final = 1000
"""Documents for each process: starting one takes as long as judging a hundred."""

_ELSEWHERE: Final = frozenset({"required", "granted", "grants"})
"""What rules read of other namespaces (:data:`~flagseal_validators.rule.Read`)."""

# Rules that look at each document with what it refers to, those that look at what a change made of it, and rules that
# look at all documents at once.
_CHANGE: Final = tuple(rule for rule in RULES.values() if not {"before", "history"}.isdisjoint(rule.reads))
_EACH: Final = tuple(
    rule
    for rule in RULES.values()
    if rule.check is not None and rule.scope != "repository" and "before" not in rule.reads
)
_ALL: Final = tuple(rule for rule in RULES.values() if rule.check is not None and rule.scope == "repository")


def judge_each(declared: Declared) -> Iterator[Judged]:
    """Hold the rules that need no more than the documents looked at and what these refer to."""
    return _held(declared, _EACH)


def judge_change(declared: Declared) -> Iterator[Judged]:
    """Hold the rules that look at what documents were before the change."""
    return _held(declared, _CHANGE)


def looks_at_all() -> frozenset[str]:
    """Name the rules for which every document counts."""
    return frozenset(rule.id for rule in _ALL)


def judge_together(declared: Declared) -> Iterator[Judged]:
    """Hold the rules for which every document counts."""
    return _held(declared, _ALL)


def judge_many(
    declared: Declared, *, processes: int, progress: Callable[[int, int], None] | None = None
) -> list[Judged]:
    """Hold the rules of :func:`judge_each` against all documents, with several processes if there are many.

    Args:
        declared: All there is.
        processes: At most so many. Call it before there are threads.
        progress: Told how many of the documents are judged.
    """
    # Here and not above: whoever judges little need not wait for what shares work.
    import multiprocessing  # noqa: PLC0415
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415

    count = len(declared.documents)
    processes = min(processes, count // WORTH_A_PROCESS)
    if processes < 2 or "fork" not in multiprocessing.get_all_start_methods():  # noqa: PLR2004
        return list(judge_each(declared))
    vars(declared)["catalogue"] = declared.catalogue  # made once, before the processes part
    found, done = list[Judged](), 0
    size = -(-count // (processes * 4))
    _shared.append(declared)
    try:
        with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("fork")) as pool:
            for part in pool.map(_judge_part, range(0, count, size), [size] * -(-count // size)):
                found += part
                done = min(count, done + size)
                if progress is not None:
                    progress(done, count)
    finally:
        _shared.pop()
    return found


_shared: Final[list[Declared]] = []
"""What the processes that part look at: it is theirs by being forked, and is not sent."""


def _judge_part(start: int, size: int) -> list[Judged]:
    declared = _shared[-1]
    return list(judge_each(declared.about(declared.documents[start : start + size])))


def _held(declared: Declared, rules: Iterable[Rule]) -> Iterator[Judged]:
    for rule in rules:
        if rule.check is not None:
            for complaint in rule.check(declared):
                excuse = _excuse(complaint.document, rule.id, declared.today) if rule.suppressible else None
                anywhere = not _ELSEWHERE.isdisjoint(rule.reads)
                yield Judged(_finding(rule, complaint), complaint.by_time, excuse, anywhere)


def _excuse(document: Document, rule: str, today: date) -> Suppression | None:
    spec = cast("dict[str, Any]", document.spec)
    for entry in spec.get("ignore", ()):
        if entry["rule"] == rule and parse_day(entry["until"]) >= today:
            return Suppression(entry["reason"], entry["until"])
    return None


def _finding(rule: Rule, complaint: Complaint) -> Finding:
    source = complaint.document.source
    file, line, column = complaint.document.subject, 0, 0
    if source is not None:
        position = source.at(complaint.path)
        file, line, column = source.file, position.line, position.column
    remedy = complaint.remedy or rule.remedy
    return Finding(file, line, column, rule.id, complaint.path, complaint.message, remedy, rule.severity)
