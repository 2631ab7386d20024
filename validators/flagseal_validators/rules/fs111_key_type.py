"""FS111: a key that is not text. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS111",
    title="A key that is not text",
    severity="error",
    scope="document",
    why="JSON has text keys only; each parser converts others in its own way.",
    remedy="Quote the key, or use a word.",
    bad=Example("""\
variants: {1: true, disabled: false}
safeVariant: disabled
environments: {}
"""),
    good=Example("""\
variants: {one: true, disabled: false}
safeVariant: disabled
environments: {}
"""),
)
