"""FS604: `owner` is declared as a role. Found by the policies as a set."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS604",
    title="`owner` is declared as a role",
    severity="error",
    scope="references",
    reads=("policies",),
    why="It is reserved: the team that owns the flag, before and after the change.",
    remedy="Give the role another name.",
    bad=Example(
        """\
roles: {owner: {people: [alice]}, flag-approver: {people: [alice]}, security: {people: [alice]}}
""",
        file="policies/organisation.yaml",
    ),
    good=Example(
        "roles: {flag-approver: {people: [alice]}, security: {people: [alice]}}\n", file="policies/organisation.yaml"
    ),
)
