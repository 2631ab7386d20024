"""FS214: a step of life follows the one before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.evaluation.catalogue import flag_of
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    if declared.policies is None:
        return
    transitions = declared.policies.lifecycle.transitions
    for document, flag in declared.flags:
        earlier = declared.before.get(document.subject)
        if earlier is None:
            continue
        step = flag_of(earlier).lifecycle
        allowed = (*transitions.get(step, ()), *transitions.get("*", ()))
        if flag.lifecycle not in {step, *allowed}:
            message = f"{flag.lifecycle} does not follow {step}"
            remedy = f"From {step} a flag goes to {' or '.join(dict.fromkeys(allowed))}." if allowed else ""
            yield Complaint(document, "$.spec.lifecycle", message, remedy)


RULE = Rule(
    id="FS214",
    title="A step of life that does not follow the last",
    severity="error",
    scope="references",
    reads=("policies", "before"),
    why="The steps are how the company learns whether a flag works. A flag that skips one was never tried there.",
    remedy="Take one step after the other, as policies/lifecycle.yaml has them.",
    bad=Example("lifecycle: stable\n", before="lifecycle: draft\n"),
    good=Example("lifecycle: review\n", before="lifecycle: draft\n"),
    check=_check,
    suppressible=True,
)
