"""FS201: the owner is a team."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.problem import did_you_mean
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.walk import owners

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    if declared.policies is None:
        return
    teams = declared.policies.organisation.teams
    for document, path, owner in owners(declared):
        if owner not in teams:
            yield Complaint(document, path, f"there is no team `{owner}`", did_you_mean(owner, teams))


RULE = Rule(
    id="FS201",
    title="The owner does not exist",
    severity="error",
    scope="references",
    reads=("policies",),
    why="Nobody could approve as the owner, and nobody answers for the flag.",
    remedy="Name a team of policies/organisation.yaml, or declare it there.",
    bad=Example("owner: team-payment\n"),
    good=Example("owner: team-payments\n"),
    check=_check,
)
