"""FS614: production answers nobody whom it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.walk import spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    if declared.policies is None:
        return
    production = {name for name, it in declared.policies.environments.items() if it.production}
    for document in declared.of_kind("AccessPolicy"):
        anonymous = spec(document).get("anonymous")
        if anonymous is None or not anonymous["namespaces"]:
            continue
        environments = anonymous.get("environments")
        if environments is None and production:
            message = f"without `environments` these namespaces are open in {', '.join(sorted(production))} too"
            yield Complaint(document, "$.spec.anonymous", message)
        for index, name in enumerate(environments or ()):
            if name in production:
                message = f"these namespaces are open to anybody in {name}"
                yield Complaint(document, f"$.spec.anonymous.environments[{index}]", message)


_ACCESS = """\
apiVersion: flagseal.dev/v1alpha1
kind: AccessPolicy
metadata: {name: access}
spec:
  issuers: []
  bindings: []
  lifetimes: {workload: 10m}
  anonymous: {namespaces: [payments], environments: [%s]}
"""

RULE = Rule(
    id="FS614",
    title="Production is open to anybody",
    severity="warning",
    scope="references",
    reads=("policies",),
    why="Flags show the roadmap, customers and targeting. Without a token nobody knows who reads them.",
    remedy="Bind the workloads that read, and name other environments only.",
    bad=Example(_ACCESS % "production", file="policies/access.yaml"),
    good=Example(_ACCESS % "staging", file="policies/access.yaml"),
    check=_check,
    suppressible=True,
)
