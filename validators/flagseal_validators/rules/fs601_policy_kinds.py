"""FS601: a kind of policy is missing, or there twice. Found by the policies as a set."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS601",
    title="A kind of policy is missing, or there twice",
    severity="error",
    scope="references",
    reads=("policies",),
    why="Without one of them nothing can be decided, and two would be two answers.",
    remedy="Keep exactly one document of each kind in policies/.",
    bad=Example(
        """\
apiVersion: flagseal.dev/v1alpha1
kind: ChangeCalendar
metadata: {name: second-calendar}
spec: {windows: {}, blackouts: []}
""",
        file="policies/second-calendar.yaml",
    ),
    good=Example(
        """\
windows: {}
blackouts: []
""",
        file="policies/calendar.yaml",
    ),
)
