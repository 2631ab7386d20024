"""What a change is in each environment: against what was accepted, and against what is in effect there.

The class is the stricter of the two (approval.md, One history). Against what is in effect only what contexts are served
counts: governance has no effect of its own, and was approved when it was accepted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

from flagseal.evaluation.compile import compile_flag
from flagseal.model.document import POLICY_KINDS
from flagseal.model.errors import CompileError
from flagseal.policy.classify import reached
from flagseal.policy.flag_change import FlagChange, flag_change
from flagseal.policy.governance import binding_parts
from flagseal.policy.reviews import concerned, is_review, owners_of_reviewed, reviewed_flags
from flagseal.policy.severity import highest, strictest
from flagseal.policy.state import State, changed_subjects

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flagseal.model.flag import FlagDefinition, RiskTier
    from flagseal.model.policies import ChangeClass
    from flagseal.policy.facts import Facts

REBUCKETED_TIER: Final[RiskTier] = "high-risk"
"""Changing how splits hash moves people in every flag, and is a high-risk change (compat.md)."""

UNREACHED_TIER: Final[RiskTier] = "informational"
"""A document that no flag reaches serves nobody anything; still somebody has to approve it."""

_DEFAULT_BUCKETING: Final = "v2"


@dataclass(frozen=True)
class Change:
    """A change as a whole: the documents on every side of it.

    Attributes:
        facts: As given.
        accepted: The head.
        after: The head if this is accepted.
        environments: Those of the policies in force.
    """

    facts: Facts
    accepted: State
    after: State
    environments: tuple[str, ...]
    _in_effect: dict[str, State] = field(default_factory=dict, repr=False)

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """What differs, whatever the statement says, sorted."""
        return changed_subjects(self.accepted, self.after)

    @cached_property
    def policies(self) -> tuple[str, ...]:
        """Those subjects that are policy documents."""
        return tuple(subject for subject in self.subjects if subject.partition("/")[0] in POLICY_KINDS)

    @cached_property
    def contents(self) -> tuple[str, ...]:
        """Those subjects that are flags, segments, bindings and reviews."""
        return tuple(subject for subject in self.subjects if subject not in set(self.policies))

    def in_effect(self, environment: str) -> State:
        """Give what is in effect in an environment; the accepted state itself where they do not differ."""
        if environment not in self._in_effect:
            documents = self.facts.in_effect.get(environment)
            same = documents is None or documents is self.facts.accepted
            if same or not changed_subjects(self.accepted, cast("State", documents)):
                self._in_effect[environment] = self.accepted
            else:
                self._in_effect[environment] = State.of(cast("State", documents))
        return self._in_effect[environment]

    def at_once(self, environment: str) -> State:
        """Give what would be in effect in an environment if this took effect at once, and all that is pending later."""
        now = self.in_effect(environment)
        if now is self.accepted:
            return self.after
        return now.changed({subject: self.after[subject] for subject in self.subjects})

    @cached_property
    def flags(self) -> frozenset[str]:
        """Every flag that the change reaches, by any side of it."""
        states = {id(state): state for state in map(self.in_effect, self.environments)}
        states.pop(id(self.accepted), None)
        return reached(self.contents, self.accepted, self.after, *states.values())

    @cached_property
    def broken(self) -> Mapping[tuple[str, str], CompileError]:
        """Flags that have no meaning afterwards, by flag and environment."""
        found: dict[tuple[str, str], CompileError] = {}
        for reference in sorted(self.flags):
            definition = self.after.definition(reference)
            for environment in definition.environments if definition is not None else ():
                try:
                    resolved = self.after.resolve(reference, environment)
                    if definition is not None and resolved is not None:
                        # A flag may have a meaning and no form that other evaluators can read.
                        compile_flag(resolved, definition, None)
                except CompileError as error:
                    found[reference, environment] = error
        return found

    @cached_property
    def rebucketed(self) -> Mapping[str, str]:
        """Environments whose splits hash otherwise afterwards, or that are listed for the first time; with why."""
        if not any(subject.startswith("EnvironmentList/") for subject in self.policies):
            return {}
        before, after = (_environment_lists(state) for state in (self.accepted, self.after))
        found: dict[str, str] = {}
        for name in sorted(before.keys() | after.keys()):
            old, new = (side.get(name, {}).get("bucketing", _DEFAULT_BUCKETING) for side in (before, after))
            if name not in before:
                found[name] = "the environment is new"
            elif name in after and old != new:
                found[name] = f"splits hash by {new} instead of {old}"
        return found

    @cached_property
    def touched(self) -> tuple[str, ...]:
        """Every environment to be looked at, sorted: those of the policies, and any that a flag reached names."""
        named: set[str] = set(self.environments) | set(self.rebucketed)
        for reference in self.flags:
            for state in (self.accepted, self.after):
                definition = state.definition(reference)
                named.update(definition.environments if definition is not None else ())
        return tuple(sorted(named))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a change is in one environment.

    Attributes:
        environment: Which one.
        change_class: The stricter of against accepted and against in effect.
        tiers: Tiers of all flags affected, on every side.
        owners: Each to be represented; where an entry has several teams, any will do.
        why: What makes the class so.
        flags: ``namespace/name`` of what is affected, sorted.
        changes: Against what is in effect, flag by flag.
        toward_safe_now: Against what is in effect, nobody is served anything new but the safe variant.
        waits: It has a meaning only together with something that is pending.
    """

    environment: str
    change_class: ChangeClass
    tiers: frozenset[RiskTier]
    owners: tuple[tuple[str, ...], ...]
    why: tuple[str, ...]
    flags: tuple[str, ...]
    changes: tuple[FlagChange, ...]
    toward_safe_now: bool
    waits: bool

    @property
    def tier(self) -> RiskTier:
        """The highest tier."""
        return highest(self.tiers)


def judge(change: Change) -> dict[str, Judgement]:
    """Judge a change in every environment in which something changes, by environment."""
    against_accepted = {name: _flag_changes(change, change.accepted, change.after, name) for name in change.touched}
    covered = {cause for changes in against_accepted.values() for each in changes for cause in each.causes}
    unreached = [subject for subject in change.contents if subject not in covered]
    if change.broken:
        unreached = []  # refused anyway; what could not be resolved may well reach them
    found: dict[str, Judgement] = {}
    for name in change.touched:
        listed = [it for it in unreached if _concerns(change, it, name)]
        judgement = _judge_one(change, name, against_accepted[name], listed)
        if judgement is not None:
            found[name] = judgement
    return found


def _concerns(change: Change, subject: str, environment: str) -> bool:
    """Tell whether a document that changes nothing that is served is judged in an environment.

    In all of them; but a review in the one that it speaks of, as long as the policies list that.
    """
    spoken = concerned(subject, change.accepted, change.after) if is_review(subject) else frozenset()
    return environment in (spoken if spoken and spoken <= set(change.environments) else change.environments)


def _judge_one(
    change: Change, environment: str, accepted: tuple[FlagChange, ...], unreached: Iterable[str]
) -> Judgement | None:
    now = change.in_effect(environment)
    effective, at_once, waits = accepted, accepted, False
    if now is not change.accepted:
        effective = _flag_changes(change, now, change.after, environment)
        try:
            at_once = _flag_changes(change, now, change.at_once(environment), environment)
        except CompileError:
            waits = True
    rebucketed = _rebucketed(change, environment)
    served = [each for each in (*effective, *at_once) if each.served_class is not None]
    classes: list[ChangeClass] = [each.change_class for each in (*accepted, *rebucketed)]
    classes += [each.served_class for each in served if each.served_class is not None]
    affected = [*accepted, *served, *rebucketed]
    lonely = list(unreached)
    if not affected and not lonely:
        return None
    strict = strictest(classes)
    owners = {(owner,) for each in affected for owner in each.owners}
    return Judgement(
        environment=environment,
        change_class=strict,
        tiers=frozenset().union(*(each.tiers for each in affected), *(_lonely_tiers(change, it) for it in lonely)),
        owners=tuple(sorted(owners.union(*(_lonely_owners(change, subject) for subject in lonely)))),
        why=_why(strict, affected, lonely),
        flags=tuple(sorted({each.flag for each in affected})),
        changes=effective,
        toward_safe_now=not waits and not rebucketed and all(each.served_class != "widen" for each in served),
        waits=waits,
    )


def _flag_changes(change: Change, before: State, after: State, environment: str) -> tuple[FlagChange, ...]:
    found = (
        flag_change(reference, before, after, environment)
        for reference in sorted(change.flags)
        if (reference, environment) not in change.broken
    )
    return tuple(each for each in found if each is not None)


def _rebucketed(change: Change, environment: str) -> list[FlagChange]:
    """Make a change of every flag of an environment whose splits begin to hash otherwise."""
    if environment not in change.rebucketed:
        return []
    reason = change.rebucketed[environment]
    found: list[FlagChange] = []
    for reference in sorted(change.accepted.catalogue.flags.keys() | change.after.catalogue.flags.keys()):
        definitions = [change.accepted.definition(reference), change.after.definition(reference)]
        concerned = [each for each in definitions if each is not None and environment in each.environments]
        if concerned:
            owners = frozenset(each.owner for each in concerned)
            tiers = frozenset({REBUCKETED_TIER})
            found.append(FlagChange(reference, "widen", "widen", tiers, owners, (reason,), frozenset(), None, None))
    return found


def _why(strict: ChangeClass, affected: Iterable[FlagChange], lonely: Iterable[str]) -> tuple[str, ...]:
    reasons = [
        f"{each.flag}: {reason}"
        for each in affected
        if strict in {each.change_class, each.served_class}
        for reason in each.why
    ]
    return tuple(dict.fromkeys([*reasons, *(f"{subject}: nothing that is served changes" for subject in lonely)]))


def _lonely_tiers(change: Change, subject: str) -> frozenset[RiskTier]:
    """Give the tiers of the flags that name a document (one that is off, say); the lowest, if there is none."""
    named = [definition.risk_tier for definition in _naming(change, subject)]
    return frozenset(named or [UNREACHED_TIER])


def _lonely_owners(change: Change, subject: str) -> set[tuple[str, ...]]:
    """Say who answers for a document that changes nothing that is served.

    The owners of the flags that name it, and its own, each; or else any owner of a flag of its namespace.
    """
    if is_review(subject):
        return owners_of_reviewed(subject, change.accepted, change.after)
    documents = [state.live(subject) for state in (change.accepted, change.after)]
    specs = [cast("dict[str, Any]", each.spec) for each in documents if each is not None]
    found: set[tuple[str, ...]] = {(definition.owner,) for definition in _naming(change, subject)}
    if subject.startswith("EntitlementBinding/"):
        found |= {(part["owner"],) for spec in specs for part in binding_parts(spec)}
    if found:
        return found
    prefix = subject.split("/")[1] + "/"
    flags = change.accepted.catalogue.flags
    return {tuple(sorted({flags[reference].owner for reference in flags if reference.startswith(prefix)}))}


def _naming(change: Change, subject: str) -> list[FlagDefinition]:
    if is_review(subject):
        references = reviewed_flags(subject, change.accepted, change.after)
    else:
        references = reached([subject], change.accepted, change.after)
    found = [state.definition(reference) for reference in references for state in (change.accepted, change.after)]
    return [definition for definition in found if definition is not None]


def _environment_lists(state: State) -> dict[str, dict[str, Any]]:
    """Give the environments as the policies among some documents list them."""
    found: dict[str, dict[str, Any]] = {}
    for document in state.policies.values():
        if document.kind == "EnvironmentList" and isinstance(document.spec, dict):
            found |= cast("dict[str, dict[str, Any]]", document.spec["environments"])
    return found
