"""FS100: the file is not YAML. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS100",
    title="The file is not YAML",
    severity="error",
    scope="document",
    why="Nothing can be read from it.",
    remedy="Look for wrong indentation, a missing colon or quote just before the place named.",
    bad=Example('description: "Sends carts to the rewritten checkout service.\n'),
    good=Example('description: "Sends carts to the rewritten checkout service."\n'),
)
