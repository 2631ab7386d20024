"""FS125: not exactly one of several fields. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS125",
    title="Not exactly one of several fields",
    severity="error",
    scope="document",
    why="Two of them would contradict each other, and none says nothing.",
    remedy="Keep exactly one.",
    bad=Example("""\
environments:
  production:
    rules:
    - {name: everyone, serve: enabled, split: {enabled: 1, disabled: 1}}
    default: disabled
"""),
    good=Example("""\
environments:
  production:
    rules:
    - {name: everyone, split: {enabled: 1, disabled: 1}}
    default: disabled
"""),
)
