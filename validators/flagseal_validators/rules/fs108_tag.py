"""FS108: a tag or a directive. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS108",
    title="A tag or a directive",
    severity="error",
    scope="document",
    why="Tags change what a value is, and each parser knows others.",
    remedy="Delete it; quotes make text.",
    bad=Example("ticket: !!str 1234\n"),
    good=Example('ticket: "PAY-1234"\n'),
)
