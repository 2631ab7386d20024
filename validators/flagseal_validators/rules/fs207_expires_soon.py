"""FS207: the expiry is not near."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.instants import parse_day
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    if declared.policies is None:
        return
    warn_before = declared.policies.lifecycle.warn_before_days
    for document, flag in declared.flags:
        if flag.expires is None:
            continue
        days = (parse_day(flag.expires) - declared.today).days
        if 0 <= days < warn_before:
            when = "today" if days == 0 else f"in {days} day{'s' * (days > 1)}"
            yield Complaint(document, "$.spec.expires", f"the flag expires {when}, on {flag.expires}", by_time=True)


RULE = Rule(
    id="FS207",
    title="The flag expires soon",
    severity="warning",
    scope="references",
    reads=("policies", "day"),
    why="Two weeks are enough to take a flag out of the code; a day is not.",
    remedy="Take it out of the code, then retire it.",
    bad=Example('expires: "2026-11-30"\n'),
    good=Example('expires: "2027-03-31"\n'),
    check=_check,
    suppressible=True,
)
