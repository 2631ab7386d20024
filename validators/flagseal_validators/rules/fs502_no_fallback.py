"""FS502: where a protocol fails, something else was approved beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal_validators.protocols import auth_flags, classes, is_allowed, protocol, trust_tiers
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.samples import TRUST_TIERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from flagseal.model.document import Document
    from flagseal.model.flag import FlagDefinition
    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    if declared.policies is None:
        return
    tiers = trust_tiers(declared)
    for document, flag in auth_flags(declared):
        yield from _safe_variant(document, flag)
        if tiers is None:
            message = "no policy of kind TrustTiers says what happens to a workload whose protocol fails"
            yield Complaint(document, "$.spec.purpose", message, "Declare the trust tiers in policies/.")
        else:
            yield from _classes(declared, document, flag, tiers)


def _classes(
    declared: Declared, document: Document, flag: FlagDefinition, tiers: Mapping[str, Mapping[str, Any]]
) -> Iterator[Complaint]:
    """Complain about the classes of workloads that the flag names."""
    named: set[str] = set()
    for path, name in _named(declared, document):
        if name not in tiers:
            message = f"no trust tier says what happens to workloads of class {name} if their protocol fails"
            yield Complaint(document, path, message, "Declare the tier in the TrustTiers policy.")
        else:
            named.add(name)
    for name in sorted(named):
        tier = tiers[name]
        if tier["onFailure"] == "previous" and not is_allowed(flag, flag.safe_variant, tier["protocols"]):
            message = (
                f"workloads of class {name} fall back to {flag.safe_variant}, which is "
                f"{protocol(flag, flag.safe_variant)}: their trust tier does not allow it"
            )
            yield Complaint(document, "$.spec.safeVariant", message)


def _named(declared: Declared, document: Document) -> Iterator[tuple[str, str]]:
    """Give the classes of workloads that conditions name, each with its place."""
    for section in declared.sections(document):
        for clause in section.clauses:
            for part in clause.part.everything() if clause.part is not None else ():
                if part.kind in {"test", "segment"}:
                    yield from ((part.path, name) for name in sorted(classes(part.condition)))


def _safe_variant(document: Document, flag: FlagDefinition) -> Iterator[Complaint]:
    value = flag.variants.get(flag.safe_variant)
    if isinstance(value, dict) and "exception" in value:
        message = f"the safe variant {flag.safe_variant} is an exception, and will end"
        yield Complaint(document, "$.spec.safeVariant", message)


_FLAG = """\
purpose: auth-protocol
riskTier: high-risk
variants:
  enabled: {protocol: mtls, trustDomain: prod.example}
  disabled: {protocol: jwt, issuers: [cluster]%s}
environments:
  staging: {default: disabled}
"""

RULE = Rule(
    id="FS502",
    title="No fallback",
    severity="error",
    scope="references",
    reads=("policies", "segments"),
    why="When a verifier fails, nobody has time to think: what then happens must have been approved beforehand.",
    remedy="Name a safe variant that stays, and that the trust tiers of all workloads concerned allow.",
    bad=Example(_FLAG % ', exception: {until: "2027-01-31"}', others=TRUST_TIERS),
    good=Example(_FLAG % "", others=TRUST_TIERS),
    check=_check,
)
