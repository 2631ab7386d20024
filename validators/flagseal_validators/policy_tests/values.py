"""What came of policy tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flagseal.policy.decision import Decision


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What came of one case.

    Attributes:
        name: As written.
        place: ``file:line``.
        failures: What differs from what was expected, as sentences; empty if nothing does.
        decision: What was decided; None if the case could not be made.
        rows: Places of the rows by which it was decided.
    """

    name: str
    place: str
    failures: tuple[str, ...]
    decision: Decision | None
    rows: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether it came out as expected."""
        return not self.failures


@dataclass(frozen=True, slots=True)
class RowUse:
    """How often a row decided.

    Attributes:
        place: Where it stands in the ApprovalPolicy.
        allowed: Cases that it let through.
        denied: Cases that were refused.
        remedy: What to do if no case exercises it; empty if one does.
        case: A case that would exercise it, as YAML; empty if one does, or none can.
    """

    place: str
    allowed: int
    denied: int
    remedy: str
    case: str = ""

    @property
    def exercised(self) -> bool:
        """Whether any case was decided by it."""
        return self.allowed + self.denied > 0


@dataclass(frozen=True, slots=True)
class TestReport:
    """What came of all cases.

    Attributes:
        cases: In the order of files and of cases in them.
        rows: Every row there is, in the order of the policy.
    """

    cases: tuple[CaseResult, ...]
    rows: tuple[RowUse, ...]

    @property
    def passed(self) -> bool:
        """Whether every case came out as expected, and every row was exercised."""
        return all(case.passed for case in self.cases) and all(row.exercised for row in self.rows)
