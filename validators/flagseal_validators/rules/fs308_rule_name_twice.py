"""FS308: two rules of one name. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS308",
    title="Two rules of one name",
    severity="error",
    scope="document",
    why="Answers, diffs and audits name the rule; the name must tell which.",
    remedy="Give each a name of its own.",
    bad=Example("""\
environments:
  production:
    rules:
    - {name: pilot, when: {org: acme}, serve: enabled}
    - {name: pilot, when: {org: globex}, serve: enabled}
    default: disabled
"""),
    good=Example("""\
environments:
  production:
    rules:
    - {name: pilot, when: {org: acme}, serve: enabled}
    - {name: second pilot, when: {org: globex}, serve: enabled}
    default: disabled
"""),
)
