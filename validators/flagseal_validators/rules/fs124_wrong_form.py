"""FS124: a value that does not have the right form. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS124",
    title="A value that does not have the right form",
    severity="error",
    scope="document",
    why="Names, days, instants and counts have one form, so that one thing has one spelling.",
    remedy="Write it in the form named.",
    bad=Example('expires: "31.3.2027"\n'),
    good=Example('expires: "2027-03-31"\n'),
)
