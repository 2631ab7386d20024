"""FS150: a document in the wrong folder. Found by the repository's layout."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS150",
    title="A document in the wrong folder",
    severity="error",
    scope="document",
    why="Flags, segments and bindings belong to the namespace whose folder holds them; policies belong to all.",
    remedy="Move it to flags/<namespace>/<name>.yaml or policies/<name>.yaml.",
    bad=Example(
        """\
apiVersion: flagseal.dev/v1alpha1
kind: Segment
metadata: {name: staff, namespace: payments}
spec:
  when: {user.email: {endsWith: "@example.com"}}
""",
        file="flags/payments/segments/staff.yaml",
    ),
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
