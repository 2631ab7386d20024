"""FS204: a flag has an expiry, an entitlement a review."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, flag in declared.flags:
        if flag.purpose != "entitlement":
            if flag.expires is None:
                yield Complaint(document, "$.spec", "`expires` is missing", 'Add the last day, as "2027-03-31".')
            continue
        if flag.review is None:
            yield Complaint(document, "$.spec", "`review` is missing", "Add `review: {every: 90d}`.")
        if flag.expires is not None:
            message = "an entitlement lives as long as its contracts: it has `review` in place of `expires`"
            yield Complaint(document, "$.spec.expires", message, "Delete `expires`.")


RULE = Rule(
    id="FS204",
    title="The expiry is missing",
    severity="error",
    scope="document",
    why="A flag without an end stays for ever, and every one that stays is a branch nobody tests.",
    remedy="Add an expiry; for an entitlement, a review.",
    bad=Example("purpose: release\n", without=("expires",)),
    good=Example('purpose: release\nexpires: "2027-03-31"\n'),
    check=_check,
)
