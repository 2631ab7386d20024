"""From facts to a plan. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

from flagseal.evaluation.analysis import instants
from flagseal.model.canonical import canonical_json
from flagseal.model.document import POLICY_KINDS
from flagseal.model.errors import CompileError, InvalidPolicies
from flagseal.model.policy_set import load_policies
from flagseal.policy import State, decide
from flagseal.policy.flag_change import flag_change
from flagseal.policy.severity import highest
from flagseal.policy.state import changed_subjects, flag_reference, flag_subject
from flagseal_validators.plan.authority import Authority, authority
from flagseal_validators.plan.causes import because
from flagseal_validators.plan.promotion import promotions
from flagseal_validators.plan.rebucketing import rebucketed
from flagseal_validators.plan.replay import EXAMPLES, replay, side
from flagseal_validators.plan.sentences import changes, on_or_off, summary
from flagseal_validators.plan.values import EnvironmentPlan, FlagEffect, Plan, SubjectChange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from flagseal.evaluation.resolved import ResolvedFlag
    from flagseal.history.manifest import Manifest
    from flagseal.model.canonical import Json
    from flagseal.model.document import Document
    from flagseal.model.flag import FlagDefinition, RiskTier
    from flagseal.model.policies import PolicySet
    from flagseal.policy.decision import Decision, EnvironmentDecision
    from flagseal.policy.facts import Facts
    from flagseal_validators.plan.replay import Replay, Side
    from flagseal_validators.plan.sentences import Label
    from flagseal_validators.plan.values import Promotion

_SERVED_FIELDS: Final = frozenset({"environments", "variants", "safeVariant", "key"})
"""Fields of a flag that are told by what is served."""

_DEFAULT_BUCKETING: Final = "v2"
_LONGEST: Final = 60
_MOST_PROMOTIONS: Final = 500
"""Flags that are compared between environments; each comparison is a decision of its own."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Recorded contexts, and how to count those who change.

    Attributes:
        contexts: Evaluation contexts, to be evaluated on both sides.
        group_by: Attributes by which the contexts that change are counted.
        examples: Targeting keys to keep of each kind of change; none with 0.
        progress: Told how many contexts are done, of how many, in one environment after the other.
    """

    contexts: Sequence[Mapping[str, Json]]
    group_by: Sequence[str] = ()
    examples: int = EXAMPLES
    progress: Callable[[int, int], None] | None = None


def plan(
    facts: Facts,
    policies: PolicySet,
    *,
    manifest: Manifest | None = None,
    recording: Recording | None = None,
) -> Plan:
    """Make the plan of a change.

    Args:
        facts: What is accepted, what would be after the change, whose it is, when. With no approvals, what is missing
            is all that is needed.
        policies: Those in force before the change.
        manifest: Of the accepted head, where the change is held against one.
        recording: Recorded contexts, if there are any.
    """
    before, after = State.of(facts.accepted), State.of(facts.after)
    subjects = changed_subjects(before, after)
    decision = decide(facts, policies) if subjects else None
    flags = [flag_reference(subject) for subject in subjects if subject.startswith("FlagDefinition/")]
    making = _Making(before, after, policies, facts, recording)
    return Plan(
        subjects=tuple(_subject(before.get(subject), after[subject]) for subject in subjects),
        manifest_before=manifest.digest if manifest is not None else None,
        manifest_after=manifest.changed({subject: after[subject].digest for subject in subjects}).digest
        if manifest is not None
        else None,
        decision=decision,
        environments=making.environments(decision) if decision is not None else (),
        clock=facts.clock,
        authority=making.authority(subjects),
        promotions=making.promotions(flags[:_MOST_PROMOTIONS]),
        promotions_left=len(flags[_MOST_PROMOTIONS:]),
    )


class _Making:
    """Look at both sides, environment by environment."""

    def __init__(
        self,
        before: State,
        after: State,
        policies: PolicySet,
        facts: Facts,
        recording: Recording | None,
    ) -> None:
        self._before = before
        self._after = after
        self._policies = policies
        self._facts = facts
        self._recording = recording
        self._later = _policies_after(after)

    def authority(self, subjects: Sequence[str]) -> Authority:
        if self._later is None or not any(subject.partition("/")[0] in POLICY_KINDS for subject in subjects):
            return Authority()
        return authority(self._policies, self._later, _owners(self._before, self._after), self._facts.clock)

    def promotions(self, flags: Sequence[str]) -> tuple[Promotion, ...]:
        if self._later is None:
            return ()
        return tuple(promotions(flags, self._after, self._later, self._facts))

    def environments(self, decision: Decision) -> tuple[EnvironmentPlan, ...]:
        return tuple(
            EnvironmentPlan(
                name,
                tuple(self._effect(flag, name, entry) for flag in entry.flags),
                self._replay(name, entry),
                production=self._is_production(name),
            )
            for name, entry in sorted(decision.environments.items())
        )

    def _is_production(self, environment: str) -> bool:
        found = self._policies.environments.get(environment)
        return found is None or found.production

    def _bucketing(self, environment: str) -> tuple[str, str]:
        sides = (self._policies, self._later or self._policies)
        found = [policies.environments.get(environment) for policies in sides]
        before, after = (each.bucketing if each is not None else _DEFAULT_BUCKETING for each in found)
        return (before, after) if found[0] is not None else (after, after)

    def _effect(self, flag: str, environment: str, entry: EnvironmentDecision) -> FlagEffect:
        try:
            change = flag_change(flag, self._before, self._after, environment)
        except CompileError:
            change = None  # the decision says what is wrong
        one = _Side.of(self._before, flag, environment)
        other = _Side.of(self._after, flag, environment)
        label = on_or_off(one.resolved, other.resolved)
        bucketing = self._bucketing(environment)
        causes = tuple(sorted(change.causes - {flag_subject(flag)})) if change is not None else ()
        told = [because(subject, self._before, self._after, environment) for subject in causes]
        if bucketing[0] != bucketing[1]:
            told.append(f"the environments have {environment} hash by {bucketing[1]} instead of {bucketing[0]}")
        return FlagEffect(
            flag=flag,
            change_class=change.change_class if change is not None else entry.change_class,
            before=one.text(label),
            changes=_changes(one, other, label),
            after=other.text(label),
            why=change.why if change is not None else (),
            causes=causes,
            rebucketed=rebucketed(one.resolved, other.resolved, bucketing=bucketing),
            tier=highest(change.tiers) if change is not None else _tier(one, other) or entry.tier,
            because=tuple(told),
        )

    def _replay(self, environment: str, entry: EnvironmentDecision) -> Replay | None:
        recording = self._recording
        if recording is None:
            return None
        at = int((entry.effective_from or self._facts.clock).timestamp())
        bucketing = self._bucketing(environment)
        sides = {
            flag: (
                _Side.of(self._before, flag, environment).asked(bucketing[0], at),
                _Side.of(self._after, flag, environment).asked(bucketing[1], at),
            )
            for flag in entry.flags
        }
        found = replay(
            sides,
            recording.contexts,
            at=at,
            group_by=recording.group_by,
            examples=recording.examples,
            progress=recording.progress,
        )
        return replace(found, later=tuple(sorted(it for it in self._instants(environment, entry) if it > at)))

    def _instants(self, environment: str, entry: EnvironmentDecision) -> set[int]:
        """Find the instants at which something begins or ends before the change only, or after it only."""
        found: set[int] = set()
        for flag in entry.flags:
            sides = (_Side.of(state, flag, environment).resolved for state in (self._before, self._after))
            before, after = (set(instants(side)) if side is not None else set() for side in sides)
            found |= before ^ after
        return found


@dataclass(frozen=True, slots=True)
class _Side:
    """A flag in an environment, before or after; not resolved where it is not served or has no meaning."""

    definition: FlagDefinition | None
    resolved: ResolvedFlag | None
    off: bool

    @classmethod
    def of(cls, state: State, flag: str, environment: str) -> _Side:
        definition = state.definition(flag)
        section = definition.environments.get(environment) if definition is not None else None
        try:
            resolved = state.resolve(flag, environment)
        except CompileError:
            resolved = None
        return cls(definition, resolved, section is not None and section.off)

    def text(self, label: Label) -> str:
        if self.resolved is None:
            return ""
        told = summary(self.resolved, label)
        return f"{told} (switched off)" if self.off else told

    def asked(self, bucketing: str, at: int) -> Side:
        return side(self.resolved, self.definition, bucketing=bucketing, at=at)


def _changes(before: _Side, after: _Side, label: Label) -> tuple[str, ...]:
    one, other = before.resolved, after.resolved
    if one is None and other is None:
        return ()
    if other is None:
        return ("no longer served here: applications get their own default",)
    if one is None:
        return (f"served here: {summary(other, label)}",)
    if after.off and not before.off:
        return (f"switched off: {label(other.safe_variant)} for everyone, and the rest is kept for later",)
    if before.off and not after.off:
        return (f"switched on again: {summary(other, label)}",)
    return changes(one, other, label)


def _tier(*sides: _Side) -> RiskTier | None:
    found = [side.definition.risk_tier for side in sides if side.definition is not None]
    return highest(found) if found else None


def _owners(*states: State) -> frozenset[str]:
    found = (document for state in states for document in state.documents.values())
    return frozenset(
        str(document.spec["owner"])
        for document in found
        if document.kind == "FlagDefinition" and isinstance(document.spec, dict)
    )


def _policies_after(after: State) -> PolicySet | None:
    try:
        return load_policies(after.policies.values())
    except InvalidPolicies:
        return None  # the decision says so


def _subject(before: Document | None, after: Document) -> SubjectChange:
    return SubjectChange(
        subject=after.subject,
        before=before.digest if before is not None else None,
        after=after.digest,
        removed=after.is_tombstone,
        fields=tuple(_fields(before, after)),
    )


def _fields(before: Document | None, after: Document) -> Iterator[str]:
    """Tell the governance fields of a flag that changed; what it serves is told elsewhere."""
    if after.kind != "FlagDefinition" or before is None or before.is_tombstone or after.is_tombstone:
        return
    old, new = cast("dict[str, Json]", before.spec), cast("dict[str, Json]", after.spec)
    for name in sorted((old.keys() | new.keys()) - _SERVED_FIELDS):
        if canonical_json(old.get(name)) != canonical_json(new.get(name)):
            yield f"{name}: {_shown(old.get(name))} → {_shown(new.get(name))}"


def _shown(value: Json) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
