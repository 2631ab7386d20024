"""FS316: a field without effect. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS316",
    title="A field without effect",
    severity="error",
    scope="document",
    why="What has no effect misleads whoever reviews it.",
    remedy="Delete it, or move it to where it counts.",
    bad=Example("""\
environments:
  production:
    rules:
    - {name: pilot, when: {org: acme}, serve: enabled, by: user.id}
    default: disabled
"""),
    good=Example("""\
environments:
  production:
    rules:
    - {name: pilot, when: {org: acme}, split: {enabled: 1, disabled: 1}, by: user.id}
    default: disabled
"""),
)
