"""FS506: an exception that has ended is taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.instants import parse_day
from flagseal.model.jsonpath import child
from flagseal_validators.protocols import auth_flags
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.samples import TRUST_TIERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, flag in auth_flags(declared):
        for variant, value in flag.variants.items():
            exception = value.get("exception") if isinstance(value, dict) else None
            until = exception.get("until") if isinstance(exception, dict) else None
            if isinstance(until, str) and _is_over(until, declared.today):
                path = f"{child('$.spec.variants', variant)}.exception.until"
                yield Complaint(document, path, f"the exception {variant} ended on {until}", by_time=True)


def _is_over(until: str, today: date) -> bool:
    try:
        return parse_day(until) < today
    except ValueError:
        return False  # told for itself


_FLAG = """\
purpose: auth-protocol
riskTier: high-risk
variants:
  enabled: {protocol: mtls, exception: {partner: globex, until: "%s"}}
  disabled: {protocol: jwt, issuers: [cluster]}
environments:
  staging: {default: disabled}
"""

RULE = Rule(
    id="FS506",
    title="An exception that has ended",
    severity="error",
    scope="document",
    reads=("day",),
    why="It was approved up to a day, and still lets somebody in.",
    remedy="Delete the variant and the rules that serve it, or have a later day approved.",
    bad=Example(_FLAG % "2026-10-31", others=TRUST_TIERS),
    good=Example(_FLAG % "2027-01-31", others=TRUST_TIERS),
    check=_check,
)
