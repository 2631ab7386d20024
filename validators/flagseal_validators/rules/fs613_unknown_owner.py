"""FS613: CODEOWNERS name teams and people of the organisation. Found by the gate's own look at CODEOWNERS."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS613",
    title="An owner that the organisation does not know",
    severity="error",
    scope="repository",
    why="The forge asks nobody (a team that is not there, or another organisation's), or somebody who does not count.",
    remedy="Name a team or a person of policies/organisation.yaml.",
    bad=Example("* @acme/team-payment\n", file=".github/CODEOWNERS"),
    good=Example("* @acme/team-payments\n", file=".github/CODEOWNERS"),
)
