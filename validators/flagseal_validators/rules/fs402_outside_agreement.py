"""FS402: a grant lies within its agreement."""

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
            first, last = parse_day(agreement["from"]), parse_day(agreement["until"])
            for index, grant in enumerate(part["grants"]):
                if "until" not in grant:
                    continue
                place = f"{path}.grants[{index}].until"
                end = parse_day(grant["until"])
                if end > last:
                    message = f"the grant runs until {end}, and agreement {agreement['id']} ends on {last}"
                    yield Complaint(document, place, message)
                elif end < first:
                    message = f"the grant is over on {end}, and agreement {agreement['id']} begins on {first}"
                    yield Complaint(document, place, message)


RULE = Rule(
    id="FS402",
    title="A grant outside its agreement",
    severity="error",
    scope="document",
    why="A grant never outlives its agreement, whatever it says: the customer would lose it earlier than was promised.",
    remedy="Write an earlier day, or leave `until` out to end with the agreement.",
    bad=Example(
        BINDING + '  grants: [{flag: payments/analytics, reason: contract, until: "2027-06-30"}]\n',
        file=BINDING_FILE,
        others=ENTITLEMENT,
    ),
    good=Example(
        BINDING + '  grants: [{flag: payments/analytics, reason: contract, until: "2026-12-05"}]\n',
        file=BINDING_FILE,
        others=ENTITLEMENT,
    ),
    check=_check,
)
