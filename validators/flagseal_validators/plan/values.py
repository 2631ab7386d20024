"""What a plan holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flagseal_validators.plan.authority import Authority

if TYPE_CHECKING:
    from datetime import datetime
    from fractions import Fraction

    from flagseal.model.flag import RiskTier
    from flagseal.model.policies import ChangeClass
    from flagseal.policy.decision import Decision, Missing
    from flagseal_validators.plan.replay import Replay


@dataclass(frozen=True, slots=True)
class Rebucketed:
    """Say that a split is drawn again: people change variant though no weight asks for it.

    Attributes:
        rule: The rule's name.
        cause: What changed, in words.
        share: The part of those whom the rule splits that changes variant beyond what the weights ask for; None where
            nobody can say (raw targeting).
    """

    rule: str
    cause: str
    share: Fraction | None


@dataclass(frozen=True, slots=True)
class FlagEffect:
    """What a change does to one flag in one environment.

    Attributes:
        flag: ``namespace/name``.
        change_class: Of this flag alone.
        before: What is served before, in words; empty where the flag is not served.
        changes: What changes of that, in words, each to be read after "now"; empty if nothing that is served does.
        after: What is served afterwards, in words; empty where the flag is not served.
        why: What makes the class so.
        causes: Other documents that bring it about, by subject.
        rebucketed: Splits that are drawn again.
        tier: The higher of before and after.
        because: What happened to the causes, in words, each to be read after "because"; a policy among them.
    """

    flag: str
    change_class: ChangeClass
    before: str
    changes: tuple[str, ...]
    after: str
    why: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    rebucketed: tuple[Rebucketed, ...] = ()
    tier: RiskTier = "informational"
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Promotion:
    """Compare what a flag serves in two environments after the change, and say what making them the same would mean.

    Attributes:
        flag: ``namespace/name``.
        source: The environment that is ahead.
        target: The one it would be promoted to.
        ahead: What the source serves, in words.
        behind: What the target serves, in words; empty where it does not serve the flag.
        changes: What promoting would change in the target, each to be read after "now".
        change_class: Of promoting.
        tier: Of promoting.
        missing: Who would have to approve it.
        obstacles: What else would be in the way.
    """

    flag: str
    source: str
    target: str
    ahead: str
    behind: str
    changes: tuple[str, ...]
    change_class: ChangeClass
    tier: RiskTier
    missing: tuple[Missing, ...]
    obstacles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EnvironmentPlan:
    """What a change does in one environment; what was decided of it stands in the plan's decision.

    Attributes:
        environment: Its name.
        flags: By flag, sorted.
        replay: What recorded contexts say; None if there are none.
        production: Whether it goes by the rows of production.
    """

    environment: str
    flags: tuple[FlagEffect, ...]
    replay: Replay | None = None
    production: bool = True


@dataclass(frozen=True, slots=True)
class SubjectChange:
    """One document that changes.

    Attributes:
        subject: As statements name it.
        before: Its digest as accepted; None if it is new.
        after: Its digest afterwards; that of its tombstone, if it is removed.
        removed: Whether it is removed.
        fields: Changed fields that say nothing about what is served, in words.
    """

    subject: str
    before: str | None
    after: str
    removed: bool
    fields: tuple[str, ...]

    @property
    def verb(self) -> str:
        """``adds``, ``changes`` or ``removes``."""
        return "removes" if self.removed else "adds" if self.before is None else "changes"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a change does, needs and binds.

    Attributes:
        subjects: The documents that change, sorted; an approval binds their digests.
        manifest_before: Digest of the manifest that the change builds on; None where it is held against no head.
        manifest_after: Digest of the manifest it leads to; None likewise.
        decision: What policy says, with the approvals there are; its ``missing`` is who must approve.
        environments: Where something changes, sorted.
        clock: By which time it was decided, in UTC.
        authority: Who can approve what they could not, and who no longer can; for changes of policies.
        promotions: Flags of the change that an environment without production serves otherwise than one with it.
        promotions_left: Flags of the change that were not looked at for that, since there are so many.
    """

    subjects: tuple[SubjectChange, ...]
    manifest_before: str | None
    manifest_after: str | None
    decision: Decision | None
    environments: tuple[EnvironmentPlan, ...]
    clock: datetime
    authority: Authority = field(default_factory=Authority)
    promotions: tuple[Promotion, ...] = ()
    promotions_left: int = 0

    @property
    def obstacles(self) -> tuple[str, ...]:
        """What no approval can heal, in words: refusals, and roles that nobody can fill."""
        return obstacles_of(self.decision) if self.decision is not None else ()


def obstacles_of(decision: Decision) -> tuple[str, ...]:
    """Say what no approval can heal in a decision made without any."""
    found = [
        f"{check.environment or 'the change'}: {check.reason}"
        for check in decision.failed
        if check.id not in _HEALED_BY_APPROVAL
    ]
    found += [
        f"{missing.environment or 'policies'}: {_able(missing)} can give {missing.count} × {missing.role}"
        for missing in decision.missing
        if len(missing.candidates) < missing.count
    ]
    return tuple(dict.fromkeys(found))


def _able(missing: Missing) -> str:
    return f"only {' and '.join(missing.candidates)}" if missing.candidates else "nobody"


_HEALED_BY_APPROVAL = frozenset({"approvals", "evidence", "self-approval"})
