"""FS122: a value of the wrong type. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS122",
    title="A value of the wrong type",
    severity="error",
    scope="document",
    why="Text is not a number, and a list is not a mapping; nothing is converted.",
    remedy="Write a value of the type named.",
    bad=Example("owner: [team-payments]\n"),
    good=Example("owner: team-payments\n"),
)
