"""FS210: an entitlement's review is often enough, and not overdue."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from flagseal.model.instants import parse_day, parse_days
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.document import Document
    from flagseal.model.flag import FlagDefinition, Review
    from flagseal.model.policies import PolicySet
    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, flag in declared.flags:
        if flag.review is not None:
            yield from _last(document, flag.review, declared)
            if declared.policies is not None:
                yield from _policy(document, flag, flag.review, declared.policies)


def _last(document: Document, review: Review, declared: Declared) -> Iterator[Complaint]:
    if review.last is None:
        return
    last = parse_day(review.last)
    if last > declared.today:
        yield Complaint(document, "$.spec.review.last", f"{last} is still to come", "Write the day it was reviewed.")
        return
    due = last + timedelta(days=parse_days(review.every))
    if due < declared.today:
        yield Complaint(document, "$.spec.review.last", f"the review was due on {due}", by_time=True)


def _policy(document: Document, flag: FlagDefinition, review: Review, policies: PolicySet) -> Iterator[Complaint]:
    longest = policies.lifecycle.review_days.get(flag.purpose)
    if longest is not None and parse_days(review.every) > longest:
        message = f"a flag of purpose {flag.purpose} is reviewed every {longest} days at least, not {review.every}"
        yield Complaint(document, "$.spec.review.every", message, f"Write {longest}d or less.")
    if review.by is not None and review.by not in policies.organisation.people:
        message = f"there is no person `{review.by}`"
        yield Complaint(document, "$.spec.review.by", message, "Name a person of policies/organisation.yaml.")


RULE = Rule(
    id="FS210",
    title="The review is too rare, or overdue",
    severity="error",
    scope="references",
    reads=("policies", "day"),
    why="An entitlement that nobody looks at outlives its contract.",
    remedy="Review it, and write the day and the name.",
    bad=Example("purpose: entitlement\nreview: {every: 365d}\n", without=("expires",)),
    good=Example(
        'purpose: entitlement\nreview: {every: 90d, last: "2026-11-01", by: alice}\n',
        without=("expires",),
    ),
    check=_check,
    suppressible=True,
)
