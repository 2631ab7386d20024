"""FS206: the expiry is not past."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.instants import parse_day
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, flag in declared.flags:
        if flag.expires is not None and parse_day(flag.expires) < declared.today:
            days = (declared.today - parse_day(flag.expires)).days
            message = f"the flag expired {days} day{'s' * (days > 1)} ago, on {flag.expires}"
            remedy = "It is retired: delete it, once no code asks for it." if flag.lifecycle == "retired" else ""
            yield Complaint(document, "$.spec.expires", message, remedy, by_time=True)


RULE = Rule(
    id="FS206",
    title="The flag has expired",
    severity="error",
    scope="document",
    reads=("day",),
    why="Its time is over: either it did its work and is debt now, or its plan was wrong.",
    remedy="Retire it, or have a later expiry approved.",
    bad=Example('expires: "2026-10-31"\n'),
    good=Example('expires: "2027-03-31"\n'),
    check=_check,
    suppressible=True,
)
