"""FS603: an account of two people. Found by the policies as a set."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS603",
    title="An account of two people",
    severity="error",
    scope="references",
    reads=("policies",),
    why="Whoever holds it could approve as both.",
    remedy="List an account with its one holder only.",
    bad=Example(
        """\
people:
  alice: {name: Alice, github: {login: alice-m, id: 101}}
  bob: {name: Bob, github: {login: bob-k, id: 101}}
""",
        file="policies/organisation.yaml",
    ),
    good=Example(
        """\
people:
  alice: {name: Alice, github: {login: alice-m, id: 101}}
  bob: {name: Bob, github: {login: bob-k, id: 102}}
""",
        file="policies/organisation.yaml",
    ),
)
