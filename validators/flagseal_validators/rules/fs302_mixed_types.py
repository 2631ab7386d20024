"""FS302: variants of different types. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS302",
    title="Variants of different types",
    severity="error",
    scope="document",
    why="An application asks for a boolean or for text; one flag cannot be both.",
    remedy="Give all variants values of one type.",
    bad=Example('variants: {enabled: true, disabled: "false"}\n'),
    good=Example("variants: {enabled: true, disabled: false}\n"),
)
