"""Policy tests: cases that the policies must decide as expected, rows that no case exercises, loosenings none notices.

A case becomes documents before and after (:mod:`~flagseal_validators.policy_tests.change`), and those are judged by
:func:`flagseal.policy.decide` itself: a test exercises what decides in earnest.
"""

from flagseal_validators.policy_tests.mutating import Mutation, MutationReport, mutate
from flagseal_validators.policy_tests.render import as_record, as_text, mutations_as_record, mutations_as_text
from flagseal_validators.policy_tests.running import run_policy_tests
from flagseal_validators.policy_tests.values import CaseResult, RowUse, TestReport

__all__ = [
    "CaseResult",
    "Mutation",
    "MutationReport",
    "RowUse",
    "TestReport",
    "as_record",
    "as_text",
    "mutate",
    "mutations_as_record",
    "mutations_as_text",
    "run_policy_tests",
]
