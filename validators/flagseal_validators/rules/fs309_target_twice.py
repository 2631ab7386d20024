"""FS309: a targeting key with two variants. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS309",
    title="A targeting key with two variants",
    severity="error",
    scope="document",
    why="The lists have no order, so neither wins.",
    remedy="Keep the key in one of the lists.",
    bad=Example("""\
environments:
  production:
    targets: {enabled: [user-17], disabled: [user-17]}
    default: disabled
"""),
    good=Example("""\
environments:
  production:
    targets: {enabled: [user-17], disabled: [user-23]}
    default: disabled
"""),
)
