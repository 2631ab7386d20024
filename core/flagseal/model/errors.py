"""Everything that can go wrong, as one tree.

::

    FlagsealError                 code, message that names the place, remedy
    ├── InvalidDocuments          findings: files that cannot be taken as they are
    ├── InvalidPolicies           findings: the policy set contradicts itself
    ├── CompileError              a definition that is well-formed and yet has no meaning
    ├── RepositoryError           git, or the repository's layout, is not as needed
    ├── ApprovalError             a statement, a signature or a chain does not hold
    ├── ForgeError                the git host has no answer, or not the one needed
    ├── SnapshotError             a store, a signing key or TUF metadata does not hold
    └── UsageError                the command's words are off
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flagseal.model.finding import Finding


class FlagsealError(Exception):
    """Report a failure to a person.

    Args:
        message: What is wrong, naming the place (``file:line``, ``$.path``, a resource).
        code: Stable and machine-readable, in CamelCase (``StatementReplayed``).
        remedy: What to do next, as a sentence.
    """

    code: str = "Error"

    def __init__(self, message: str, *, code: str | None = None, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        if code is not None:
            self.code = code


class InvalidDocuments(FlagsealError):
    """Refuse files that cannot be taken as they are, with every finding at once."""

    code = "InvalidDocuments"

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(
            "\n".join(finding.text() for finding in self.findings),
            remedy="Correct each place named; `flagseal validate` lists them all.",
        )


class InvalidPolicies(InvalidDocuments):
    """Refuse a policy set whose documents contradict each other."""

    code = "InvalidPolicies"


class CompileError(FlagsealError):
    """Refuse a well-formed definition that has no meaning (a dangling reference, a cycle)."""

    code = "CompileError"


class RepositoryError(FlagsealError):
    """Say that git, or the repository's layout, is not as needed."""

    code = "RepositoryError"


class ApprovalError(FlagsealError):
    """Say that a statement, a signature or the chain they form does not hold."""

    code = "ApprovalError"


class ForgeError(FlagsealError):
    """Say that the git host has no answer, or not the one needed."""

    code = "ForgeError"


class SnapshotError(FlagsealError):
    """Say that a store, a signing key or TUF metadata does not hold."""

    code = "SnapshotError"


class UsageError(FlagsealError):
    """Say that a command's words are off."""

    code = "UsageError"
