"""All policies at one revision, as one value that is known to be consistent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from flagseal.model.canonical import sha256_digest
from flagseal.model.document import POLICY_KINDS
from flagseal.model.errors import InvalidPolicies
from flagseal.model.policies import PolicySet
from flagseal.model.policy_integrity import violations
from flagseal.model.policy_reading import (
    read_approval,
    read_calendar,
    read_environments,
    read_lifecycle,
    read_organisation,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagseal.model.document import Document


def load_policies(documents: Iterable[Document]) -> PolicySet:
    """Read the policy documents among others as one set.

    Args:
        documents: As the loader gives them. Tombstones, flags, segments, bindings and policy tests are passed over.

    Raises:
        InvalidPolicies: The set contradicts itself (:func:`~flagseal.model.policy_integrity.violations`), with
            every violation at once.
    """
    policies = _policies(documents)
    if found := violations(policies):
        raise InvalidPolicies(found)
    return read_policies(policies)


def read_policies(documents: Iterable[Document]) -> PolicySet:
    """Read the policy documents among others as one set that is known to be consistent; nothing is checked.

    Args:
        documents: Such as :func:`load_policies` took before.
    """
    policies = _policies(documents)
    specs = {document.kind: cast("dict[str, Any]", document.spec) for document in policies}
    return PolicySet(
        digest=_digest(policies),
        documents={document.subject: document for document in policies},
        organisation=read_organisation(specs["Organisation"]),
        environments=read_environments(specs["EnvironmentList"]),
        approval=read_approval(specs["ApprovalPolicy"]),
        lifecycle=read_lifecycle(specs["LifecyclePolicy"]),
        calendar=read_calendar(specs["ChangeCalendar"]),
        access=specs.get("AccessPolicy"),
    )


def _policies(documents: Iterable[Document]) -> list[Document]:
    chosen = [document for document in documents if document.kind in POLICY_KINDS and not document.is_tombstone]
    return sorted(chosen, key=lambda document: (document.kind, document.name))


def _digest(policies: list[Document]) -> str:
    return sha256_digest(b"[" + b",".join(document.canonical for document in policies) + b"]")
