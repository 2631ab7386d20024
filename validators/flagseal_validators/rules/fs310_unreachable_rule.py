"""FS310: every rule can be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.condition import ALWAYS, AllOf
from flagseal.model.flag import Ramp
from flagseal.model.jsonpath import child
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.condition import Condition
    from flagseal.model.flag import Rule as FlagRule
    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, flag in declared.flags:
        for name, section in flag.environments.items():
            earlier: dict[Condition, str] = {}
            for index, rule in enumerate(section.rules):
                shadow = next((earlier[part] for part in _implied(rule) if part in earlier), None)
                if shadow is not None:
                    path = f"{child('$.spec.environments', name)}.rules[{index}]"
                    message = f"`{shadow}` comes first, and matches whenever `{rule.name}` would"
                    yield Complaint(document, path, message)
                if _decides(rule):
                    earlier.setdefault(ALWAYS if rule.when is None else rule.when, rule.name)


def _implied(rule: FlagRule) -> Iterator[Condition]:
    """Give conditions that hold wherever the rule matches."""
    yield ALWAYS
    if rule.when is not None:
        yield rule.when
        if isinstance(rule.when, AllOf):
            yield from rule.when.parts


def _decides(rule: FlagRule) -> bool:
    """Tell whether the rule decides at every instant; a split decides too where its attribute is missing."""
    return rule.since is None and rule.until is None and not isinstance(rule.outcome, Ramp)


RULE = Rule(
    id="FS310",
    title="A rule that is never reached",
    severity="error",
    scope="references",
    reads=("segments", "required", "grants"),
    why="The first rule that matches wins. Whoever reads the later one believes that it does something.",
    remedy="Move it up, narrow the earlier one, or delete it.",
    bad=Example(
        """\
environments:
  production:
    rules:
    - {name: everyone, split: {enabled: 10, disabled: 90}}
    - {name: pilot, when: {org: acme}, serve: enabled}
    default: disabled
"""
    ),
    good=Example(
        """\
environments:
  production:
    rules:
    - {name: pilot, when: {org: acme}, serve: enabled}
    - {name: everyone, split: {enabled: 10, disabled: 90}}
    default: disabled
"""
    ),
    check=_check,
    suppressible=True,
)
