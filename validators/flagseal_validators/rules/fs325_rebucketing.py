"""FS325: people change variant only where a weight does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.evaluation.catalogue import Catalogue
from flagseal_validators.reasoning import sections_of
from flagseal_validators.rule import Complaint, Example, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared

_BUCKETING = "v2"


def _check(declared: Declared) -> Iterator[Complaint]:
    if not declared.before:
        return
    # Here and not above: the plan takes longer to import than all rules together, and few runs look at a change.
    from flagseal_validators.plan.rebucketing import rebucketed  # noqa: PLC0415

    nothing = Catalogue.of(())  # how a split hashes hangs on no other document
    environments = {} if declared.policies is None else declared.policies.environments
    for document, _ in declared.flags:
        earlier = declared.before.get(document.subject)
        if earlier is None:
            continue
        before = {section.environment: section for section in sections_of(earlier, nothing)}
        for section in sections_of(document, nothing):
            one = before.get(section.environment)
            environment = environments.get(section.environment)
            hashing = _BUCKETING if environment is None else environment.bucketing
            paths = {clause.name: clause.path for clause in section.clauses if clause.rule is not None}
            found = rebucketed(one.resolved if one else None, section.resolved, bucketing=(hashing, hashing))
            for moved in found:
                if moved.rule in paths:
                    message = f"people change variant though no weight did: {moved.cause}"
                    yield Complaint(document, paths[moved.rule], message)


RULE = Rule(
    id="FS325",
    title="People are put into other buckets",
    severity="warning",
    scope="references",
    reads=("policies", "before"),
    why="Whoever had a variant yesterday has another today, and back: measurements mix, and customers notice.",
    remedy="Keep what the split hashes by; after a renaming write `salt:` with the old key.",
    bad=Example(
        """\
key: checkout-v2
environments:
  staging:
    rules:
    - {name: a tenth, split: {enabled: 10, disabled: 90}}
    default: disabled
""",
        before="""\
key: checkout
environments:
  staging:
    rules:
    - {name: a tenth, split: {enabled: 10, disabled: 90}}
    default: disabled
""",
    ),
    good=Example(
        """\
key: checkout-v2
environments:
  staging:
    rules:
    - {name: a tenth, split: {enabled: 10, disabled: 90}, salt: checkout}
    default: disabled
""",
        before="""\
key: checkout
environments:
  staging:
    rules:
    - {name: a tenth, split: {enabled: 10, disabled: 90}}
    default: disabled
""",
    ),
    check=_check,
    suppressible=True,
)
