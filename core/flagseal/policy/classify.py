"""Class and tier of a change in one environment, over every flag that it reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.model.document import NAMESPACED_KINDS, split_subject
from flagseal.policy.flag_change import FlagChange, flag_change
from flagseal.policy.severity import highest, strictest
from flagseal.policy.state import State, changed_subjects, flag_reference, flag_subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flagseal.model.document import Document
    from flagseal.model.flag import RiskTier
    from flagseal.model.policies import ChangeClass


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """What a change does in one environment.

    Attributes:
        environment: Which one.
        change_class: The strictest over all flags.
        tiers: Each tier of a flag, before or after.
        owners: Every team that owns one of the flags, or a binding that changes what they serve; sorted.
        flags: What changes for each flag, sorted by flag.
        why: What makes the class so: ``namespace/name: reason``.
    """

    environment: str
    change_class: ChangeClass
    tiers: frozenset[RiskTier]
    owners: tuple[str, ...]
    flags: tuple[FlagChange, ...]
    why: tuple[str, ...]

    @property
    def tier(self) -> RiskTier:
        """The highest tier."""
        return highest(self.tiers)


def classify(
    before: Mapping[str, Document],
    after: Mapping[str, Document],
    environment: str,
    *,
    subjects: Iterable[str] | None = None,
) -> ChangeReport | None:
    """Class a change in one environment; None if nothing there changes.

    Args:
        before: All governed documents by subject (a :class:`~flagseal.policy.state.State`, best).
        after: The same, changed.
        environment: The environment's name.
        subjects: Look only at flags that these reach; by default whatever differs.

    Raises:
        CompileError: A flag that the change reaches has no meaning afterwards.
    """
    old, new = State.of(before), State.of(after)
    chosen = changed_subjects(old, new) if subjects is None else tuple(subjects)
    found = (flag_change(reference, old, new, environment) for reference in sorted(reached(chosen, old, new)))
    return report(environment, [change for change in found if change is not None])


def reached(subjects: Iterable[str], before: State, after: State, *others: State) -> frozenset[str]:
    """Name every flag (``namespace/name``) that changed documents reach, before or after, changed flags included.

    What reaches a document only afterwards does so through a flag that changed, or through a grant of a binding that
    changed; so the index of the state before suffices, and that of the state after need not be made.

    Args:
        subjects: Everything that differs between before and after; policies and reviews among it are passed over.
        before: Before.
        after: After.
        others: Further states in which they may reach flags.
    """
    chosen = [subject for subject in subjects if split_subject(subject)[0] in NAMESPACED_KINDS]
    found = {flag_reference(subject) for subject in chosen if split_subject(subject)[0] == "FlagDefinition"}
    for subject in chosen:
        if split_subject(subject)[0] == "EntitlementBinding":
            binding = after.catalogue.bindings.get(flag_reference(subject))
            found.update(grant.flag for grant in (binding.grants if binding is not None else ()))
    for seed in (*chosen, *(flag_subject(reference) for reference in found)):
        found |= before.dependents(seed)
    for state in others:
        found = found.union(*(state.dependents(subject) for subject in chosen))
    return frozenset(found)


def report(environment: str, changes: Iterable[FlagChange]) -> ChangeReport | None:
    """Sum up what changes for flags in one environment."""
    flags = tuple(sorted(changes, key=lambda change: change.flag))
    if not flags:
        return None
    strict = strictest(change.change_class for change in flags)
    reasons = [f"{change.flag}: {reason}" for change in flags if change.change_class == strict for reason in change.why]
    return ChangeReport(
        environment=environment,
        change_class=strict,
        tiers=frozenset().union(*(change.tiers for change in flags)),
        owners=tuple(sorted({owner for change in flags for owner in change.owners})),
        flags=flags,
        why=tuple(dict.fromkeys(reasons)),
    )
