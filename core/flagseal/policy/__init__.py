"""Class and tier of a change, and rules over facts that give a decision. Pure.

:func:`decide` is the whole of it; :class:`State` makes deciding again and again about the same documents cheap.
"""

from flagseal.policy.classify import ChangeReport, classify
from flagseal.policy.decide import decide
from flagseal.policy.decision import Check, Decision, EnvironmentDecision, Missing
from flagseal.policy.facts import Approval, Facts
from flagseal.policy.state import State

__all__ = [
    "Approval",
    "ChangeReport",
    "Check",
    "Decision",
    "EnvironmentDecision",
    "Facts",
    "Missing",
    "State",
    "classify",
    "decide",
]
