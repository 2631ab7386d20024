"""FS323: a rule makes a difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal_validators.reasoning import makes_no_difference
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, _ in declared.flags:
        for section in declared.sections(document):
            for position, clause in enumerate(section.clauses):
                if makes_no_difference(section, position):
                    message = f"without `{clause.name}` everyone would be served the same"
                    yield Complaint(document, clause.path, message)


RULE = Rule(
    id="FS323",
    title="A rule that makes no difference",
    severity="warning",
    scope="references",
    reads=("segments",),
    why="What comes behind it serves the same to all whom it means. A reviewer looks for an effect that is not there.",
    remedy="Delete it, or join it with the rule that serves the same.",
    bad=Example(
        """\
environments:
  production:
    rules:
    - {name: acme is not ready, when: {org: acme}, serve: disabled}
    - {name: pilots, when: {org: {in: [initech, globex]}}, serve: enabled}
    default: disabled
"""
    ),
    good=Example(
        """\
environments:
  production:
    rules:
    - {name: acme is not ready, when: {org: acme}, serve: disabled}
    - {name: pilots, when: {plan: enterprise}, serve: enabled}
    default: disabled
"""
    ),
    check=_check,
    suppressible=True,
)
