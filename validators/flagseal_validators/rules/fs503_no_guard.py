"""FS503: a canary of a protocol is guarded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.flag import Ramp, Serve, Split
from flagseal.model.jsonpath import child
from flagseal_validators.protocols import auth_flags
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.samples import TRUST_TIERS
from flagseal_validators.walk import spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.flag import EnvironmentSection
    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    if declared.policies is None:
        return
    for document, flag in auth_flags(declared):
        for name, section in flag.environments.items():
            environment = declared.policies.environments.get(name)
            guarded = "guard" in spec(document)["environments"][name]
            if environment is None or not environment.production or guarded or section.off:
                continue
            if moved := sorted(_served(section) - {flag.safe_variant}):
                message = f"nothing measures {', '.join(moved)} in {name}: only a person can notice that it fails"
                yield Complaint(document, child("$.spec.environments", name), message)


def _served(section: EnvironmentSection) -> set[str]:
    served = {section.default, *(variant for variant, _ in section.targets)}
    for rule in section.rules:
        match rule.outcome:
            case Serve(variant=variant) | Ramp(variant=variant):
                served.add(variant)
            case Split(arms=arms):
                served |= {variant for variant, _ in arms}
    return served


_FLAG = """\
purpose: auth-protocol
riskTier: high-risk
variants:
  enabled: {protocol: mtls, trustDomain: prod.example}
  disabled: {protocol: jwt, issuers: [cluster]}
environments:
  staging: {default: enabled}
  production:
    rules:
    - {name: canary, when: {workload.serviceAccount: payments/worker}, serve: %s}
    default: disabled
"""

RULE = Rule(
    id="FS503",
    title="No guard",
    severity="warning",
    scope="references",
    reads=("policies",),
    why="A protocol that fails locks workloads out within seconds; a person needs minutes to see it.",
    remedy="Until `guard` is evaluated (FS126), watch the canary by hand, and say until when with `spec.ignore`.",
    bad=Example(_FLAG % "enabled", others=TRUST_TIERS),
    good=Example(_FLAG % "disabled", others=TRUST_TIERS),
    check=_check,
    suppressible=True,
)
