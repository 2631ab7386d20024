"""FS317: a segment that names a segment. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS317",
    title="A segment that names a segment",
    severity="error",
    scope="document",
    why="One level of names is all that a reviewer has to look up.",
    remedy="Write the other segment's condition out.",
    bad=Example(
        """\
apiVersion: flagseal.dev/v1alpha1
kind: Segment
metadata: {name: testers, namespace: payments}
spec:
  when: {any: [{segment: staff}, {user.tester: true}]}
""",
        file="flags/payments/testers.yaml",
    ),
    good=Example(
        """\
apiVersion: flagseal.dev/v1alpha1
kind: Segment
metadata: {name: testers, namespace: payments}
spec:
  when: {any: [{user.email: {endsWith: "@example.com"}}, {user.tester: true}]}
""",
        file="flags/payments/testers.yaml",
    ),
)
