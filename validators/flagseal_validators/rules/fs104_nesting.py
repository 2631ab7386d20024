"""FS104: nesting is deeper than 32. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS104",
    title="Nesting is deeper than 32",
    severity="error",
    scope="document",
    why="No flag needs it, and parsers differ in how deep they can go.",
    remedy="Make it flatter.",
    bad=Example(
        "variants: {enabled: {a: " + "[" * 40 + "]" * 40 + "}, disabled: {}}\n",
        shown="variants: {enabled: {a: [[[[[[[[…]]]]]]]]}, disabled: {}}",
    ),
    good=Example("variants: {enabled: {a: [[1]]}, disabled: {}}\n"),
)
