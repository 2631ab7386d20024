"""FS310: every rule can be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal_validators.reasoning import blockers, is_unreachable
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.walk import named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, _ in declared.flags:
        for section in declared.sections(document):
            for position, clause in enumerate(section.clauses):
                if clause.rule is not None and is_unreachable(section, position):
                    earlier = blockers(section, position)
                    verb = "comes first, and matches" if len(earlier) == 1 else "come first, and one of them matches"
                    message = f"{named(earlier)} {verb} whenever `{clause.name}` would"
                    yield Complaint(document, clause.path, message)


RULE = Rule(
    id="FS310",
    title="A rule that is never reached",
    severity="error",
    scope="references",
    reads=("segments",),
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
