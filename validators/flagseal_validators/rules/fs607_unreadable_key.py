"""FS607: a key that cannot be used. Found by the policies as a set."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS607",
    title="A key that cannot be used",
    severity="error",
    scope="references",
    reads=("policies",),
    why="Nobody could verify a signature by it, or everybody could forge one.",
    remedy="List the line of the .pub file that ssh-keygen -t ed25519 wrote.",
    bad=Example(
        """\
people:
  alice: {name: Alice, keys: ["ssh-ed25519 AAAA alice"]}
  bob: {name: Bob}
""",
        file="policies/organisation.yaml",
    ),
    good=Example(
        """\
people:
  alice: {name: Alice, keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"]}
  bob: {name: Bob}
""",
        file="policies/organisation.yaml",
    ),
)
