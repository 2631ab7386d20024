"""FS312: a segment that is named exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.problem import did_you_mean
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.walk import conditions, entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document, flag in declared.flags:
        for path, condition in conditions(document):
            for place, word, operand in entries(condition, path):
                if word == "segment" and f"{flag.namespace}/{operand}" not in declared.catalogue.segments:
                    known = declared.segments_of(flag.namespace)
                    message = f"namespace {flag.namespace} has no segment `{operand}`"
                    yield Complaint(document, place, message, did_you_mean(operand, known))


RULE = Rule(
    id="FS312",
    title="An unknown segment",
    severity="error",
    scope="references",
    reads=("segments",),
    why="Who is meant cannot be told, so the flag is not published.",
    remedy="Name a segment of the same namespace, or add it.",
    bad=Example(
        """\
environments:
  production:
    rules:
    - {name: our own people, when: {segment: staff}, serve: enabled}
    default: disabled
"""
    ),
    good=Example(
        """\
environments:
  production:
    rules:
    - {name: our own people, when: {segment: staff}, serve: enabled}
    default: disabled
""",
        others={
            "flags/payments/staff.yaml": """\
apiVersion: flagseal.dev/v1alpha1
kind: Segment
metadata: {name: staff, namespace: payments}
spec:
  when: {user.staff: true}
"""
        },
    ),
    check=_check,
)
