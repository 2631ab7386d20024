"""FS107: an anchor, an alias or a merge key. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS107",
    title="An anchor, an alias or a merge key",
    severity="error",
    scope="document",
    why="What a line says must not hang on another line far away, which a diff does not show.",
    remedy="Write the value out.",
    bad=Example("""\
description: &text The new checkout.
retireWhen: *text
"""),
    good=Example("""\
description: The new checkout.
retireWhen: The new checkout.
"""),
)
