"""FS202: the owner has members."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
        members = teams.get(owner)
        if members is None:
            continue
        if not members:
            yield Complaint(document, path, f"nobody belongs to `{owner}`")
        elif all(member.until is not None and member.until < declared.today for member in members):
            yield Complaint(document, path, f"everybody's membership of `{owner}` has ended", by_time=True)


RULE = Rule(
    id="FS202",
    title="The owner has no members",
    severity="error",
    scope="references",
    reads=("policies", "day"),
    why="Nobody could approve as the owner, and nobody answers for the flag.",
    remedy="Give the team members, or the flag another owner.",
    bad=Example("owner: team-nobody\n"),
    good=Example("owner: team-payments\n"),
    check=_check,
)
