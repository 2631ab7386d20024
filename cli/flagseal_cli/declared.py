"""Documents as they stand, for commands that need all of them to be in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.errors import InvalidDocuments, UsageError
from flagseal.model.policy_set import load_policies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flagseal.model.document import Document
    from flagseal.model.finding import Finding
    from flagseal.model.policies import Environment


def environment_of(
    read: tuple[Sequence[Document], Sequence[Finding]], environment: str, place: str
) -> tuple[Sequence[Document], Environment]:
    """Give the documents that were read, and one of their environments.

    Args:
        read: Documents and findings, as a repository gives them.
        environment: Its name.
        place: Where they were read, for the message.

    Raises:
        InvalidDocuments: Some cannot be taken as they are.
        UsageError: No such environment.
    """
    documents, findings = read
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise InvalidDocuments(errors)
    environments = load_policies(documents).environments
    if environment not in environments:
        raise UsageError(
            f"{environment}: not an environment of policies/environments.yaml {place}",
            code="UnknownEnvironment",
            remedy=f"Use one of {', '.join(sorted(environments))}.",
        )
    return documents, environments[environment]
