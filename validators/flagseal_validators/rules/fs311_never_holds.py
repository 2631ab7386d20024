"""FS311: no condition contradicts itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flagseal.evaluation.describe import describe_condition
from flagseal_validators.reasoning import contradictions, lowered_segment
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.evaluation.resolved import ResolvedCondition
    from flagseal.model.document import Document
    from flagseal_validators.declared import Declared
    from flagseal_validators.reasoning import Part


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, _ in declared.flags:
        for section in declared.sections(document):
            for clause in section.clauses:
                if clause.part is not None:
                    yield from _complaints(document, clause.part)
    for document, _ in declared.segments:
        yield from _complaints(document, lowered_segment(document, declared.catalogue))


def _complaints(document: Document, part: Part) -> Iterator[Complaint]:
    for found, others in contradictions(part):
        if others:
            message = f"`{_words(found)}` can never hold together with `{' and '.join(map(_words, others))}`"
        else:
            message = f"`{_words(found)}` can never hold"
        yield Complaint(document, found.path, message)


def _words(part: Part) -> str:
    return describe_condition(cast("ResolvedCondition", part.condition))


RULE = Rule(
    id="FS311",
    title="A condition that can never hold",
    severity="error",
    scope="references",
    reads=("segments",),
    why="The rule looks as if it served somebody, and serves nobody.",
    remedy="Correct it; for one of several values write `in`, for one of several conditions `any`.",
    bad=Example(
        """\
environments:
  production:
    rules:
    - {name: pilots, when: {all: [{org: acme}, {org: globex}]}, serve: enabled}
    default: disabled
"""
    ),
    good=Example(
        """\
environments:
  production:
    rules:
    - {name: pilots, when: {org: {in: [acme, globex]}}, serve: enabled}
    default: disabled
"""
    ),
    check=_check,
    suppressible=True,
)
