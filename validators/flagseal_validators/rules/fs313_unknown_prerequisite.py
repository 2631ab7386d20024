"""FS313: a prerequisite can be met."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.evaluation.catalogue import qualified
from flagseal.model.problem import did_you_mean
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.walk import requirements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    flags = declared.flags_by_reference
    for document, flag in declared.flags:
        for environment, path, requirement in requirements(document):
            reference = qualified(requirement["flag"], flag.namespace)
            other = flags.get(reference)
            if other is None:
                message = f"there is no flag {reference}"
                yield Complaint(document, f"{path}.flag", message, did_you_mean(reference, flags))
            elif environment not in other.environments:
                message = f"{reference} is not served in {environment}"
                yield Complaint(document, f"{path}.flag", message, f"List {environment} there, or drop it here.")
            elif requirement["variant"] not in other.variants:
                message = f"{reference} has no variant `{requirement['variant']}`"
                remedy = did_you_mean(requirement["variant"], other.variants) or f"It has {', '.join(other.variants)}."
                yield Complaint(document, f"{path}.variant", message, remedy)


RULE = Rule(
    id="FS313",
    title="A prerequisite that cannot be met",
    severity="error",
    scope="references",
    reads=("required",),
    why="The flag would serve its safe variant for ever, or could not be published.",
    remedy="Name a flag that this environment serves, and a variant it has.",
    bad=Example(
        """\
environments:
  production:
    requires: [{flag: payment-service-v2, variant: enabled}]
    default: disabled
"""
    ),
    good=Example(
        """\
environments:
  production:
    requires: [{flag: payment-service-v2, variant: enabled}]
    default: disabled
""",
        others={"flags/payments/payment-service-v2.yaml": "ticket: PAY-1101\n"},
    ),
    check=_check,
)
