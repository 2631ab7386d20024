"""FS208: a flag says when it can go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, flag in declared.flags:
        if flag.purpose != "entitlement" and flag.retire_when is None:
            yield Complaint(document, "$.spec", "`retireWhen` is missing")


RULE = Rule(
    id="FS208",
    title="Retirement criteria are missing",
    severity="error",
    scope="document",
    why="A date alone does not tell whether the work is done. (An entitlement ends with its contracts.)",
    remedy="Write `retireWhen`: what must be true for the flag to be removed.",
    bad=Example("purpose: release\n", without=("retireWhen",)),
    good=Example("purpose: release\nretireWhen: On for everyone for 30 days, and the old path deleted.\n"),
    check=_check,
)
