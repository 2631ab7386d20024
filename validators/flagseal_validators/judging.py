"""What rules say of documents: findings, whether time alone brought them about, and what excuses from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from flagseal.model.finding import Finding
from flagseal.model.instants import parse_day
from flagseal_validators.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import date

    from flagseal.model.document import Document
    from flagseal_validators.declared import Declared
    from flagseal_validators.rule import Complaint, Rule


@dataclass(frozen=True, slots=True, order=True)
class Suppression:
    """Say what excuses a document from a rule (``spec.ignore``).

    Attributes:
        reason: In its author's words.
        until: The last day, as ``YYYY-MM-DD``.
    """

    reason: str
    until: str


@dataclass(frozen=True, slots=True)
class Judged:
    """Hold what a rule found, before it is known what the change at hand touches.

    Attributes:
        finding: With the severity that the rule has.
        by_time: Whether only time brought it about: then it is an error only on files that the change touches.
        suppressed: What excuses the document; None if nothing does.
    """

    finding: Finding
    by_time: bool = False
    suppressed: Suppression | None = None

    def at(self, touched: Collection[str]) -> Finding:
        """Give the finding as it counts for a change of these files."""
        if self.by_time and self.finding.file not in touched:
            return replace(self.finding, severity="warning")
        return self.finding


def judge(declared: Declared, rules: Iterable[Rule] = tuple(RULES.values())) -> Iterator[Judged]:
    """Hold rules against the documents that are looked at."""
    for rule in rules:
        if rule.check is not None:
            for complaint in rule.check(declared):
                excuse = _excuse(complaint.document, rule.id, declared.today) if rule.suppressible else None
                yield Judged(_finding(rule, complaint), complaint.by_time, excuse)


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
