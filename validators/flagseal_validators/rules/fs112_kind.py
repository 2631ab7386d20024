"""FS112: not a kind of document. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS112",
    title="Not a kind of document",
    severity="error",
    scope="document",
    why="Nothing knows what to do with it.",
    remedy="Write one of the kinds of the format.",
    bad=Example("""\
apiVersion: flagseal.dev/v1alpha1
kind: FeatureFlag
metadata: {name: new-checkout, namespace: payments}
spec: {}
"""),
    good=Example(
        """\
apiVersion: flagseal.dev/v1alpha1
kind: Segment
metadata: {name: staff, namespace: payments}
spec:
  when: {user.email: {endsWith: "@example.com"}}
""",
        file="flags/payments/staff.yaml",
    ),
)
