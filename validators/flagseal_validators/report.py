"""What the gate says of a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from flagseal.model.finding import Finding
    from flagseal_validators.judged import Suppression


class Suppressed(msgspec.Struct, frozen=True):
    """Hold a finding that a document is excused from, and why."""

    finding: Finding
    by: Suppression


class Report(msgspec.Struct, frozen=True):
    """What the gate says.

    Attributes:
        findings: Sorted by file and place.
        files_checked: How many files were asked for and read.
        suppressed: What would be found were it not for ``spec.ignore``; sorted as well.
    """

    findings: tuple[Finding, ...]
    files_checked: int
    suppressed: tuple[Suppressed, ...] = ()

    @property
    def errors(self) -> int:
        """How many findings refuse the change."""
        return sum(finding.severity == "error" for finding in self.findings)

    @property
    def warnings(self) -> int:
        """How many findings are only shown."""
        return len(self.findings) - self.errors

    def summary(self) -> str:
        """Say in one sentence how it went."""
        parts = [counted(self.errors, "error"), counted(self.warnings, "warning")]
        outcome = ", ".join(parts) if self.findings else "nothing to mend"
        aside = f", {len(self.suppressed)} suppressed" if self.suppressed else ""
        return f"{counted(self.files_checked, 'file')} checked: {outcome}{aside}."


def counted(number: int, what: str) -> str:
    """Write a number with its noun."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
