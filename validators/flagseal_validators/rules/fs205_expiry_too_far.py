"""FS205: the expiry lies within the longest life of its purpose."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from flagseal.model.instants import parse_day
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    # A life counts from the day on which the file came to the branch, which is never after today: whatever lies too far
    # from today does, and is said of every file; where that day is known (docs/adr/0127), what is left is said besides.
    if declared.policies is None:
        return
    longest = declared.policies.lifecycle.max_lifetime_days
    for document, flag in declared.flags:
        days = longest.get(flag.purpose)
        if days is None or flag.expires is None:
            continue
        told, end = declared.today + timedelta(days=days), parse_day(flag.expires)
        if declared.born is None and end > told:
            message = f"a flag of purpose {flag.purpose} may live {days} days; this one would live past {told}"
            yield Complaint(document, "$.spec.expires", message, f'Write "{told}" or earlier.')
        first = (declared.born or {}).get(document.subject, declared.today)
        last = first + timedelta(days=days)
        if last < end <= told:
            message = f"a flag of purpose {flag.purpose} may live {days} days; this one came on {first}"
            remedy = f'Write "{last}" or earlier, retire the flag, or say why it lives longer (`ignore`).'
            yield Complaint(document, "$.spec.expires", message, remedy)


RULE = Rule(
    id="FS205",
    title="The expiry lies too far ahead",
    severity="error",
    scope="references",
    reads=("policies", "day", "history"),
    why="An expiry in ten years is none, and neither is one that is put off twice a year.",
    remedy="Write an earlier day.",
    bad=Example('expires: "2036-03-31"\n'),
    good=Example('expires: "2027-03-31"\n'),
    check=_check,
    suppressible=True,
)
