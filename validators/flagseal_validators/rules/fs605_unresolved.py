"""FS605: a policy names what does not exist. Found by the policies as a set."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS605",
    title="A policy names what does not exist",
    severity="error",
    scope="references",
    reads=("policies",),
    why="A row that asks for an unknown role can never be satisfied; a team of strangers owns nothing.",
    remedy="Declare it, or correct the name.",
    bad=Example("teams: {team-payments: {members: [alice, zoe]}}\n", file="policies/organisation.yaml"),
    good=Example("teams: {team-payments: {members: [alice, bob]}}\n", file="policies/organisation.yaml"),
)
