"""FS322: a split divides those whom its rule means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.evaluation.analysis import never_bucketed
from flagseal.model.flag import Ramp, Split
from flagseal_validators.reasoning import deciding_buckets
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.document import Document
    from flagseal_validators.declared import Declared
    from flagseal_validators.reasoning import Clause, Section

_MOST_CASES = 3_000
_BUCKETING = "v2"


def _check(declared: Declared) -> Iterator[Complaint]:
    environments = {} if declared.policies is None else declared.policies.environments
    for document, _ in declared.flags:
        for section in declared.sections(document):
            environment = environments.get(section.environment)
            bucketing = _BUCKETING if environment is None else environment.bucketing
            for clause in section.clauses:
                if clause.rule is not None and isinstance(clause.rule.outcome, Split | Ramp):
                    yield from _split(document, section, clause, clause.rule.outcome, bucketing)


def _split(
    document: Document, section: Section, clause: Clause, outcome: Split | Ramp, bucketing: str
) -> Iterator[Complaint]:
    by = outcome.by or ("targetingKey",)
    word = "split" if isinstance(outcome, Split) else "ramp"
    path = f"{clause.path}.{word}"
    if clause.part is None or not clause.rule:
        return
    if never_bucketed(clause.condition, by, most=_MOST_CASES):
        message = f"whoever the rule means has no text in `{'.'.join(by)}`: all of them are served {section.default}"
        yield Complaint(document, path, message)
        return
    values, served = deciding_buckets(clause, section.flag.key, bucketing, section.flag.safe_variant)
    wanted = {variant for variant, _ in outcome.arms} if isinstance(outcome, Split) else {outcome.variant}
    missing = sorted(wanted - served)
    if values and missing:
        listed = ", ".join(values)
        message = f"`{'.'.join(by)}` can only be {listed} here, which falls into no bucket of {', '.join(missing)}"
        yield Complaint(document, path, message)


RULE = Rule(
    id="FS322",
    title="A split that does not divide anybody",
    severity="error",
    scope="references",
    reads=("policies", "segments"),
    why="A split sorts by one attribute. Where that is missing, or always the same, everyone gets the same.",
    remedy="Split by an attribute that differs among those whom the rule means, as targetingKey does.",
    bad=Example(
        """\
environments:
  production:
    rules:
    - {name: a tenth of acme, when: {org: acme}, split: {enabled: 10, disabled: 90}, by: org}
    default: disabled
"""
    ),
    good=Example(
        """\
environments:
  production:
    rules:
    - {name: a tenth of acme, when: {org: acme}, split: {enabled: 10, disabled: 90}}
    default: disabled
"""
    ),
    check=_check,
    suppressible=True,
)
