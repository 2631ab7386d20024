"""FS504: an exception ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.instants import parse_day
from flagseal.model.jsonpath import child
from flagseal_validators.protocols import auth_flags
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.samples import TRUST_TIERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, flag in auth_flags(declared):
        for variant, value in flag.variants.items():
            if not isinstance(value, dict) or "exception" not in value:
                continue
            path = f"{child('$.spec.variants', variant)}.exception"
            exception = value["exception"]
            until = exception.get("until") if isinstance(exception, dict) else None
            if until is None:
                yield Complaint(document, path, "the exception does not say until when it is made")
            elif not _is_day(until):
                yield Complaint(document, f"{path}.until", "this is no day", 'Write it as "2027-03-31".')


def _is_day(value: object) -> bool:
    try:
        parse_day(value)  # type: ignore[arg-type]  # whatever a variant says
    except (TypeError, ValueError):
        return False
    return True


_FLAG = """\
purpose: auth-protocol
riskTier: high-risk
variants:
  enabled: {protocol: mtls, exception: %s}
  disabled: {protocol: jwt, issuers: [cluster]}
environments:
  staging: {default: disabled}
"""

RULE = Rule(
    id="FS504",
    title="An exception without an end",
    severity="error",
    scope="document",
    why="An exception that nobody has to renew is the rule. It is how old protocols stay for ever.",
    remedy='Write `until` in it: the last day, as "2027-03-31".',
    bad=Example(_FLAG % "{partner: globex}", others=TRUST_TIERS),
    good=Example(_FLAG % '{partner: globex, until: "2027-01-31"}', others=TRUST_TIERS),
    check=_check,
)
