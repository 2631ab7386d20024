"""FS120: an unknown field. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS120",
    title="An unknown field",
    severity="error",
    scope="document",
    why="A field that nothing reads is a misspelling, or a promise that is not kept.",
    remedy="Correct it, or delete it.",
    bad=Example("retirewhen: On for everyone.\n", without=("retireWhen",)),
    good=Example("retireWhen: On for everyone.\n"),
)
