"""Small values that tests of policy share."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from flagseal.model.policies import Member, Organisation, Person, Role
from flagseal.policy.facts import Approval

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flagseal.policy.facts import EvidenceKind

KEYS: frozenset[EvidenceKind] = frozenset({"keys"})
FORGE: frozenset[EvidenceKind] = frozenset({"forge"})
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
"""A Monday, eleven o'clock in Berlin."""


def at(text: str) -> datetime:
    """Read an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def organisation(
    teams: Mapping[str, Iterable[str | tuple[str, str]]],
    roles: Mapping[str, Role] | None = None,
    people: Iterable[str] = (),
) -> Organisation:
    """Make an organisation of everybody named in its teams and roles; a pair is a member until a day."""
    memberships = {
        team: tuple(
            Member(member) if isinstance(member, str) else Member(member[0], date.fromisoformat(member[1]))
            for member in given
        )
        for team, given in teams.items()
    }
    everybody = {member.person for given in memberships.values() for member in given}
    everybody |= {person for role in (roles or {}).values() for person in role.people} | set(people)
    return Organisation({person: Person(person, person) for person in sorted(everybody)}, memberships, roles or {})


def by_key(*people: str) -> tuple[Approval, ...]:
    """Make approvals signed with people's own keys."""
    return tuple(Approval(person, KEYS) for person in people)
