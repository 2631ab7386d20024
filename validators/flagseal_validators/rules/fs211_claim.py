"""FS211: only an entitlement is a claim."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, flag in declared.flags:
        if flag.claim and flag.purpose != "entitlement":
            message = f"a flag of purpose {flag.purpose} cannot be a claim in tokens"
            yield Complaint(document, "$.spec.claim", message)


RULE = Rule(
    id="FS211",
    title="A claim that is no entitlement",
    severity="error",
    scope="document",
    why="Claims in tokens say what a customer's contract allows; nothing else belongs there.",
    remedy="Delete `claim`, or make the flag an entitlement.",
    bad=Example("claim: true\n"),
    good=Example("claim: false\n"),
    check=_check,
)
