"""Policies as values (formats.md, Policies): who is who, who may change what, and when.

Parsing and the integrity of the set live in :mod:`flagseal.model.policy_set`.
"""

from __future__ import annotations

from datetime import date, datetime, time  # noqa: TC003 (whoever asks for the signature of a struct needs them)
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.canonical import Json
    from flagseal.model.document import Document
    from flagseal.model.flag import Lifecycle, Purpose, RiskTier

ChangeClass = Literal["metadata", "toward-safe", "widen"]
CHANGE_CLASSES: tuple[ChangeClass, ...] = ("metadata", "toward-safe", "widen")
"""From the mildest to the strictest."""

Evidence = Literal["forge", "keys", "either", "both"]
OWNER_ROLE = "owner"


class Person(msgspec.Struct, frozen=True):
    """One human being, however many accounts and keys.

    Attributes:
        id: The key under ``people``; what statements and decisions call them.
        keys: Public keys as written, OpenSSH form (``ssh-ed25519 AAAA… comment``).
    """

    id: str
    name: str
    github_login: str | None = None
    github_id: int | None = None
    kubernetes_username: str | None = None
    keys: tuple[str, ...] = ()


class Member(msgspec.Struct, frozen=True):
    """A person in a team; membership ends by itself after the day ``until`` (UTC), if one is given."""

    person: str
    until: date | None = None


class Role(msgspec.Struct, frozen=True):
    """Who holds a role: people, teams, or both; in some environments only, if any are named."""

    name: str
    people: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()


class Organisation(msgspec.Struct, frozen=True):
    """Who is who."""

    people: Mapping[str, Person]
    teams: Mapping[str, tuple[Member, ...]]
    roles: Mapping[str, Role]


class Staleness(msgspec.Struct, frozen=True):
    """What a tier does once a snapshot is older than ``limit_seconds``."""

    limit_seconds: int
    on_stale: Literal["keep", "safe"]


class Environment(msgspec.Struct, frozen=True):
    """One environment.

    Attributes:
        bucketing: How splits hash: ``v2`` (default) or ``v3``; ``v1`` is for imports only.
        staleness: By tier; a tier that is not named keeps the last good answer.
    """

    name: str
    production: bool
    regions: tuple[str, ...] = ()
    bucketing: str = "v2"
    staleness: Mapping[RiskTier, Staleness] = msgspec.field(default_factory=dict)


class RoleCount(msgspec.Struct, frozen=True):
    """Ask for approvals by ``count`` distinct holders of ``role``."""

    role: str
    count: int


class PolicyRow(msgspec.Struct, frozen=True):
    """What one kind of change needs.

    Attributes:
        place: Where the row stands (``tiers.sensitive.production.widen``, ``policies.widen``).
        after: Environments in which the same change must already be in force.
        window: Name of a window of the calendar in which the change may take effect.
        max_step: Largest growth, in points of 100, of the share that can leave the safe variant.
        merger_counts: Whether whoever merged the request in the forge counts among its approvers.
    """

    place: str
    approvals: tuple[RoleCount, ...]
    evidence: Evidence
    after: tuple[str, ...] = ()
    ticket_required: bool = False
    window: str | None = None
    max_step: int | None = None
    merger_counts: bool = True


class ForgeCheck(msgspec.Struct, frozen=True):
    """A check that the forge must require: its name, and the number of the app that gives it."""

    name: str
    app: int


class Bypass(msgspec.Struct, frozen=True):
    """Who may pass by the rules of the protected branch in the forge.

    Attributes:
        id: The actor's number in the forge.
        mode: On requests only, always, or so that nothing is even recorded.
    """

    actor: Literal["team", "app", "role", "user"]
    id: int
    mode: Literal["pull-request", "always", "exempt"]
    reason: str


class Protection(msgspec.Struct, frozen=True):
    """What the protection of the branch in the forge must hold, and may, beside what always must be."""

    checks: tuple[ForgeCheck, ...] = ()
    bypass: tuple[Bypass, ...] = ()


class ApprovalPolicy(msgspec.Struct, frozen=True):
    """Rows by (tier, "production" | "nonProduction", class) and for policies by class; and the branch's protection."""

    tiers: Mapping[tuple[RiskTier, str, ChangeClass], PolicyRow]
    policies: Mapping[ChangeClass, PolicyRow]
    protection: Protection = Protection()


class LifecyclePolicy(msgspec.Struct, frozen=True):
    """Lifetimes in days by purpose, and which step of life may follow which."""

    max_lifetime_days: Mapping[Purpose, int]
    review_days: Mapping[Purpose, int]
    warn_before_days: int
    transitions: Mapping[str, tuple[Lifecycle, ...]]


class ChangeWindow(msgspec.Struct, frozen=True):
    """A weekly window in a time zone; ``days`` count from Monday = 0; ``end`` is exclusive."""

    name: str
    timezone: str
    days: frozenset[int]
    start: time
    end: time


class Blackout(msgspec.Struct, frozen=True):
    """A stretch in which nothing of these tiers may take effect; instants in UTC, ``until`` exclusive."""

    name: str
    since: datetime
    until: datetime
    tiers: tuple[RiskTier, ...]


class ChangeCalendar(msgspec.Struct, frozen=True):
    """When changes may take effect."""

    windows: Mapping[str, ChangeWindow]
    blackouts: tuple[Blackout, ...]


class PolicySet(msgspec.Struct, frozen=True):
    """All policies at one revision, checked against each other.

    Attributes:
        digest: SHA-256 over the canonical forms of all policy documents, sorted by kind and name:
            the policy's version everywhere.
        documents: By subject, tombstones left out.
        access: The AccessPolicy's spec, if there is one.
    """

    digest: str
    documents: Mapping[str, Document]
    organisation: Organisation
    environments: Mapping[str, Environment]
    approval: ApprovalPolicy
    lifecycle: LifecyclePolicy
    calendar: ChangeCalendar
    access: Json = None
