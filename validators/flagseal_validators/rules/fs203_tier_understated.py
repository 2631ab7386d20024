"""FS203: the tier is not below what the purpose asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal.model.flag import RISK_TIERS
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flagseal.model.flag import Purpose, RiskTier
    from flagseal_validators.declared import Declared

LEAST: Final[Mapping[Purpose, RiskTier]] = {"entitlement": "sensitive", "auth-protocol": "high-risk"}
"""An entitlement is access control with a contract behind it; an auth-protocol flag decides who gets in at all."""


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, flag in declared.flags:
        least = LEAST.get(flag.purpose, RISK_TIERS[0])
        if RISK_TIERS.index(flag.risk_tier) < RISK_TIERS.index(least):
            message = f"a flag of purpose {flag.purpose} is at least {least}, not {flag.risk_tier}"
            yield Complaint(document, "$.spec.riskTier", message, f"Write riskTier: {least}.")


RULE = Rule(
    id="FS203",
    title="The tier is understated for the purpose",
    severity="error",
    scope="document",
    why="The tier decides who must approve. What a flag is for says how much harm it can do.",
    remedy="Raise the tier.",
    bad=Example("purpose: entitlement\nriskTier: operational\nreview: {every: 90d}\n", without=("expires",)),
    good=Example("purpose: entitlement\nriskTier: sensitive\nreview: {every: 90d}\n", without=("expires",)),
    check=_check,
    suppressible=True,
)
