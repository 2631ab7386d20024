"""Who holds a role, or is in a team, at an instant."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from flagseal.model.policies import Organisation


def members(organisation: Organisation, team: str, at: datetime) -> frozenset[str]:
    """Name the people in a team at an instant; a team that does not exist has none."""
    return frozenset(
        member.person
        for member in organisation.teams.get(team, ())
        if member.person in organisation.people and (member.until is None or at < day_after(member.until))
    )


def holders(organisation: Organisation, role: str, at: datetime, environments: Iterable[str]) -> frozenset[str]:
    """Name the people who hold a role, at an instant, in every one of some environments.

    A role that names environments is held in those only, one that names none everywhere; a role that is not
    declared is held by nobody.
    """
    found = organisation.roles.get(role)
    if found is None or (found.environments and not set(environments) <= set(found.environments)):
        return frozenset()
    people = frozenset(person for person in found.people if person in organisation.people)
    return people.union(*(members(organisation, team, at) for team in found.teams))


def day_after(last: date) -> datetime:
    """Give the instant at which a last day is over, in UTC."""
    return datetime.combine(last, time(), UTC) + timedelta(days=1)
