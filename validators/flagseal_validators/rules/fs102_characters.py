"""FS102: a character that must not stand in a file. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS102",
    title="A character that must not stand in a file",
    severity="error",
    scope="document",
    why="Control characters break terminals, and bidirectional ones show reviewers another text than parsers read.",
    remedy="Delete the character; indent by spaces.",
    bad=Example(
        "description: Sends carts # \u202e to nobody\n",
        shown="description: Sends carts # <U+202E RIGHT-TO-LEFT OVERRIDE> to nobody",
    ),
    good=Example("description: Sends carts # to nobody\n"),
)
