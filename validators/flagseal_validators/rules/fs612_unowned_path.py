"""FS612: every path has an owner. Found by the gate's own look at CODEOWNERS."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS612",
    title="A path that nobody owns",
    severity="error",
    scope="repository",
    why="The forge asks nobody to review it. (A missing file is found where there is a `.github` folder.)",
    remedy="Add a line that names its owners, below all that match it.",
    bad=Example("/policies/ @acme/team-payments\n/.github/ @acme/team-payments\n", file=".github/CODEOWNERS"),
    good=Example("* @acme/team-payments\n/policies/ @acme/team-payments\n", file=".github/CODEOWNERS"),
)
