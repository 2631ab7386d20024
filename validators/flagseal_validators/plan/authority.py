"""What a change of policies does to people: who can approve what they could not, and who no longer can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.policies import OWNER_ROLE
from flagseal.policy.membership import holders, members

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from flagseal.model.policies import PolicyRow, PolicySet

    Power = tuple[str, str, str]
    """Person, the role in words, where and what."""


def authority(before: PolicySet, after: PolicySet, owners: Collection[str], now: datetime) -> tuple[str, ...]:
    """Say, person by person, what they can newly approve and what no longer, and which rows ask for something else.

    Args:
        before: The policies in force.
        after: Those that the change leads to.
        owners: Teams that own a flag; of others nobody is an owner of anything.
        now: When memberships count.
    """
    old, new = (frozenset(_powers(policies, owners, now)) for policies in (before, after))
    sentences = [*_told(new - old, "can now approve"), *_told(old - new, "can no longer approve")]
    return (*sentences, *_rows(before, after))


def _powers(policies: PolicySet, owners: Collection[str], now: datetime) -> Iterator[Power]:
    organisation = policies.organisation
    teams = {team: members(organisation, team, now) for team in organisation.teams if team in owners}
    for where, environments, row in _places(policies):
        for asked in row.approvals:
            if asked.role == OWNER_ROLE:
                for team, people in teams.items():
                    yield from ((person, f"owner ({team})", where) for person in people)
            else:
                for person in holders(organisation, asked.role, now, environments):
                    yield person, asked.role, where


def _places(policies: PolicySet) -> Iterator[tuple[str, tuple[str, ...], PolicyRow]]:
    """Give every row by environment, with where its roles must be held."""
    for name, environment in sorted(policies.environments.items()):
        side = "production" if environment.production else "nonProduction"
        for (tier, there, change_class), row in policies.approval.tiers.items():
            if there == side:
                yield f"{change_class} of {tier} flags in {name}", (name,), row
    production = tuple(sorted(name for name, found in policies.environments.items() if found.production))
    for change_class, row in policies.approval.policies.items():
        yield f"{change_class} of policies", production, row


def _told(powers: frozenset[Power], verb: str) -> Iterator[str]:
    by_person: dict[tuple[str, str], list[str]] = {}
    for person, role, where in sorted(powers):
        by_person.setdefault((person, role), []).append(where)
    for (person, role), places in by_person.items():
        yield f"{person} {verb}, as {role}: {', '.join(places)}"


def _rows(before: PolicySet, after: PolicySet) -> Iterator[str]:
    old, new = ({row.place: row for _, _, row in _places(policies)} for policies in (before, after))
    for place in sorted(old.keys() | new.keys()):
        one, other = old.get(place), new.get(place)
        if other is None:
            yield f"{place}: no row of its own any more"
        elif one is None:
            yield f"{place}: a new row, which asks for {_asked(other)}"
        elif _asked(one) != _asked(other):
            yield f"{place}: asks for {_asked(other)} instead of {_asked(one)}"


def _asked(row: PolicyRow) -> str:
    parts = [f"{asked.count} × {asked.role}" for asked in row.approvals] or ["nobody's approval"]
    parts.append(f"evidence {row.evidence}")
    if row.after:
        parts.append(f"after {', '.join(row.after)}")
    if row.ticket_required:
        parts.append("a ticket")
    if row.window is not None:
        parts.append(f"the window {row.window}")
    if row.max_step is not None:
        parts.append(f"steps of at most {row.max_step}")
    return ", ".join(parts)
