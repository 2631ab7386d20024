"""What must hold for all governed documents together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.evaluation.compile import compile_flag
from flagseal.model.document import subject_of
from flagseal.model.errors import ApprovalError, CompileError, InvalidPolicies
from flagseal.model.policy_set import load_policies
from flagseal.model.uniqueness import clashes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagseal.model.document import Document
    from flagseal.model.policies import PolicySet
    from flagseal.policy.state import State


def require_policies(documents: Iterable[Document]) -> PolicySet:
    """Read the policies among documents.

    Raises:
        ApprovalError: ``PoliciesInvalid``.
    """
    try:
        return load_policies(documents)
    except InvalidPolicies as error:
        raise ApprovalError(error.message, code="PoliciesInvalid", remedy=error.remedy) from error


def require_unique(documents: Iterable[Document]) -> None:
    """Refuse two flags of one name or key.

    Raises:
        ApprovalError: ``NotUnique``.
    """
    for clash in clashes(documents):
        raise ApprovalError(f"{clash.document.subject}: {clash.message}.", code="NotUnique", remedy=clash.remedy)


def require_compiling(state: State, flags: Iterable[str], policies: PolicySet) -> None:
    """Refuse flags that cannot be compiled in every environment that serves them.

    Args:
        state: All documents.
        flags: As ``namespace/name``; those that are not there are passed over.
        policies: They name the environments.

    Raises:
        ApprovalError: ``NotCompiling``.
    """
    for flag in sorted(flags):
        for environment in policies.environments:
            try:
                resolved = state.resolve(flag, environment)
                if resolved is not None:
                    # A flag may have a meaning and no form: too deep, or a prerequisite cannot be written inside.
                    compile_flag(resolved, state.catalogue.flags[flag], None)
            except CompileError as error:
                raise ApprovalError(
                    f"{subject_of('FlagDefinition', *flag.split('/'))} in {environment}: {error.message}",
                    code="NotCompiling",
                    remedy=error.remedy or "Correct the flag, or what it refers to, in the same change.",
                ) from error
