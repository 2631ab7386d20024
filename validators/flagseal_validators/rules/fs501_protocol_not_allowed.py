"""FS501: a workload is proven by a protocol that its trust tier allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.condition import Test
from flagseal.model.flag import Ramp, Serve, Split
from flagseal.model.jsonpath import child
from flagseal_validators.protocols import CLASS, auth_flags, classes, is_allowed, protocol, trust_tiers
from flagseal_validators.reasoning import reached_by
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.samples import TRUST_TIERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from flagseal.model.condition import Condition
    from flagseal.model.document import Document
    from flagseal.model.flag import FlagDefinition
    from flagseal_validators.declared import Declared
    from flagseal_validators.reasoning import Clause, Section


def _check(declared: Declared) -> Iterator[Complaint]:
    tiers = trust_tiers(declared)
    if tiers is None:
        return
    for document, flag in auth_flags(declared):
        for variant in flag.variants:
            if not any(is_allowed(flag, variant, tier["protocols"]) for tier in tiers.values()):
                message = f"no trust tier allows {protocol(flag, variant)}"
                yield Complaint(document, child("$.spec.variants", variant), message)
        sections = declared.sections(document)
        conditions: list[Condition] = [it.part.condition for section in sections for it in section.clauses if it.part]
        named = frozenset[str]().union(*map(classes, conditions))
        for section in sections:
            for name in sorted(named & tiers.keys()):
                yield from _section(document, flag, section, name, tiers[name])


def _section(
    document: Document, flag: FlagDefinition, section: Section, name: str, tier: Mapping[str, Any]
) -> Iterator[Complaint]:
    """Complain about what a class of workloads can be served in an environment."""
    whom = Test(CLASS, "eq", name)
    for clause in reached_by(section, whom):
        variants = _served(clause, flag) if clause is not None else {section.default: f"{section.path}.default"}
        for variant, path in variants.items():
            if not is_allowed(flag, variant, tier["protocols"]):
                message = (
                    f"workloads of class {name} can be served {variant}, which is {protocol(flag, variant)}; "
                    f"they may be proven by {', '.join(tier['protocols'])}"
                )
                yield Complaint(document, path, message)


def _served(clause: Clause, flag: FlagDefinition) -> dict[str, str]:
    """Give the variants that a rule serves, each with its place; those of targets are not told by workload."""
    match clause.rule.outcome if clause.rule is not None else None:
        case Serve(variant=variant):
            return {variant: f"{clause.path}.serve"}
        case Split(arms=arms):
            return {variant: f"{clause.path}.split" for variant, _ in arms}
        case Ramp(variant=variant):
            return {variant: f"{clause.path}.ramp", flag.safe_variant: f"{clause.path}.ramp"}
        case _:
            return {}


_FLAG = """\
purpose: auth-protocol
riskTier: high-risk
variants:
  enabled: {protocol: mtls, trustDomain: prod.example}
  disabled: {protocol: jwt, issuers: [cluster]}
environments:
  staging:
    rules:
    - {name: partners, when: {workload.class: partner}, serve: %s}
    default: disabled
"""

RULE = Rule(
    id="FS501",
    title="A protocol that the trust tier does not allow",
    severity="error",
    scope="references",
    reads=("policies", "segments"),
    why="The trust tier says what may prove a class of workloads. A rule that serves something else locks them out.",
    remedy="Serve a variant whose protocol the tier allows, in a rule before all that such workloads can get to.",
    bad=Example(_FLAG % "disabled", others=TRUST_TIERS),
    good=Example(_FLAG % "enabled", others=TRUST_TIERS),
    check=_check,
)
