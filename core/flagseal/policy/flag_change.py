"""The class of a change of one flag in one environment (formats.md, Class and tier of a change)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.model.errors import CompileError
from flagseal.policy.content import class_of_content
from flagseal.policy.governance import binding_parts, content_key, flag_governance, reference_governance
from flagseal.policy.severity import strictest
from flagseal.policy.state import flag_subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.evaluation.resolved import ResolvedFlag
    from flagseal.model.flag import EnvironmentSection, FlagDefinition, RiskTier
    from flagseal.model.policies import ChangeClass
    from flagseal.policy.state import State

    Reason = tuple[ChangeClass, str]


@dataclass(frozen=True, slots=True)
class FlagChange:
    """What a change does to one flag in one environment.

    Attributes:
        flag: ``namespace/name``.
        change_class: The strictest of everything found.
        served_class: The same of what contexts are served alone; None if nobody is served anything else, or more.
        tiers: The flag's tier before and after.
        owners: Teams that own the flag, or a binding that changes what it serves, before or after.
        why: What makes the class so, as short sentences.
        causes: Subjects that changed and that the flag depends on, its own among them.
        before: As resolved before; None if it was not served there, or had no meaning.
        after: As resolved after; None if it is not served there.
    """

    flag: str
    change_class: ChangeClass
    served_class: ChangeClass | None
    tiers: frozenset[RiskTier]
    owners: frozenset[str]
    why: tuple[str, ...]
    causes: frozenset[str]
    before: ResolvedFlag | None
    after: ResolvedFlag | None


@dataclass(frozen=True, slots=True)
class _Sides:
    """One flag, before and after."""

    reference: str
    environment: str
    before: State
    after: State
    old: FlagDefinition | None
    new: FlagDefinition | None
    resolved_old: ResolvedFlag | None
    resolved_new: ResolvedFlag | None

    @property
    def own(self) -> str:
        return flag_subject(self.reference)

    def sections(self) -> tuple[EnvironmentSection | None, EnvironmentSection | None]:
        """What the environment says of the flag, before and after."""
        old, new = (
            definition.environments.get(self.environment) if definition is not None else None
            for definition in (self.old, self.new)
        )
        return old, new

    def subjects(self) -> frozenset[str]:
        """The flag's own document and those it is resolved from, before or after."""
        resolved = [flag for flag in (self.resolved_old, self.resolved_new) if flag is not None]
        return frozenset({self.own}).union(*(flag.dependencies for flag in resolved))


def flag_change(reference: str, before: State, after: State, environment: str) -> FlagChange | None:
    """Class what changes for one flag in one environment; None if nothing does.

    A flag that no environment lists, before or after, is looked at as if each did: somebody has to approve it.

    Raises:
        CompileError: The flag has no meaning afterwards.
    """
    old, new = before.definition(reference), after.definition(reference)
    if not _concerned(old, new, environment):
        return None
    resolved_new = after.resolve(reference, environment)
    try:
        resolved_old = before.resolve(reference, environment)
    except CompileError:
        resolved_old = None
    sides = _Sides(reference, environment, before, after, old, new, resolved_old, resolved_new)
    causes = frozenset(subject for subject in sides.subjects() if _differs(subject, before, after))
    served = [*_served(sides, causes)]
    reasons = [*_governance(sides, causes), *served]
    if not reasons:
        return None
    change_class = strictest(found for found, _ in reasons)
    definitions = [definition for definition in (old, new) if definition is not None]
    return FlagChange(
        flag=reference,
        change_class=change_class,
        served_class=strictest(found for found, _ in served) if served else None,
        tiers=frozenset(definition.risk_tier for definition in definitions),
        owners=frozenset(definition.owner for definition in definitions) | _binding_owners(causes, before, after),
        why=tuple(dict.fromkeys(sentence for found, sentence in reasons if found == change_class)),
        causes=causes,
        before=resolved_old,
        after=resolved_new,
    )


def _concerned(old: FlagDefinition | None, new: FlagDefinition | None, environment: str) -> bool:
    listed = {name for definition in (old, new) if definition is not None for name in definition.environments}
    return environment in listed or (not listed and (old is not None or new is not None))


def _differs(subject: str, before: State, after: State) -> bool:
    """Tell whether a document is another, or there on one side only; a tombstone counts as not there."""
    old, new = before.live(subject), after.live(subject)
    if old is None or new is None:
        return old is not new
    return old is not new and old.digest != new.digest


def _governance(sides: _Sides, causes: frozenset[str]) -> Iterator[Reason]:
    for subject in sorted(causes):
        old, new = sides.before.live(subject), sides.after.live(subject)
        if subject != sides.own:
            yield from reference_governance(old, new)
        elif old is not None and new is not None:
            yield from flag_governance(old, new)
    before, after = sides.sections()
    if before is not None and after is not None and sides.old is not None:
        namespace = sides.old.namespace
        if _prerequisites(namespace, before) != _prerequisites(namespace, after):
            # One more can only move people to the safe variant, and still formats.md has every change of them widen.
            yield "widen", "prerequisites changed"


def _served(sides: _Sides, causes: frozenset[str]) -> Iterator[Reason]:
    """Class what changes in what contexts are served."""
    before, after = sides.sections()
    changed = sorted(subject for subject in causes if _content_differs(subject, sides))
    match sides:
        case _Sides(old=None):
            yield "widen", "the flag is new"
        case _Sides(new=None):
            yield "widen", "the flag is removed: applications get their own default"
        case _ if before is None and after is None:
            if changed:
                yield "widen", "what it can serve changed, though no environment serves it"
        case _ if before is None:
            yield "widen", f"{sides.environment} begins to serve it"
        case _ if after is None:
            yield "widen", f"{sides.environment} no longer serves it: applications get their own default"
        case _Sides(resolved_old=None):
            yield "widen", "it had no meaning before"
        case _Sides(resolved_old=old, resolved_new=new) if changed and old is not None and new is not None:
            found, why = class_of_content(old, new)
            others = [subject for subject in changed if subject != sides.own]
            because = f" (because {' and '.join(others)} changed)" if others else ""
            yield from ((found, sentence + because) for sentence in why)


def _content_differs(subject: str, sides: _Sides) -> bool:
    return content_key(sides.before.live(subject), sides.environment) != content_key(
        sides.after.live(subject), sides.environment
    )


def _prerequisites(namespace: str, section: EnvironmentSection) -> frozenset[tuple[str, str]]:
    return frozenset(
        (required.flag if "/" in required.flag else f"{namespace}/{required.flag}", required.variant)
        for required in section.requires
    )


def _binding_owners(causes: frozenset[str], before: State, after: State) -> frozenset[str]:
    documents = [state.live(subject) for subject in causes for state in (before, after)]
    return frozenset(
        part["owner"]
        for document in documents
        if document is not None and document.kind == "EntitlementBinding" and isinstance(document.spec, dict)
        for part in binding_parts(document.spec)
    )
