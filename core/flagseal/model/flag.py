"""Definitions as values: what a FlagDefinition, a Segment and an EntitlementBinding say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.canonical import Json
    from flagseal.model.condition import Condition

Purpose = Literal["release", "experiment", "operational", "entitlement", "auth-protocol"]
RiskTier = Literal["informational", "operational", "sensitive", "high-risk"]
Lifecycle = Literal["draft", "review", "canary", "enforced", "stable", "retired"]

RISK_TIERS: tuple[RiskTier, ...] = ("informational", "operational", "sensitive", "high-risk")
"""From the lowest to the highest."""


class Serve(msgspec.Struct, frozen=True):
    """Serve one variant."""

    variant: str


class Split(msgspec.Struct, frozen=True):
    """Serve variants by weight.

    Attributes:
        arms: (variant, weight) in the order in which the buckets run: as written for the list form;
            for the map form the safe variant last and the others in code-point order.
        by: Path of the attribute that buckets; None means ``targetingKey``.
        salt: None means the flag's key.
    """

    arms: tuple[tuple[str, int], ...]
    by: tuple[str, ...] | None = None
    salt: str | None = None


class Ramp(msgspec.Struct, frozen=True):
    """Widen step by step against the safe variant.

    Step k of n begins at start + k·(end − start)/n with weight
    start_weight + round_half_up(k·(end_weight − start_weight)/n) of 100.
    Before the start the rule does not match; from the end on it stays at ``end_weight``.
    Instants are unix seconds.
    """

    variant: str
    start_weight: int
    end_weight: int
    start: int
    end: int
    steps: int
    by: tuple[str, ...] | None = None
    salt: str | None = None


Outcome: TypeAlias = "Serve | Split | Ramp"


class Rule(msgspec.Struct, frozen=True):
    """Serve an outcome where a condition holds.

    Attributes:
        name: Unique in its environment.
        when: None means everyone who is left.
        since: Unix seconds from which it counts (``from``), inclusive; None means always.
        until: Unix seconds up to which it counts, exclusive; None means for ever.
    """

    name: str
    when: Condition | None
    outcome: Outcome
    since: int | None = None
    until: int | None = None


class Requirement(msgspec.Struct, frozen=True):
    """Ask that another flag serve a variant; otherwise the safe variant is served.

    ``flag`` is ``name`` of the same namespace or ``namespace/name``.
    """

    flag: str
    variant: str


class EnvironmentSection(msgspec.Struct, frozen=True):
    """Say what one environment serves.

    Attributes:
        default: The variant served where nothing else matches.
        off: Serve the safe variant to everyone and keep the rest for later.
        targeting: flagd JSONLogic in place of rules; None when there is none.
    """

    default: str
    off: bool = False
    requires: tuple[Requirement, ...] = ()
    targets: tuple[tuple[str, tuple[str, ...]], ...] = ()
    rules: tuple[Rule, ...] = ()
    targeting: Json = None


class Review(msgspec.Struct, frozen=True):
    """Say how often an entitlement is reviewed, and when and by whom it last was."""

    every: str
    last: str | None = None
    by: str | None = None


class FlagDefinition(msgspec.Struct, frozen=True):
    """One flag as declared. Governance fields never change an evaluation by themselves."""

    namespace: str
    name: str
    key: str
    description: str
    purpose: Purpose
    owner: str
    risk_tier: RiskTier
    lifecycle: Lifecycle
    variants: Mapping[str, Json]
    safe_variant: str
    environments: Mapping[str, EnvironmentSection]
    expires: str | None = None
    review: Review | None = None
    retire_when: str | None = None
    ticket: str | None = None
    claim: bool = False

    @property
    def reference(self) -> str:
        """``namespace/name``, as people and commands write it."""
        return f"{self.namespace}/{self.name}"


class Segment(msgspec.Struct, frozen=True):
    """A named condition of one namespace."""

    namespace: str
    name: str
    when: Condition


class Grant(msgspec.Struct, frozen=True):
    """Entitle one organisation to one flag.

    Attributes:
        org: The value of ``org`` in the evaluation context.
        flag: ``namespace/name``.
        since: Unix seconds, inclusive; from the agreement.
        until: Unix seconds, exclusive; the earlier of the grant's and the agreement's end. A written
            date is the last day, in UTC.
        variant: The variant served, for flags with limits; None means what the rule serves.
    """

    org: str
    flag: str
    since: int
    until: int
    reason: str
    variant: str | None = None


class EntitlementBinding(msgspec.Struct, frozen=True):
    """The grants of one document, which may speak of several organisations."""

    namespace: str
    name: str
    owners: tuple[str, ...]
    grants: tuple[Grant, ...]
