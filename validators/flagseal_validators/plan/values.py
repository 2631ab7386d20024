"""What a plan holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

    from flagseal.model.policies import ChangeClass
    from flagseal.policy.decision import Decision
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
    """

    flag: str
    change_class: ChangeClass
    before: str
    changes: tuple[str, ...]
    after: str
    why: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    rebucketed: tuple[Rebucketed, ...] = ()


@dataclass(frozen=True, slots=True)
class EnvironmentPlan:
    """What a change does in one environment; what was decided of it stands in the plan's decision.

    Attributes:
        environment: Its name.
        flags: By flag, sorted.
        replay: What recorded contexts say; None if there are none.
    """

    environment: str
    flags: tuple[FlagEffect, ...]
    replay: Replay | None = None


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
        authority: Who can approve what they could not, and who no longer can, in words; for changes of policies.
    """

    subjects: tuple[SubjectChange, ...]
    manifest_before: str | None
    manifest_after: str | None
    decision: Decision | None
    environments: tuple[EnvironmentPlan, ...]
    authority: tuple[str, ...]

    @property
    def obstacles(self) -> tuple[str, ...]:
        """What no approval can heal, in words: refusals, and roles that nobody can fill."""
        if self.decision is None:
            return ()
        found = [
            f"{check.environment or 'the change'}: {check.reason}"
            for check in self.decision.failed
            if check.id not in _HEALED_BY_APPROVAL
        ]
        found += [
            f"{missing.environment or 'policies'}: nobody can give {missing.count} × {missing.role}"
            for missing in self.decision.missing
            if not missing.candidates
        ]
        return tuple(dict.fromkeys(found))


_HEALED_BY_APPROVAL = frozenset({"approvals", "evidence", "self-approval"})
