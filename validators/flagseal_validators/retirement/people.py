"""Whom to tell: the owners of a flag, and after its date those who approve changes like its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from flagseal.model.policies import OWNER_ROLE
from flagseal.policy.membership import holders, members

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from flagseal.model.flag import FlagDefinition
    from flagseal.model.policies import PolicySet
    from flagseal_validators.retirement.stepping import Due

MOST: Final = 10
"""People mentioned at once."""
_LOGIN: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})(?:\[bot\])?")


def owners(flag: FlagDefinition, policies: PolicySet, now: datetime) -> tuple[str, ...]:
    """Give the logins of the members of the team that owns a flag."""
    return _logins(members(policies.organisation, flag.owner, now), policies)


def concerned(due: Due, policies: PolicySet, now: datetime) -> tuple[str, ...]:
    """Give the logins of those who own a flag that something is due of, or one that requires it."""
    teams = dict.fromkeys(it.owner for it in due.subject.required_by if due.act in {"move", "retire", "stuck"})
    others = (login for team in teams for login in _logins(members(policies.organisation, team, now), policies))
    return tuple(dict.fromkeys((*owners(due.subject.flag, policies, now), *others)))[:MOST]


def beyond(flag: FlagDefinition, policies: PolicySet, now: datetime) -> tuple[str, ...]:
    """Give the logins of those, besides the owners, without whom the flag could not be widened in production.

    A flag whose tier asks for its owners only is everybody's who may change the policies.
    """
    of_tier = policies.approval.tiers.get((flag.risk_tier, "production", "widen"))
    of_policies = policies.approval.policies.get("widen")
    production = tuple(name for name, entry in policies.environments.items() if entry.production)
    own = members(policies.organisation, flag.owner, now)
    for row in (of_tier, of_policies):
        roles = {asked.role for asked in row.approvals} - {OWNER_ROLE} if row is not None else set()
        people = {person for role in roles for person in holders(policies.organisation, role, now, production)}
        if people - own:
            return _logins(people - own, policies)
    return ()


def mentions(logins: Iterable[str]) -> str:
    """Write logins so that they are told."""
    return " ".join(f"@{login}" for login in logins)


def _logins(people: Iterable[str], policies: PolicySet) -> tuple[str, ...]:
    found = (policies.organisation.people[name].github_login for name in sorted(people))
    return tuple(login for login in found if login is not None and _LOGIN.fullmatch(login))[:MOST]
