"""FS123: not one of the possible words. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS123",
    title="Not one of the possible words",
    severity="error",
    scope="document",
    why="The field takes a few words only.",
    remedy="Write one of the words named.",
    bad=Example("purpose: rollout\n"),
    good=Example("purpose: release\n"),
)
