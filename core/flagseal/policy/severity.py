"""Which of several classes is the strictest, and which of several tiers the highest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.flag import RISK_TIERS
from flagseal.model.policies import CHANGE_CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagseal.model.flag import RiskTier
    from flagseal.model.policies import ChangeClass


def strictest(classes: Iterable[ChangeClass]) -> ChangeClass:
    """Pick the strictest class; ``metadata`` of none."""
    return max(classes, key=CHANGE_CLASSES.index, default="metadata")


def highest(tiers: Iterable[RiskTier]) -> RiskTier:
    """Pick the highest tier; ``informational`` of none."""
    return max(tiers, key=RISK_TIERS.index, default="informational")
