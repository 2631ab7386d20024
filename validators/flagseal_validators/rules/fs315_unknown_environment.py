"""FS315: an environment that a flag lists exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.problem import did_you_mean
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.walk import sections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    if declared.policies is None:
        return
    known = declared.policies.environments
    for document, _ in declared.flags:
        for name, path, _section in sections(document):
            if name not in known:
                yield Complaint(document, path, f"there is no environment `{name}`", did_you_mean(name, known))


RULE = Rule(
    id="FS315",
    title="An unknown environment",
    severity="error",
    scope="references",
    reads=("policies",),
    why="Nothing serves the section, and whoever wrote it believes otherwise.",
    remedy="Name an environment of policies/environments.yaml, or declare it there.",
    bad=Example("environments:\n  prodution:\n    default: disabled\n"),
    good=Example("environments:\n  production:\n    default: disabled\n"),
    check=_check,
)
