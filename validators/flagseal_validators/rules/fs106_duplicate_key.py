"""FS106: a key stands twice in one mapping. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS106",
    title="A key stands twice in one mapping",
    severity="error",
    scope="document",
    why="Some parsers take the first, some the last: two readers would see two documents.",
    remedy="Keep one of the two.",
    bad=Example("""\
ticket: PAY-1
ticket: PAY-2
"""),
    good=Example("ticket: PAY-1\n"),
)
