"""What must hold for all governed documents together before a change of some is accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.evaluation.compile import compile_flag
from flagseal.model.document import subject_of
from flagseal.model.errors import ApprovalError, CompileError, InvalidPolicies
from flagseal.model.policy_set import load_policies
from flagseal.model.uniqueness import clashes
from flagseal.policy.classify import reached
from flagseal.policy.state import changed_subjects

if TYPE_CHECKING:
    from flagseal.model.policies import PolicySet
    from flagseal.policy.state import State

_ENVIRONMENTS = "EnvironmentList"


def require_whole(before: State, after: State) -> PolicySet:
    """Check everything that a change could have broken.

    Args:
        before: Documents for which it held.
        after: The same, changed.

    Raises:
        ApprovalError: ``PoliciesInvalid``; ``NotUnique`` for a name or key that two flags claim; ``NotCompiling`` for a
            flag without a meaning in one of the environments.

    Returns:
        The policies afterwards.
    """
    changed = changed_subjects(before, after)
    try:
        policies = load_policies(after.values())
    except InvalidPolicies as error:
        raise ApprovalError(error.message, code="PoliciesInvalid", remedy=error.remedy) from error
    if any(subject.startswith("FlagDefinition/") for subject in changed):
        for clash in clashes(after.values()):
            raise ApprovalError(f"{clash.document.subject}: {clash.message}.", code="NotUnique", remedy=clash.remedy)
    if any(subject.startswith(f"{_ENVIRONMENTS}/") for subject in changed):
        flags = frozenset(after.catalogue.flags)
    else:
        flags = reached(changed, before, after)
    for flag in sorted(flags):
        for environment in policies.environments:
            try:
                resolved = after.resolve(flag, environment)
                if resolved is not None:
                    # A flag may have a meaning and no form: too deep, or a prerequisite cannot be written inside.
                    compile_flag(resolved, after.catalogue.flags[flag], None)
            except CompileError as error:
                raise ApprovalError(
                    f"{subject_of('FlagDefinition', *flag.split('/'))} in {environment}: {error.message}",
                    code="NotCompiling",
                    remedy=error.remedy or "Correct the flag, or what it refers to, in the same change.",
                ) from error
    return policies
