"""FS611: CODEOWNERS can be read. Found by its parser."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS611",
    title="A line of CODEOWNERS that GitHub reads otherwise",
    severity="error",
    scope="repository",
    why="GitHub skips a line that it cannot read, and says so to nobody: the path then belongs to whoever came before.",
    remedy="Write the pattern and its owners as GitHub documents them.",
    bad=Example("* @acme/team-payments\n!/flags/payments/ @acme/team-payments\n", file=".github/CODEOWNERS"),
    good=Example("* @acme/team-payments\n/flags/payments/ @acme/team-payments\n", file=".github/CODEOWNERS"),
)
