"""What a change of policies does to people: who can approve what they could not, and who no longer can."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from flagseal.model.canonical import canonical_json
from flagseal.model.policies import OWNER_ROLE
from flagseal.policy.membership import holders, members

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime

    from flagseal.model.policies import Organisation, PolicyRow, PolicySet

OVERRIDE_ROLE: Final = "flag-emergency-override"
"""Who holds it rolls a flag back alone (docs/adr/0070)."""

_TIERS: Final = ("high-risk", "sensitive", "operational", "informational")
_CLASSES: Final = ("widen", "toward-safe", "metadata")


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """One kind of change that a person's approval counts for.

    Attributes:
        environment: Its name; empty for changes of policies.
        tier: Of the flags; empty for changes of policies.
        change_class: Which changes.
        alone: Whether this one approval is all that the row asks for.
    """

    environment: str
    tier: str
    change_class: str
    alone: bool


def _scopes_text(scopes: Iterable[Scope]) -> str:
    """Say several: ``widen of high-risk and sensitive flags in production, toward-safe of policies (alone)``."""
    tiers: dict[tuple[str, str, bool], list[str]] = {}
    for scope in scopes:
        tiers.setdefault((scope.environment, scope.change_class, scope.alone), []).append(scope.tier)
    told = []
    for (environment, change_class, alone), found in tiers.items():
        listed = " and ".join(filter(None, (", ".join(found[:-1]), found[-1])))
        what = f"{listed} flags in {environment}" if environment else "policies"
        told.append(f"{change_class} of {what}{' (alone)' if alone else ''}")
    return ", ".join(told)


@dataclass(frozen=True, slots=True)
class Ability:
    """What one person can do, in one role, that they could not, or no longer.

    Attributes:
        person: Their id.
        role: In words: ``owner (team-payments)`` or a declared role.
        gained: Whether it is gained; otherwise it is lost.
        scopes: What it is about, the most dangerous first.
        causes: What brings it about, in words, each to be read after "because".
        emergencies: Environments in which it is a rollback of any flag, without anybody else.
    """

    person: str
    role: str
    gained: bool
    scopes: tuple[Scope, ...]
    causes: tuple[str, ...] = ()
    emergencies: tuple[str, ...] = ()

    def text(self) -> str:
        """Say it in one sentence."""
        verb = "can now" if self.gained else "can no longer"
        told = f"{self.person} {verb} approve, as {self.role}: {_scopes_text(self.scopes)}"
        if self.emergencies:
            told = f"{self.person} {verb} roll any flag back alone, as {self.role}: {', '.join(self.emergencies)}"
        return f"{told}, because {' and '.join(self.causes)}" if self.causes else told


@dataclass(frozen=True, slots=True)
class Authority:
    """What a change of policies lets whom do.

    Attributes:
        abilities: Gained ones first, by person and role.
        rules: Which rows, windows, blackouts and lifetimes are others, in sentences.
    """

    abilities: tuple[Ability, ...] = ()
    rules: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of it, one a line."""
        return (*(ability.text() for ability in self.abilities), *self.rules)


def authority(before: PolicySet, after: PolicySet, owners: Collection[str], now: datetime) -> Authority:
    """Say, person by person, what they can newly approve and what no longer, and which rules ask for something else.

    Args:
        before: The policies in force.
        after: Those that the change leads to.
        owners: Teams that own a flag; of others nobody is an owner of anything.
        now: When memberships count.
    """
    old, new = (_powers(policies, owners, now) for policies in (before, after))
    abilities = [
        *_abilities(new, old, before, after, now, gained=True),
        *_abilities(old, new, before, after, now, gained=False),
    ]
    told = (tell(before, after) for tell in (_rows, _protection, _times, _places))
    return Authority(tuple(abilities), tuple(chain.from_iterable(told)))


# Who can do what

_Key = tuple[str, str, str]
"""Person, role as declared, the team of an owner (or nothing)."""


def _powers(policies: PolicySet, owners: Collection[str], now: datetime) -> dict[_Key, set[Scope | str]]:
    """Map people in roles to what they can approve; a text is an environment in which they break glass."""
    organisation = policies.organisation
    teams = {team: members(organisation, team, now) for team in organisation.teams if team in owners}
    found: dict[_Key, set[Scope | str]] = {}
    for scope, environments, row in _scopes(policies):
        for asked in row.approvals:
            if asked.role == OWNER_ROLE:
                for team, people in teams.items():
                    for person in people:
                        found.setdefault((person, OWNER_ROLE, team), set()).add(scope)
            else:
                for person in holders(organisation, asked.role, now, environments):
                    found.setdefault((person, asked.role, ""), set()).add(scope)
    for name in policies.environments:
        for person in holders(organisation, OVERRIDE_ROLE, now, (name,)):
            found.setdefault((person, OVERRIDE_ROLE, ""), set()).add(name)
    return found


def _scopes(policies: PolicySet) -> Iterator[tuple[Scope, tuple[str, ...], PolicyRow]]:
    """Give every row by environment, with where its roles must be held; a class without a row goes by ``widen``."""
    for name, environment in sorted(policies.environments.items()):
        side = "production" if environment.production else "nonProduction"
        for (tier, there, change_class), row in policies.approval.tiers.items():
            if there == side:
                yield Scope(name, tier, change_class, _alone(row)), (name,), row
    production = tuple(sorted(name for name, found in policies.environments.items() if found.production))
    for change_class, row in policies.approval.policies.items():
        yield Scope("", "", change_class, _alone(row)), production, row


def _alone(row: PolicyRow) -> bool:
    return sum(asked.count for asked in row.approvals) == 1


def _abilities(
    has: Mapping[_Key, set[Scope | str]],
    lacks: Mapping[_Key, set[Scope | str]],
    before: PolicySet,
    after: PolicySet,
    now: datetime,
    *,
    gained: bool,
) -> Iterator[Ability]:
    for key in sorted(has):
        person, role, team = key
        more = _beyond(has[key], lacks.get(key, set()), gained=gained)
        causes = _causes(key, before.organisation, after.organisation, now, gained=gained)
        words = f"{role} ({team})" if team else role
        scopes = sorted((it for it in more if isinstance(it, Scope)), key=_danger)
        if scopes:
            yield Ability(person, words, gained, tuple(scopes), causes)
        if places := sorted(it for it in more if isinstance(it, str)):
            yield Ability(person, words, gained, (), causes, tuple(places))


def _beyond(has: set[Scope | str], lacks: set[Scope | str], *, gained: bool) -> list[Scope | str]:
    """Give what one side has beyond the other; being enough alone is a gain, and no longer being it is no loss."""
    known = {_kind(it) for it in lacks if isinstance(it, Scope)}
    return [it for it in has - lacks if not isinstance(it, Scope) or _kind(it) not in known or (gained and it.alone)]


def _kind(scope: Scope) -> tuple[str, str, str]:
    return scope.environment, scope.tier, scope.change_class


def _danger(scope: Scope) -> tuple[bool, str, int, int]:
    tier = _TIERS.index(scope.tier) if scope.tier in _TIERS else len(_TIERS)
    return bool(scope.tier), scope.environment, tier, _CLASSES.index(scope.change_class)


def _causes(key: _Key, before: Organisation, after: Organisation, now: datetime, *, gained: bool) -> tuple[str, ...]:
    """Say what of the Organisation brings it about; nothing where a row or an environment does."""
    person, role, team = key
    old, new = (before, after) if gained else (after, before)
    joins, named = ("joins", "is named in") if gained else ("leaves", "is no longer named in")
    if team:
        moved = person in members(new, team, now) and person not in members(old, team, now)
        return (f"{person} {joins} {team}",) if moved else ()
    one, other = old.roles.get(role), new.roles.get(role)
    if other is None:
        return ()
    found = []
    for each in other.teams:
        if person in members(new, each, now):
            if one is not None and each not in one.teams:
                found.append(f"{each} {'is given' if gained else 'loses'} the role {role}")
            elif person not in members(old, each, now):
                found.append(f"{person} {joins} {each}")
    if person in other.people and (one is None or person not in one.people):
        found.append(f"{person} {named} the role {role}")
    if one is not None and one.environments != other.environments:
        found.append(f"the role {role} counts in {'more' if gained else 'fewer'} environments")
    return tuple(found)


# Rules that are others


def _rows(before: PolicySet, after: PolicySet) -> Iterator[str]:
    old, new = (
        {row.place: row for row in (*policies.approval.tiers.values(), *policies.approval.policies.values())}
        for policies in (before, after)
    )
    for place in sorted(old.keys() | new.keys()):
        one, other = old.get(place), new.get(place)
        if other is None:
            yield f"{place}: no row of its own any more"
        elif one is None:
            yield f"{place}: a new row, which asks for {asked_for(other)}"
        elif told := _differences(_parts(one), _parts(other)):
            yield f"{place}: {'; '.join(told)}"


def asked_for(row: PolicyRow) -> str:
    """Say what a row asks for."""
    return ", ".join(_parts(row).values()) or "nothing"


def _parts(row: PolicyRow) -> dict[str, str]:
    parts = {asked.role: f"{asked.count} × {asked.role}" for asked in row.approvals}
    parts = parts or {"": "nobody's approval"}
    parts["(evidence)"] = f"evidence {row.evidence}"
    if row.after:
        parts["(after)"] = f"after {', '.join(row.after)}"
    if row.ticket_required:
        parts["(ticket)"] = "a ticket"
    if not row.merger_counts:
        parts["(merger)"] = "nobody who merged it"
    if row.window is not None:
        parts["(window)"] = f"the window {row.window}"
    if row.max_step is not None:
        parts["(step)"] = f"steps of at most {row.max_step}"
    return parts


def _differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    found = []
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if new is None:
            found.append(f"no longer asks for {old}")
        elif old is None:
            found.append(f"also asks for {new}")
        elif old != new:
            found.append(f"asks for {new} instead of {old}")
    return found


def _protection(before: PolicySet, after: PolicySet) -> Iterator[str]:
    """Tell who else may pass the rules of the protected branch by, and which checks are asked for."""
    old, new = before.approval.protection, after.approval.protection
    for entry in (it for it in new.bypass if it not in old.bypass):
        how = _MODES[entry.mode]
        yield f"protection: the forge's {entry.actor} {entry.id} may pass its rules by, {how}, for: {entry.reason}"
    for entry in (it for it in old.bypass if it not in new.bypass):
        yield f"protection: the forge's {entry.actor} {entry.id} may no longer pass its rules by, {_MODES[entry.mode]}"
    for check in (it for it in old.checks if it not in new.checks):
        yield f"protection: no longer asks for the check {check.name} of app {check.app}"
    for check in (it for it in new.checks if it not in old.checks):
        yield f"protection: also asks for the check {check.name} of app {check.app}"


_MODES: Final = {"pull-request": "on requests only", "always": "always", "exempt": "always and unrecorded"}


def _times(before: PolicySet, after: PolicySet) -> Iterator[str]:
    """Tell windows, blackouts and lifetimes that are others."""
    old, new = before.calendar, after.calendar
    for name in sorted(old.windows.keys() | new.windows.keys()):
        one, other = old.windows.get(name), new.windows.get(name)
        if one is None or other is None:
            yield f"window {name}: {'is new' if one is None else 'is gone'}"
        elif one != other:
            yield f"window {name}: opens at other times"
    for gone in (it for it in old.blackouts if it not in new.blackouts):
        yield f"blackout {gone.name}: no longer from {gone.since:%Y-%m-%d} until {gone.until:%Y-%m-%d}"
    for added in (it for it in new.blackouts if it not in old.blackouts):
        tiers = ", ".join(added.tiers)
        yield f"blackout {added.name}: from {added.since:%Y-%m-%d} until {added.until:%Y-%m-%d} for {tiers}"
    was, now = before.lifecycle.max_lifetime_days, after.lifecycle.max_lifetime_days
    for purpose in sorted(was.keys() | now.keys()):
        if was.get(purpose) != now.get(purpose):
            yield f"{purpose} flags may live {_lifetime(now.get(purpose))} instead of {_lifetime(was.get(purpose))}"
    if before.lifecycle.transitions != after.lifecycle.transitions:
        yield "other steps of life may follow one another"


def _lifetime(days: int | None) -> str:
    return "for ever" if days is None else f"{days} days"


def _places(before: PolicySet, after: PolicySet) -> Iterator[str]:
    """Tell environments that are others, and a changed AccessPolicy."""
    for name in sorted(before.environments.keys() | after.environments.keys()):
        one, other = before.environments.get(name), after.environments.get(name)
        if one is None or other is None:
            yield f"environment {name}: {'is new' if one is None else 'is gone'}"
            continue
        if one.production != other.production:
            rows = "production" if other.production else "nonProduction"
            yield f"environment {name}: goes by the rows of {rows} now"
        if one.bucketing != other.bucketing:
            yield f"environment {name}: splits hash by {other.bucketing} instead of {one.bucketing}"
        if dict(one.staleness) != dict(other.staleness):
            yield f"environment {name}: does something else with old snapshots"
    if canonical_json(before.access) != canonical_json(after.access):
        yield "AccessPolicy: workloads and people may read other things (see why, above)"
