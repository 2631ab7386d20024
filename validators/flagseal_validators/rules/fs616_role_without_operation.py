"""FS616: a binding grants what its role has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal.model.problem import did_you_mean
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.walk import spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flagseal_validators.declared import Declared

OPERATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "flag-reader": ("evaluate", "snapshot.read"),
    "flag-deployer": ("approval.attest", "resources.apply"),
    "flag-approver": (),
    "flag-emergency-override": ("freeze", "override"),
    "auditor": ("audit.read", "report.read"),
}
"""Roles by operation (access.md); who approves does so in the forge, without a token."""


def _check(declared: Declared) -> Iterator[Complaint]:
    for document in declared.of_kind("AccessPolicy"):
        for index, binding in enumerate(spec(document)["bindings"]):
            place = f"$.spec.bindings[{index}]"
            role = binding["role"]
            if role not in OPERATIONS:
                remedy = did_you_mean(role, OPERATIONS) or f"The roles are {', '.join(OPERATIONS)}."
                yield Complaint(document, f"{place}.role", f"there is no role `{role}` for access", remedy)
                continue
            for position, operation in enumerate(binding.get("operations", ())):
                if operation not in OPERATIONS[role]:
                    has = ", ".join(OPERATIONS[role]) or "no operation"
                    message = f"a {role} has {has}, not {operation}"
                    yield Complaint(document, f"{place}.operations[{position}]", message)


_ACCESS = """\
apiVersion: flagseal.dev/v1alpha1
kind: AccessPolicy
metadata: {name: access}
spec:
  issuers: [{name: cluster, issuer: "https://kubernetes.default.svc", audience: flagseal, kind: workload}]
  bindings:
  - name: the API
    subject: {issuer: cluster, claims: {sub: api}}
    role: flag-reader
    operations: [%s]
    until: "2027-06-30"
  lifetimes: {workload: 10m}
"""

RULE = Rule(
    id="FS616",
    title="An operation that the role does not have",
    severity="error",
    scope="document",
    why="Scope never exceeds the role: the binding promises what no token will carry.",
    remedy="Name operations of the role, or bind the role that has them.",
    bad=Example(_ACCESS % "evaluate, freeze", file="policies/access.yaml"),
    good=Example(_ACCESS % "evaluate, snapshot.read", file="policies/access.yaml"),
    check=_check,
)
