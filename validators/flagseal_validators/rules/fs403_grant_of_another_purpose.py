"""FS403: what is granted is an entitlement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.samples import BINDING, BINDING_FILE, ENTITLEMENT
from flagseal_validators.walk import organisations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, _ in declared.bindings:
        for path, part in organisations(document):
            for index, grant in enumerate(part["grants"]):
                flag = declared.flags_by_reference.get(grant["flag"])
                if flag is not None and flag.purpose != "entitlement":
                    message = f"{flag.reference} is a flag of purpose {flag.purpose}"
                    yield Complaint(document, f"{path}.grants[{index}].flag", message)


RULE = Rule(
    id="FS403",
    title="A grant on a flag of another purpose",
    severity="error",
    scope="references",
    reads=("granted",),
    why="A rollout ends when its work is done, a contract does not: what was sold would go with the release flag.",
    remedy="Make the flag an entitlement, or let its rules choose who is served.",
    bad=Example(BINDING + "  grants: [{flag: payments/new-checkout, reason: contract}]\n", file=BINDING_FILE),
    good=Example(
        BINDING + "  grants: [{flag: payments/analytics, reason: contract}]\n",
        file=BINDING_FILE,
        others=ENTITLEMENT,
    ),
    check=_check,
)
