"""FS324: no condition holds for everyone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal_validators.reasoning import always_holds, lowered_segment
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, _ in declared.flags:
        for section in declared.sections(document):
            for clause in section.clauses:
                # What is wrong with a segment is told where it is written.
                if clause.part is not None and clause.part.kind != "segment" and always_holds(clause.part):
                    yield Complaint(document, clause.part.path, f"`{clause.name}` means everyone")
    for document, _ in declared.segments:
        part = lowered_segment(document, declared.catalogue)
        if always_holds(part):
            yield Complaint(document, part.path, "the segment means everyone")


RULE = Rule(
    id="FS324",
    title="A condition that always holds",
    severity="error",
    scope="references",
    reads=("segments",),
    why="It looks as if it chose somebody, and lets everyone in.",
    remedy="Leave `when` out to mean everyone; to mean neither of two values write `notIn`, or `not` around an `in`.",
    bad=Example(
        """\
environments:
  production:
    rules:
    - {name: all but the pilots, when: {any: [{not: {org: acme}}, {not: {org: globex}}]}, serve: enabled}
    default: disabled
"""
    ),
    good=Example(
        """\
environments:
  production:
    rules:
    - {name: all but the pilots, when: {not: {org: {in: [acme, globex]}}}, serve: enabled}
    default: disabled
"""
    ),
    check=_check,
    suppressible=True,
)
