"""FS319: a grant opens something that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.problem import did_you_mean
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.samples import BINDING, BINDING_FILE, ENTITLEMENT
from flagseal_validators.walk import organisations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    flags = declared.flags_by_reference
    for document, _ in declared.bindings:
        for path, part in organisations(document):
            for index, grant in enumerate(part["grants"]):
                flag = flags.get(grant["flag"])
                place = f"{path}.grants[{index}]"
                if flag is None:
                    remedy = did_you_mean(grant["flag"], flags)
                    yield Complaint(document, f"{place}.flag", f"there is no flag {grant['flag']}", remedy)
                elif "variant" in grant and grant["variant"] not in flag.variants:
                    message = f"{grant['flag']} has no variant `{grant['variant']}`"
                    yield Complaint(
                        document, f"{place}.variant", message, did_you_mean(grant["variant"], flag.variants)
                    )


RULE = Rule(
    id="FS319",
    title="A grant of nothing",
    severity="error",
    scope="references",
    reads=("granted",),
    why="The customer was promised something that no flag opens.",
    remedy="Name a flag as namespace/name, and a variant it has.",
    bad=Example(BINDING + "  grants: [{flag: payments/checkout, reason: contract}]\n", file=BINDING_FILE),
    good=Example(
        BINDING + "  grants: [{flag: payments/analytics, reason: contract}]\n", file=BINDING_FILE, others=ENTITLEMENT
    ),
    check=_check,
)
