"""The case that would notice a loosening: found by trying, and held against both policies before it is shown.

One step of loosening is noticed by one step of deviation: a case that complies with everything but what was loosened.
So each candidate differs from a change that is in order in one thing only: its ticket, its proof, its size, its time,
who approves it, or whether another environment is ahead.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from flagseal.model.errors import FlagsealError
from flagseal.model.instants import parse_day
from flagseal.model.policies import OWNER_ROLE
from flagseal.policy.facts import rfc3339
from flagseal_validators.policy_tests.running import run_case
from flagseal_validators.policy_tests.suggesting import (
    TICKET,
    approvers,
    change_for,
    decided,
    expected,
    opening,
    trusting,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.policies import PolicyRow, PolicySet
    from flagseal.policy import State
    from flagseal.policy.decision import Decision, Missing
    from flagseal_validators.policy_tests.loosening import Loosening

    Spec = dict[str, Any]

_STEPS_OF_TIME: Final = [timedelta(hours=6 * number) for number in range(1, 5 * 7 * 4)]
"""Five weeks, in which every weekly window opens and closes, whatever a blackout hides."""
_ALL_POINTS: Final = 100
_FOUND_BY: Final = {"maxLifetime": "FS205", "review": "FS210", "transitions": "FS214", "trustTiers": "FS501"}
HELD_BY_THE_GATE: Final = ("LifecyclePolicy", "TrustTiers")
"""Kinds that only rules of the gate go by: which, by where in them."""


def noticing(
    loosening: Loosening, state: State, policies: PolicySet, loose: State, loose_policies: PolicySet, now: datetime
) -> Spec | None:
    """Find a case that passes as policies are and fails once they are loosened; None if nothing tells them apart.

    Args:
        loosening: What is loosened.
        state: All governed documents.
        policies: Those among them.
        loose: The same, loosened.
        loose_policies: The same, loosened.
        now: From when on the case may be.
    """
    second = None
    for given in _candidates(loosening, state, policies, now):
        for case in _cases(loosening, given, (state, policies), (loose, loose_policies), now):
            if not _tells(case, (state, policies), (loose, loose_policies), now):
                continue
            if case["expect"]["verdict"] == "deny" or not case["expect"].keys().isdisjoint(
                {"effectiveFrom", "findings"}
            ):
                return case
            second = second or case
    return second


def _tells(case: Spec, one: tuple[State, PolicySet], other: tuple[State, PolicySet], now: datetime) -> bool:
    return run_case(case, "", *one, now).passed and not run_case(case, "", *other, now).passed


def _cases(
    loosening: Loosening, given: Spec, one: tuple[State, PolicySet], other: tuple[State, PolicySet], now: datetime
) -> Iterator[Spec]:
    try:
        strict = {entry.role: set(entry.candidates) for entry in decided(given, *one, now).missing}

        def let_in(person: str, entry: Missing) -> bool:
            return person not in strict.get(entry.role, set())

        found = {**given, "approvals": approvers(given, *other, now, let_in)}
        decisions = decided(found, *one, now), decided(found, *other, now)
    except FlagsealError:
        return
    expect = expected(decisions[0])
    if _effective(decisions[0]) != _effective(decisions[1]) and (late := _effective(decisions[0])) is not None:
        expect["effectiveFrom"] = rfc3339(late)
    if loosening.document.kind in HELD_BY_THE_GATE:
        expect["findings"] = [_FOUND_BY[loosening.place.partition(".")[0]]]
    yield {"name": f"noticed if {loosening.place} {loosening.what}"[:256], "given": found, "expect": expect}


def _effective(decision: Decision) -> datetime | None:
    known = [entry.effective_from for entry in decision.environments.values()]
    return max((instant for instant in known if instant is not None), default=None)


# What is tried


def _candidates(loosening: Loosening, state: State, policies: PolicySet, now: datetime) -> Iterator[Spec]:
    if loosening.document.kind == "TrustTiers":
        workloads, protocol = loosening.about
        change = trusting(workloads, protocol, policies, state)
        yield {"change": change, "evidence": ["forge", "keys"], "time": rfc3339(now)}
        return
    for row, change in _changes(loosening, state, policies):
        named = {**change, "ticket": TICKET} if row.ticket_required else change
        given: Spec = {"change": named, "evidence": _proof(row)}
        start = opening(row, change, policies, _earliest(loosening, now))
        if "expires" in change:
            days = policies.lifecycle.max_lifetime_days[change["purpose"]]
            named["expires"] = (start.date() + timedelta(days=days + 1)).isoformat()
        given["time"] = rfc3339(start)
        yield given
        yield from _deviations(given, row, policies)
        yield from ({**given, "time": rfc3339(instant)} for instant in _times(loosening, policies, start))


def _deviations(given: Spec, row: PolicyRow, policies: PolicySet) -> Iterator[Spec]:
    """Deviate in one thing from a change that is in order."""
    change = given["change"]
    if row.ticket_required:
        yield {**given, "change": {name: value for name, value in change.items() if name != "ticket"}}
    for proof in (["keys"], ["forge"]):
        yield {**given, "evidence": proof}
    if not row.merger_counts:
        holders = {person for asked in row.approvals for person in _holders(asked.role, change.get("owner"), policies)}
        for person in sorted(holders):
            yield {**given, "mergers": [person]}
    if row.max_step is not None:
        yield {**given, "change": {**change, "step": min(_ALL_POINTS, row.max_step + 1)}}
    for name in row.after:
        yield {**given, "change": {**change, "behind": [name]}}
    if "owner" in change:
        for team in policies.organisation.teams:
            yield {**given, "change": {**change, "owner": team}}


def _holders(role: str, owner: str | None, policies: PolicySet) -> set[str]:
    """Name who may stand for a role, wherever it counts."""
    organisation = policies.organisation
    found = organisation.roles.get(role)
    people, teams = (found.people, found.teams) if found is not None else ((), (owner or "",))
    return {*people, *(member.person for team in teams for member in organisation.teams.get(team, ()))}


def _proof(row: PolicyRow) -> list[str]:
    return {"both": ["forge", "keys"], "forge": ["forge"]}.get(row.evidence, ["keys"])


def _changes(loosening: Loosening, state: State, policies: PolicySet) -> Iterator[tuple[PolicyRow, Spec]]:
    """Give changes by which it can be noticed, each with the row that decides it now."""
    for row in (*policies.approval.tiers.values(), *policies.approval.policies.values()):
        if loosening.rows and row.place not in loosening.rows:
            continue
        if (change := change_for(row.place, policies, state)) is None:
            continue
        fitted = _fitted(loosening, row, change, policies)
        if fitted is not None:
            yield row, fitted


def _fitted(loosening: Loosening, row: PolicyRow, change: Spec, policies: PolicySet) -> Spec | None:
    """Fit a change to what is loosened; None if it could not tell."""
    flags = "tier" in change
    match loosening.document.kind:
        case "Organisation" if loosening.place.startswith("teams."):
            team = loosening.about[0]
            if not any(_reaches(asked.role, team, policies) for asked in row.approvals):
                return None
            return {**change, "owner": team} if flags else change
        case "EnvironmentList":
            return {**change, "environment": loosening.about[0]} if flags else None
        case "ChangeCalendar" if loosening.place.startswith("blackouts"):
            held = flags and change["tier"] in loosening.about and change["class"] != "toward-safe"
            return change if held else None
        case "LifecyclePolicy":
            return {**change, **_life(loosening, policies)} if flags and change["class"] == "widen" else None
        case _:
            return change


def _reaches(role: str, team: str, policies: PolicySet) -> bool:
    found = policies.organisation.roles.get(role)
    return role == OWNER_ROLE or (found is not None and team in found.teams)


def _life(loosening: Loosening, policies: PolicySet) -> Spec:
    """Give a flag that lives, or goes without a review, a day longer than it may; its expiry is set by the time."""
    life = policies.lifecycle
    if loosening.place.startswith("transitions"):
        step, following = loosening.about
        return {"lifecycle": {"from": step, "to": following}}
    (purpose,) = loosening.about
    if loosening.place.startswith("maxLifetime"):
        return {"purpose": purpose, "expires": ""}
    return {"purpose": purpose, "review": f"{life.review_days[purpose] + 1}d"}  # type: ignore[index]  # a purpose


def _earliest(loosening: Loosening, now: datetime) -> datetime:
    """Give the instant from which to look: after a membership, if that is what it is about."""
    if loosening.place.startswith("teams.") and len(loosening.about) == 3:  # noqa: PLR2004 (team, person, last day)
        return max(now, datetime.combine(parse_day(loosening.about[2]) + timedelta(days=1), time(), UTC))
    return now


def _times(loosening: Loosening, policies: PolicySet, start: datetime) -> Iterator[datetime]:
    if loosening.place.startswith("blackouts"):
        name = loosening.about[0]
        found = next(it for it in policies.calendar.blackouts if it.name == name)
        yield found.since
        yield from (found.since + step for step in _STEPS_OF_TIME if found.since + step < found.until)
    elif loosening.place.startswith("windows") or "window" in loosening.what:
        yield from (start + step for step in _STEPS_OF_TIME)
