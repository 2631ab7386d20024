"""FS105: the file does not hold exactly one document. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS105",
    title="The file does not hold exactly one document",
    severity="error",
    scope="document",
    why="One file, one document: what is approved has one name and one place.",
    remedy="Give every document a file of its own.",
    bad=Example(
        """\
apiVersion: flagseal.dev/v1alpha1
kind: Segment
metadata: {name: staff, namespace: payments}
spec:
  when: {user.staff: true}
---
apiVersion: flagseal.dev/v1alpha1
kind: Segment
metadata: {name: testers, namespace: payments}
spec:
  when: {user.tester: true}
""",
        file="flags/payments/staff.yaml",
    ),
    good=Example(
        """\
apiVersion: flagseal.dev/v1alpha1
kind: Segment
metadata: {name: staff, namespace: payments}
spec:
  when: {user.staff: true}
""",
        file="flags/payments/staff.yaml",
    ),
)
