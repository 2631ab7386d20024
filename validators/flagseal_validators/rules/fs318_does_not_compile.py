"""FS318: what is declared can be compiled for every environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal.evaluation.resolve import resolve_flag
from flagseal.model.errors import CompileError
from flagseal.model.jsonpath import child
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared

_TOLD_ELSEWHERE: Final = frozenset({"DanglingReference", "Cycle", "UnknownVariant"})
"""Other rules point at the very place of these."""


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, flag in declared.flags:
        for environment in flag.environments:
            try:
                resolve_flag(flag, environment, declared.catalogue)
            except CompileError as error:
                if error.code not in _TOLD_ELSEWHERE:
                    path = child("$.spec.environments", environment)
                    yield Complaint(document, path, error.message.removesuffix("."), error.remedy)


RULE = Rule(
    id="FS318",
    title="A flag that cannot be compiled",
    severity="error",
    scope="references",
    reads=("segments", "required", "grants"),
    why="It could be approved, and then not be published.",
    remedy="Write what every evaluator understands.",
    bad=Example(
        """\
environments:
  production:
    targeting: {if: [{in: [acme]}, {frobnicate: [1]}, 3]}
    default: disabled
"""
    ),
    good=Example(
        """\
environments:
  production:
    targeting: {if: [{in: [{var: org}, [acme]]}, enabled, null]}
    default: disabled
"""
    ),
    check=_check,
)
