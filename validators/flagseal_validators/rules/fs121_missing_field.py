"""FS121: a field is missing. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS121",
    title="A field is missing",
    severity="error",
    scope="document",
    why="The document says less than it must.",
    remedy="Add the field.",
    bad=Example("""\
environments:
  production:
    rules: []
"""),
    good=Example("""\
environments:
  production:
    rules: []
    default: disabled
"""),
)
