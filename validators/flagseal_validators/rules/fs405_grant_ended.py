"""FS405: what has ended is taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.instants import parse_day
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.samples import BINDING, BINDING_FILE, ENTITLEMENT
from flagseal_validators.walk import organisations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, _ in declared.bindings:
        for path, part in organisations(document):
            agreement = part["agreement"]
            if parse_day(agreement["until"]) < declared.today:
                message = f"agreement {agreement['id']} ended on {agreement['until']}"
                yield Complaint(document, f"{path}.agreement.until", message, by_time=True)
                continue
            for index, grant in enumerate(part["grants"]):
                if "until" in grant and parse_day(grant["until"]) < declared.today:
                    message = f"the grant of {grant['flag']} ended on {grant['until']}"
                    yield Complaint(document, f"{path}.grants[{index}].until", message, by_time=True)


RULE = Rule(
    id="FS405",
    title="An agreement or a grant that has ended",
    severity="error",
    scope="document",
    reads=("day",),
    why="It opens nothing any more. Left in place, nobody can tell what the customer has from what the customer had.",
    remedy="Delete it, or write the day to which the contract was renewed.",
    bad=Example(
        BINDING + '  grants: [{flag: payments/analytics, reason: trial, until: "2026-11-05"}]\n',
        file=BINDING_FILE,
        others=ENTITLEMENT,
    ),
    good=Example(
        BINDING + '  grants: [{flag: payments/analytics, reason: trial, until: "2026-12-05"}]\n',
        file=BINDING_FILE,
        others=ENTITLEMENT,
    ),
    check=_check,
    suppressible=True,
)
