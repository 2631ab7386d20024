"""FS103: the file is larger than 256 KiB. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS103",
    title="The file is larger than 256 KiB",
    severity="error",
    scope="document",
    why="A file that nobody can review is approved unread, and parsers have to be protected from it.",
    remedy="Split it into several documents.",
    bad=Example("# " + "x" * (256 * 1024) + "\n", shown="a file of more than 262144 bytes"),
    good=Example("# short\n"),
)
