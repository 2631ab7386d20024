"""FS305: what production can serve, another environment serves too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.flag import Ramp, Serve, Split
from flagseal.model.jsonpath import child
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.flag import EnvironmentSection
    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    if declared.policies is None:
        return
    environments = declared.policies.environments
    production = {name for name, environment in environments.items() if environment.production}
    for document, flag in declared.flags:
        elsewhere = [section for name, section in flag.environments.items() if name not in production]
        if any(section.targeting is not None for section in elsewhere):
            continue  # what it serves cannot be told
        tried = {variant for section in elsewhere for variant in _served(section, flag.safe_variant)}
        for name in sorted(production & flag.environments.keys()):
            section = flag.environments[name]
            untried = sorted(_served(section, flag.safe_variant) - tried - {flag.safe_variant})
            if untried and section.targeting is None:
                message = f"{name} can serve {', '.join(untried)}, which is served nowhere else"
                yield Complaint(document, child("$.spec.environments", name), message)


def _served(section: EnvironmentSection, safe: str) -> set[str]:
    if section.off:
        return {safe}
    served = {section.default, *(variant for variant, _ in section.targets)}
    if section.requires:
        served.add(safe)
    for rule in section.rules:
        match rule.outcome:
            case Serve(variant=variant):
                served.add(variant)
            case Split(arms=arms):
                served |= {variant for variant, _ in arms}
            case Ramp(variant=variant):
                served |= {variant, safe}
    return served


RULE = Rule(
    id="FS305",
    title="Production and the other environments differ in shape",
    severity="warning",
    scope="references",
    reads=("policies",),
    why="A variant that only production serves was never tried before customers got it.",
    remedy="Serve it in another environment too.",
    bad=Example(
        """\
environments:
  staging:
    default: disabled
  production:
    rules:
    - {name: pilot, when: {org: acme}, serve: enabled}
    default: disabled
"""
    ),
    good=Example(
        """\
environments:
  staging:
    default: enabled
  production:
    rules:
    - {name: pilot, when: {org: acme}, serve: enabled}
    default: disabled
"""
    ),
    check=_check,
    suppressible=True,
)
