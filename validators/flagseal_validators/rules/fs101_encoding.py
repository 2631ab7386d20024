"""FS101: the file is not UTF-8. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS101",
    title="The file is not UTF-8",
    severity="error",
    scope="document",
    why="Editors, git and parsers would each guess what it says, and not guess the same.",
    remedy="Save it as UTF-8 without a byte order mark.",
    bad=Example(
        b"description: Zahlungen f\xfcr alle\n", shown="a file saved as Latin-1, as UTF-16, or with a byte order mark"
    ),
    good=Example("description: Zahlungen für alle\n"),
)
