"""FS321: every value and every branch of a condition brings somebody to the rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal_validators.reasoning import dead_parts
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.walk import named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, _ in declared.flags:
        for section in declared.sections(document):
            for position, clause in enumerate(section.clauses):
                for path, what, earlier in dead_parts(section, position):
                    subject = "this branch" if what == "branch" else f"`{what}`"
                    if earlier:
                        verb = "takes" if len(earlier) == 1 else "take"
                        message = f"{named(earlier)} {verb} all that {subject} would bring to `{clause.name}`"
                    else:
                        message = f"the rest of the condition rules {subject} out"
                    yield Complaint(document, path, message)


RULE = Rule(
    id="FS321",
    title="A part of a rule that is never reached",
    severity="warning",
    scope="references",
    reads=("segments",),
    why="An earlier rule has decided already: whoever reads the list believes that this one counts for all of it.",
    remedy="Take it out, or move the rule up.",
    bad=Example(
        """\
environments:
  production:
    rules:
    - {name: acme has signed off, when: {org: acme}, serve: disabled}
    - {name: pilots, when: {org: {in: [acme, globex]}}, serve: enabled}
    default: disabled
"""
    ),
    good=Example(
        """\
environments:
  production:
    rules:
    - {name: acme has signed off, when: {org: acme}, serve: disabled}
    - {name: pilots, when: {org: {in: [initech, globex]}}, serve: enabled}
    default: disabled
"""
    ),
    check=_check,
    suppressible=True,
)
