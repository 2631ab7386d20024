"""FS301: a variant that the flag does not have. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS301",
    title="A variant that the flag does not have",
    severity="error",
    scope="document",
    why="It could never be served.",
    remedy="Name a variant of the flag, or add it.",
    bad=Example("safeVariant: disable\n"),
    good=Example("safeVariant: disabled\n"),
)
