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
    # A life counts from the file's first commit, which is never after today: whatever lies too far from today does.
    if declared.policies is None:
        return
    longest = declared.policies.lifecycle.max_lifetime_days
    for document, flag in declared.flags:
        days = longest.get(flag.purpose)
        if days is None or flag.expires is None:
            continue
        last = declared.today + timedelta(days=days)
        if parse_day(flag.expires) > last:
            message = f"a flag of purpose {flag.purpose} may live {days} days; this one would live past {last}"
            yield Complaint(document, "$.spec.expires", message, f'Write "{last}" or earlier.')


RULE = Rule(
    id="FS205",
    title="The expiry lies too far ahead",
    severity="error",
    scope="references",
    reads=("policies", "day"),
    why="An expiry in ten years is none.",
    remedy="Write an earlier day.",
    bad=Example('expires: "2036-03-31"\n'),
    good=Example('expires: "2027-03-31"\n'),
    check=_check,
    suppressible=True,
)
