"""FS303: a split without proper weights. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS303",
    title="A split without proper weights",
    severity="error",
    scope="document",
    why="Weights are positive whole numbers that add up to 2147483647 at most; anything else serves nobody.",
    remedy="Give every arm a positive whole number.",
    bad=Example("""\
environments:
  production:
    rules:
    - {name: some, split: {enabled: 0, disabled: 90}}
    default: disabled
"""),
    good=Example("""\
environments:
  production:
    rules:
    - {name: some, split: {enabled: 10, disabled: 90}}
    default: disabled
"""),
)
