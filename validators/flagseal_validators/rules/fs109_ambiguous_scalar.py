"""FS109: an unquoted scalar that parsers read differently. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS109",
    title="An unquoted scalar that parsers read differently",
    severity="error",
    scope="document",
    why="YAML 1.1 reads no as false, 012 as 10 and 1:20 as 80; YAML 1.2 does not. kubectl and CI would see two flags.",
    remedy="Quote it; call variants enabled and disabled.",
    bad=Example("variants: {on: true, disabled: false}\n"),
    good=Example("variants: {enabled: true, disabled: false}\n"),
)
