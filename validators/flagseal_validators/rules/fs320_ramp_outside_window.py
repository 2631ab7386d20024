"""FS320: a ramp runs from its start to its end within its rule's time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.flag import Ramp
from flagseal.model.jsonpath import child
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.document import Document
    from flagseal.model.flag import Rule as FlagRule
    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, flag in declared.flags:
        for name, section in flag.environments.items():
            for index, rule in enumerate(section.rules):
                if isinstance(rule.outcome, Ramp):
                    path = f"{child('$.spec.environments', name)}.rules[{index}]"
                    yield from _ramp(document, path, rule, rule.outcome)


def _ramp(document: Document, path: str, rule: FlagRule, ramp: Ramp) -> Iterator[Complaint]:
    if rule.until is not None and rule.until <= ramp.start:
        yield Complaint(document, f"{path}.until", "the rule is over before its ramp starts: it never counts")
    elif rule.until is not None and rule.until < ramp.end:
        message = f"the rule is over before its ramp ends: it never serves {ramp.end_weight} of 100"
        yield Complaint(document, f"{path}.until", message)
    if rule.since is not None and rule.since >= ramp.end:
        message = f"the ramp is over when the rule begins: it starts at {ramp.end_weight} of 100"
        yield Complaint(document, f"{path}.from", message)
    elif rule.since is not None and rule.since > ramp.start:
        message = f"the ramp has started when the rule begins: it does not start at {ramp.start_weight} of 100"
        yield Complaint(document, f"{path}.from", message)


RULE = Rule(
    id="FS320",
    title="A ramp that its rule's time cuts off",
    severity="error",
    scope="document",
    why="The schedule that was reviewed is not the one that runs: steps are skipped, or the last is never reached.",
    remedy="Leave `from` and `until` out, or let the ramp start and end between them.",
    bad=Example(
        """\
environments:
  production:
    rules:
    - name: slowly
      until: "2027-01-08T00:00:00Z"
      ramp: {variant: enabled, from: 10, to: 50, start: "2027-01-04T09:00:00Z", end: "2027-01-11T09:00:00Z", steps: 4}
    default: disabled
"""
    ),
    good=Example(
        """\
environments:
  production:
    rules:
    - name: slowly
      until: "2027-03-01T00:00:00Z"
      ramp: {variant: enabled, from: 10, to: 50, start: "2027-01-04T09:00:00Z", end: "2027-01-11T09:00:00Z", steps: 4}
    default: disabled
"""
    ),
    check=_check,
    suppressible=True,
)
