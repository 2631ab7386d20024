"""FS602: a key of two people. Found by the policies as a set."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS602",
    title="A key of two people",
    severity="error",
    scope="references",
    reads=("policies",),
    why="Whoever holds it could approve as both.",
    remedy="Give every person a key of their own.",
    bad=Example(
        """\
people:
  alice: {name: Alice, keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"]}
  bob: {name: Bob, keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"]}
""",
        file="policies/organisation.yaml",
    ),
    good=Example(
        """\
people:
  alice: {name: Alice, keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"]}
  bob: {name: Bob, keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC"]}
""",
        file="policies/organisation.yaml",
    ),
)
