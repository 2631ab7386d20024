"""Policy tests: cases that the policies must decide as expected, and rows that no case exercises.

A case becomes documents before and after (:mod:`~flagseal_validators.policy_tests.change`), and those are judged by
:func:`flagseal.policy.decide` itself: a test exercises what decides in earnest.
"""

from flagseal_validators.policy_tests.render import as_record, as_text
from flagseal_validators.policy_tests.running import run_policy_tests
from flagseal_validators.policy_tests.values import CaseResult, RowUse, TestReport

__all__ = ["CaseResult", "RowUse", "TestReport", "as_record", "as_text", "run_policy_tests"]
