"""FS615: access that has ended is taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.instants import parse_day
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.walk import spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document in declared.of_kind("AccessPolicy"):
        for index, binding in enumerate(spec(document)["bindings"]):
            if parse_day(binding["until"]) < declared.today:
                message = f"the access ended on {binding['until']}"
                yield Complaint(document, f"$.spec.bindings[{index}].until", message, by_time=True)


_ACCESS = """\
apiVersion: flagseal.dev/v1alpha1
kind: AccessPolicy
metadata: {name: access}
spec:
  issuers: [{name: cluster, issuer: "https://kubernetes.default.svc", audience: flagseal, kind: workload}]
  bindings:
  - {name: the API, subject: {issuer: cluster, claims: {sub: api}}, role: flag-reader, until: "%s"}
  lifetimes: {workload: 10m}
"""

RULE = Rule(
    id="FS615",
    title="Access that has ended",
    severity="error",
    scope="document",
    reads=("day",),
    why="It opens nothing any more. A review of who can read would have to look at it again and again.",
    remedy="Delete the binding, or have a later day approved.",
    bad=Example(_ACCESS % "2026-10-31", file="policies/access.yaml"),
    good=Example(_ACCESS % "2027-06-30", file="policies/access.yaml"),
    check=_check,
)
