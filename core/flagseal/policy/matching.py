"""Fill the roles that a change needs with distinct people: a matching, not a count of each role alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.model.policies import OWNER_ROLE
from flagseal.policy.decision import Missing
from flagseal.policy.membership import holders, members

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from flagseal.model.policies import Organisation, RoleCount
    from flagseal.policy.facts import Approval, EvidenceKind


@dataclass(frozen=True, slots=True)
class Slot:
    """A place that one person's approval fills.

    Attributes:
        role: ``owner`` or a declared role.
        teams: For ``owner``: a member of any of these fills it. Empty otherwise.
        environments: Where a declared role must be held.
    """

    role: str
    teams: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()

    def people(self, organisation: Organisation, at: datetime) -> frozenset[str]:
        """Name everybody who can fill it at an instant."""
        if self.role == OWNER_ROLE:
            return frozenset().union(*(members(organisation, team, at) for team in self.teams))
        return holders(organisation, self.role, at, self.environments)


def slots_for(
    approvals: Iterable[RoleCount], owners: Iterable[tuple[str, ...]], environments: Sequence[str]
) -> tuple[Slot, ...]:
    """Spell out a row's approvals.

    Args:
        approvals: The row's roles and counts.
        owners: What must be represented where the row asks for ``owner``: each entry gets the count of its own, and
            takes a member of any team in it.
        environments: Where declared roles must be held.
    """
    each = tuple(owners)
    found: list[Slot] = []
    for asked in approvals:
        if asked.role == OWNER_ROLE:
            # Nobody owns it: a place that nobody can fill, not a place less.
            found += [Slot(OWNER_ROLE, teams) for teams in each or ((),) for _ in range(asked.count)]
        else:
            found += [Slot(asked.role, (), tuple(environments)) for _ in range(asked.count)]
    return tuple(found)


def maximum_matching(fits: Sequence[Collection[str]]) -> dict[int, str]:
    """Give as many places as possible to distinct people.

    Args:
        fits: For each place, who fits it.

    Returns:
        Place to person. Earlier places are filled first, and the result depends on nothing but the argument's content.
    """
    held_by: dict[str, int] = {}

    def place(slot: int, tried: set[str]) -> bool:
        for person in sorted(fits[slot]):
            if person in tried:
                continue
            tried.add(person)
            if person not in held_by or place(held_by[person], tried):
                held_by[person] = slot
                return True
        return False

    for slot in range(len(fits)):
        place(slot, set())
    return {slot: person for person, slot in held_by.items()}


@dataclass(frozen=True, slots=True)
class Filling:
    """How far approvals fill the places of a row.

    Attributes:
        filled: Place (its number) to the person whose approval fills it.
        empty: Numbers of the places left.
        fits: For each place, the approvers who fit it.
    """

    filled: Mapping[int, str]
    empty: tuple[int, ...]
    fits: tuple[frozenset[str], ...]

    @property
    def complete(self) -> bool:
        """Whether no place is left."""
        return not self.empty


def fill(slots: Sequence[Slot], approvals: Iterable[Approval], organisation: Organisation, *, now: datetime) -> Filling:
    """Fill places with the people who approved, each by the roles held when the approval was given."""
    given = [(approval.person, approval.at or now) for approval in approvals]
    when: dict[datetime, dict[Slot, frozenset[str]]] = {}
    for instant in {at for _, at in given}:
        when[instant] = {slot: slot.people(organisation, instant) for slot in set(slots)}
    fits = tuple(frozenset(person for person, at in given if person in when[at][slot]) for slot in slots)
    filled = maximum_matching(fits)
    return Filling(filled, tuple(number for number in range(len(slots)) if number not in filled), fits)


def missing(
    slots: Sequence[Slot],
    filling: Filling,
    organisation: Organisation,
    *,
    now: datetime,
    excluded: Collection[str],
    environment: str | None,
    evidence: EvidenceKind | None,
) -> Iterator[Missing]:
    """Say which approvals are left, one entry a kind of place, and who could give them now.

    Args:
        slots: The row's places.
        filling: What the approvals fill.
        organisation: Who is who.
        now: When they would be given.
        excluded: Who contributed.
        environment: For the entries.
        evidence: For the entries.
    """
    left: dict[Slot, list[int]] = {}
    for number in filling.empty:
        left.setdefault(slots[number], []).append(number)
    unable = frozenset(filling.filled.values()).union(excluded)
    for slot, numbers in left.items():
        direct = slot.people(organisation, now) - unable
        candidates = direct or _who_sets_free(slots, filling, numbers[0], organisation, now) - unable
        yield Missing(
            environment,
            slot.role,
            len(numbers),
            tuple(sorted(candidates)),
            " or ".join(slot.teams) if slot.role == OWNER_ROLE else None,
            evidence,
        )


def _who_sets_free(
    slots: Sequence[Slot], filling: Filling, empty: int, organisation: Organisation, now: datetime
) -> frozenset[str]:
    """Name those who fit a place whose holder can then move on, step by step, to the empty one."""
    reached, ahead = {empty}, [empty]
    while ahead:
        fits = filling.fits[ahead.pop()]
        for number, person in filling.filled.items():
            if number not in reached and person in fits:
                reached.add(number)
                ahead.append(number)
    return frozenset().union(*(slots[number].people(organisation, now) for number in reached))
