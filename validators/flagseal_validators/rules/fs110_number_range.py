"""FS110: a number that JSON cannot carry. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS110",
    title="A number that JSON cannot carry",
    severity="error",
    scope="document",
    why="Beyond 2^53 numbers lose digits on the way, and infinities and not-a-number have no JSON at all.",
    remedy="Write a smaller number, or quote it to make it text.",
    bad=Example("variants: {enabled: 9007199254740993, disabled: 0}\n"),
    good=Example("variants: {enabled: 9007199254740991, disabled: 0}\n"),
)
