"""FS505: each variant of an auth-protocol flag is a protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.jsonpath import child
from flagseal.model.problem import did_you_mean
from flagseal.model.schema.access import PROTOCOLS
from flagseal_validators.protocols import COMBINATIONS, auth_flags, protocol
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.samples import TRUST_TIERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.document import Document
    from flagseal.model.flag import FlagDefinition
    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, flag in auth_flags(declared):
        for variant, value in flag.variants.items():
            path = child("$.spec.variants", variant)
            if not isinstance(value, dict) or "protocol" not in value:
                yield Complaint(document, path, f"{variant} does not say which protocol it is")
            elif protocol(flag, variant) is None:
                remedy = did_you_mean(str(value["protocol"]), PROTOCOLS) or f"Write one of {', '.join(PROTOCOLS)}."
                yield Complaint(document, f"{path}.protocol", "this is no protocol", remedy)
            elif protocol(flag, variant) in COMBINATIONS:
                yield from _combination(document, flag, variant, path)


def _combination(document: Document, flag: FlagDefinition, variant: str, path: str) -> Iterator[Complaint]:
    value = flag.variants[variant]
    parts = value.get("of") if isinstance(value, dict) else None
    if not isinstance(parts, list) or not parts:
        yield Complaint(document, path, f"{variant} does not say `of` which variants", "Add `of: [jwt, mtls]`.")
        return
    for index, part in enumerate(parts):
        if part == variant or part not in flag.variants:
            message = f"{variant} is made of itself" if part == variant else f"there is no variant `{part}`"
            remedy = did_you_mean(str(part), flag.variants) or "Name another variant of the flag."
            yield Complaint(document, f"{path}.of[{index}]", message, remedy)


_FLAG = """\
purpose: auth-protocol
riskTier: high-risk
variants:
  enabled: {protocol: %s, trustDomain: prod.example}
  disabled: {protocol: jwt, issuers: [cluster]}
environments:
  staging: {default: disabled}
"""

RULE = Rule(
    id="FS505",
    title="A variant that is no protocol",
    severity="error",
    scope="document",
    why="The gateway has no verifier for it, so it would have to refuse every request.",
    remedy="Say `protocol`: jwt, mtls, hmac, token, all-of or any-of.",
    bad=Example(_FLAG % "mTLS", others=TRUST_TIERS),
    good=Example(_FLAG % "mtls", others=TRUST_TIERS),
    check=_check,
)
