"""FS126: not evaluated by this version. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS126",
    title="Not evaluated by this version",
    severity="error",
    scope="document",
    why="The field belongs to the format, but nothing enforces it yet; ignoring it would break the promise it makes.",
    remedy="Leave it out until it is.",
    bad=Example("""\
environments:
  production:
    default: disabled
    shadow: {variant: enabled, sample: 100}
"""),
    good=Example("""\
environments:
  production:
    default: disabled
"""),
)
