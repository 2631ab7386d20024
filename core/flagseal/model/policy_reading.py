"""Policy documents as values: one function a kind. What holds between them is in ``policy_integrity``."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING, Any, cast

from flagseal.model.flag import RISK_TIERS
from flagseal.model.instants import parse_day, parse_days, parse_duration, parse_instant
from flagseal.model.policies import (
    CHANGE_CLASSES,
    ApprovalPolicy,
    Blackout,
    Bypass,
    ChangeCalendar,
    ChangeWindow,
    Environment,
    ForgeCheck,
    LifecyclePolicy,
    Member,
    Organisation,
    Person,
    PolicyRow,
    Protection,
    Role,
    RoleCount,
    Staleness,
)
from flagseal.model.schema.change import DAYS_OF_WEEK, END_OF_DAY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.flag import RiskTier
    from flagseal.model.policies import ChangeClass

SIDES = ("production", "nonProduction")
"""The two halves of a tier's rows: environments with ``production: true``, and all others."""


def read_organisation(spec: Mapping[str, Any]) -> Organisation:
    """Read people, teams and roles."""
    return Organisation(
        people={name: _person(name, entry) for name, entry in spec["people"].items()},
        teams={name: tuple(_member(member) for member in team["members"]) for name, team in spec["teams"].items()},
        roles={
            name: Role(
                name=name,
                people=tuple(role.get("people", ())),
                teams=tuple(role.get("teams", ())),
                environments=tuple(role.get("environments", ())),
            )
            for name, role in spec["roles"].items()
        },
    )


def read_environments(spec: Mapping[str, Any]) -> dict[str, Environment]:
    """Read the environments, by name."""
    return {
        name: Environment(
            name=name,
            production=entry["production"],
            regions=tuple(entry.get("regions", ())),
            bucketing=entry.get("bucketing", "v2"),
            staleness={
                cast("RiskTier", tier): Staleness(parse_duration(limit["limit"]), limit["onStale"])
                for tier, limit in entry.get("staleness", {}).items()
            },
        )
        for name, entry in spec["environments"].items()
    }


def read_approval(spec: Mapping[str, Any]) -> ApprovalPolicy:
    """Read the rows."""
    tiers: dict[tuple[RiskTier, str, ChangeClass], PolicyRow] = {}
    for tier in RISK_TIERS:
        for side in SIDES:
            rows = spec["tiers"].get(tier, {}).get(side, {})
            for name in CHANGE_CLASSES:
                if name in rows:
                    tiers[tier, side, name] = _row(f"tiers.{tier}.{side}.{name}", rows[name])
    policies: dict[ChangeClass, PolicyRow] = {
        name: _row(f"policies.{name}", spec["policies"][name]) for name in CHANGE_CLASSES if name in spec["policies"]
    }
    return ApprovalPolicy(tiers=tiers, policies=policies, protection=_protection(spec.get("protection", {})))


def read_lifecycle(spec: Mapping[str, Any]) -> LifecyclePolicy:
    """Read lifetimes and transitions."""
    return LifecyclePolicy(
        max_lifetime_days={purpose: parse_days(text) for purpose, text in spec["maxLifetime"].items()},
        review_days={purpose: parse_days(text) for purpose, text in spec["review"].items()},
        warn_before_days=parse_days(spec["warnBefore"]),
        transitions={step: tuple(following) for step, following in spec["transitions"].items()},
    )


def read_calendar(spec: Mapping[str, Any]) -> ChangeCalendar:
    """Read windows and blackouts; ``24:00`` is read as midnight, which as an end means that of the next day."""
    return ChangeCalendar(
        windows={
            name: ChangeWindow(
                name=name,
                timezone=entry["timezone"],
                days=frozenset(DAYS_OF_WEEK.index(day) for day in entry["days"]),
                start=read_clock(entry["from"]),
                end=read_clock(entry["to"]),
            )
            for name, entry in spec["windows"].items()
        },
        blackouts=tuple(
            Blackout(
                name=entry["name"],
                since=parse_instant(entry["from"]),
                until=parse_instant(entry["until"]),
                tiers=tuple(entry["tiers"]),
            )
            for entry in spec["blackouts"]
        ),
    )


def read_clock(text: str) -> time:
    """Read the time on a clock (``09:00``)."""
    return time.min if text == END_OF_DAY else time.fromisoformat(text)


def _person(name: str, entry: Mapping[str, Any]) -> Person:
    github = entry.get("github", {})
    return Person(
        id=name,
        name=entry["name"],
        github_login=github.get("login"),
        github_id=github.get("id"),
        kubernetes_username=entry.get("kubernetes", {}).get("username"),
        keys=tuple(entry.get("keys", ())),
    )


def _member(member: str | Mapping[str, Any]) -> Member:
    if isinstance(member, str):
        return Member(member)
    until = member.get("until")
    return Member(member["person"], None if until is None else parse_day(until))


def _protection(spec: Mapping[str, Any]) -> Protection:
    return Protection(
        checks=tuple(ForgeCheck(entry["name"], entry["app"]) for entry in spec.get("checks", ())),
        bypass=tuple(
            Bypass(entry["actor"], entry["id"], entry["mode"], entry["reason"]) for entry in spec.get("bypass", ())
        ),
    )


def _row(place: str, row: Mapping[str, Any]) -> PolicyRow:
    return PolicyRow(
        place=place,
        approvals=tuple(RoleCount(item["role"], item["count"]) for item in row["approvals"]),
        evidence=row["evidence"],
        after=tuple(row.get("after", ())),
        ticket_required=row.get("ticket") == "required",
        window=row.get("window"),
        max_step=row.get("maxStep"),
        merger_counts=row.get("merger") != "not-counted",
    )
