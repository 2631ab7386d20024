"""From a definition to what one environment serves, with every reference followed (formats.md, FlagDefinition).

Two decisions that the design leaves open:

*Grants that name a variant* (entitlements.md: limits). A rule that asks `entitled` is preceded, for each variant that
some grant names, by the same rule narrowed to those grants and serving that variant. An organisation with several
grants in force gets the first by the variants' names in code-point order, the safe variant last, and only without any
what the rule itself serves.

*Splits without a key.* Where the attribute that buckets is missing, empty or not a text, the flag's default is served,
not the next rule: that is what the compiled form says to every evaluator.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NoReturn, cast

import msgspec

from flagseal.evaluation.bucketing import LARGEST_SUM
from flagseal.evaluation.catalogue import Catalogue, asks_for_grants, leaves, qualified
from flagseal.evaluation.form import check_attribute, check_constraint, check_targeting
from flagseal.evaluation.resolved import (
    Granted,
    ResolvedFlag,
    ResolvedRule,
    ResolvedSplit,
    Served,
    Window,
)
from flagseal.model.condition import ALWAYS, AllOf, AnyOf, Entitled, Negation, SegmentRef, Test
from flagseal.model.document import subject_of
from flagseal.model.errors import CompileError
from flagseal.model.flag import Ramp, Serve, Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from flagseal.evaluation.resolved import ResolvedCondition
    from flagseal.model.canonical import Json
    from flagseal.model.condition import Condition
    from flagseal.model.flag import EnvironmentSection, FlagDefinition, Grant, Rule

__all__ = ["Catalogue", "resolve_flag"]

MOST_PREREQUISITES: Final = 200
"""Flags that one flag may inline, each counted as often as it is asked for: compiled forms must stay readable."""

DEEPEST_PREREQUISITES: Final = 12

_TARGETING_KEY: Final = ("targetingKey",)
_HUNDRED: Final = 100


def resolve_flag(flag: FlagDefinition, environment: str, catalogue: Catalogue) -> ResolvedFlag:
    """Resolve a flag in an environment.

    Args:
        flag: The definition.
        environment: One that it lists.
        catalogue: Where its references are looked up.

    Raises:
        CompileError: It has no meaning there: the environment is not listed, a reference leads nowhere, prerequisites
            form a cycle, a variant does not exist, an attribute cannot be reached.
    """
    return _Resolver(catalogue, environment).resolve(flag, ())


def ramp_steps(ramp: Ramp) -> Iterator[tuple[int, int]]:
    """Give the first second and the weight (of 100) of each step of a ramp; steps of the same weight are one."""
    last: int | None = None
    span, growth = ramp.end - ramp.start, ramp.end_weight - ramp.start_weight
    for step in range(ramp.steps + 1):
        weight = ramp.start_weight + (2 * step * growth + ramp.steps) // (2 * ramp.steps)
        if weight != last:
            # The first whole second that is not before the step's beginning.
            yield ramp.start - (-(step * span) // ramp.steps), weight
        last = weight


class _Place(msgspec.Struct, frozen=True):
    """Where something stands, for messages."""

    flag: FlagDefinition
    environment: str
    part: str = ""

    def at(self, part: str) -> _Place:
        return _Place(self.flag, self.environment, part)

    def refuse(self, problem: str, *, code: str, remedy: str) -> NoReturn:
        where = f"{self.flag.reference}, {self.environment}{', ' if self.part else ''}{self.part}"
        raise CompileError(f"{where}: {problem}", code=code, remedy=remedy)


class _Resolver(msgspec.Struct, eq=False):
    """Resolve flags in one environment; a prerequisite of several is resolved once."""

    catalogue: Catalogue
    environment: str
    _done: dict[str, tuple[ResolvedFlag, int]] = msgspec.field(default_factory=dict)

    def resolve(self, flag: FlagDefinition, way: tuple[str, ...]) -> ResolvedFlag:
        """Resolve a flag.

        Args:
            flag: The definition.
            way: The flags whose prerequisites led here.
        """
        place = _Place(flag, self.environment)
        section = flag.environments.get(self.environment)
        if section is None:
            place.refuse("the flag is not served in this environment", code="NotServed", remedy="List the environment.")
        self._variant(flag.safe_variant, place.at("safeVariant"))
        self._variant(section.default, place.at("default"))
        resolved = ResolvedFlag(
            namespace=flag.namespace,
            name=flag.name,
            key=flag.key,
            environment=self.environment,
            variants=flag.variants,
            safe_variant=flag.safe_variant,
            default=flag.safe_variant if section.off else section.default,
        )
        if section.off:
            # Nothing else is looked at: a kill switch must work whatever state the rest is in.
            return resolved
        made = _Section(self, place, section, (*way, flag.reference))
        rules, raw = made.rules(), made.raw()
        return replace(resolved, rules=rules, raw=raw, dependencies=tuple(sorted(made.dependencies)))

    def prerequisite(self, reference: str, way: tuple[str, ...], place: _Place) -> tuple[ResolvedFlag, int]:
        """Resolve a prerequisite; also give how many flags it inlines, itself included."""
        if reference in way:
            cycle = " → ".join((*way[way.index(reference) :], reference))
            place.refuse(f"prerequisites form a cycle: {cycle}", code="Cycle", remedy="Remove one of its requirements.")
        if len(way) > DEEPEST_PREREQUISITES:
            place.refuse(
                f"more than {DEEPEST_PREREQUISITES} prerequisites in a row",
                code="TooManyPrerequisites",
                remedy="Require the last of them directly.",
            )
        done = self._done.get(reference)
        if done is None:
            flag = self.catalogue.flags.get(reference)
            if flag is None:
                place.refuse(
                    f"requires {reference}, which does not exist", code="DanglingReference", remedy="Name a flag."
                )
            if self.environment not in flag.environments:
                place.refuse(
                    f"requires {reference}, which this environment does not serve",
                    code="DanglingReference",
                    remedy=f"List {self.environment} in {reference}, or drop the requirement here.",
                )
            resolved = self.resolve(flag, way)
            done = (
                resolved,
                1
                + sum(
                    self._done[f"{it.namespace}/{it.name}"][1] for it in _served(rule.when for rule in resolved.rules)
                ),
            )
            self._done[reference] = done
        return done

    @staticmethod
    def _variant(variant: str, place: _Place) -> None:
        if variant not in place.flag.variants:
            known = ", ".join(sorted(place.flag.variants))
            place.refuse(f"no variant {variant!r}", code="UnknownVariant", remedy=f"Name one of {known}.")

    variant = _variant


def _served(conditions: Iterable[ResolvedCondition]) -> Iterator[ResolvedFlag]:
    """Find the prerequisites among the conditions of rules; only the rules that are made for them have any."""
    for condition in conditions:
        if isinstance(condition, Negation) and isinstance(condition.part, Served):
            yield condition.part.flag


class _Section:
    """Resolve what one environment's section says."""

    def __init__(self, resolver: _Resolver, place: _Place, section: EnvironmentSection, way: tuple[str, ...]) -> None:
        self._resolver = resolver
        self._place = place
        self._flag = place.flag
        self._section = section
        self._way = way
        self._grants = [
            (binding, grant)
            for binding, grant in resolver.catalogue.grants(place.flag.reference)
            if grant.since < grant.until
        ]
        self.dependencies: set[str] = set()

    def rules(self) -> tuple[ResolvedRule, ...]:
        """Give prerequisites, targets and rules as rules."""
        return (*self._prerequisites(), *self._targets(), *self._rules())

    def raw(self) -> Json:
        """Give the raw targeting, if there is any."""
        raw = self._section.targeting
        if not raw:
            return None
        place = self._place.at("targeting")
        if self._section.rules:
            place.refuse("targeting and rules exclude each other", code="Contradiction", remedy="Keep one of them.")
        problem = check_targeting(raw)
        if problem is not None:
            place.refuse(problem, code="MalformedTargeting", remedy="Write JSONLogic that flagd's schema accepts.")
        return raw

    # Prerequisites and targets

    def _prerequisites(self) -> Iterator[ResolvedRule]:
        inlined = 0
        for requirement in self._section.requires:
            reference = qualified(requirement.flag, self._flag.namespace)
            place = self._place.at(f"requires {reference}")
            flag, weight = self._resolver.prerequisite(reference, self._way, place)
            inlined += weight
            if inlined > MOST_PREREQUISITES:
                place.refuse(
                    f"more than {MOST_PREREQUISITES} prerequisites, those of prerequisites included",
                    code="TooManyPrerequisites",
                    remedy="Require fewer flags.",
                )
            if requirement.variant not in flag.variants:
                place.refuse(
                    f"{reference} has no variant {requirement.variant!r}",
                    code="UnknownVariant",
                    remedy=f"Name one of {', '.join(sorted(flag.variants))}.",
                )
            self.dependencies |= {subject_of("FlagDefinition", flag.namespace, flag.name), *flag.dependencies}
            name = f"requires {reference} to serve {requirement.variant}"
            yield ResolvedRule(name, Negation(Served(flag, requirement.variant)), Serve(self._flag.safe_variant))  # type: ignore[arg-type]

    def _targets(self) -> Iterator[ResolvedRule]:
        owners: dict[str, str] = {}
        for variant, keys in sorted(self._section.targets):
            place = self._place.at(f"targets of {variant}")
            self._resolver.variant(variant, place)
            for key in keys:
                if owners.setdefault(key, variant) != variant:
                    place.refuse(
                        f"{key!r} is a target of {owners[key]} too", code="Contradiction", remedy="Keep it in one list."
                    )
            members = tuple(sorted(set(keys)))
            if members:
                yield ResolvedRule(f"targets of {variant}", Test(_TARGETING_KEY, "in", members), Serve(variant))

    # Rules

    def _rules(self) -> Iterator[ResolvedRule]:
        for rule in self._section.rules:
            place = self._place.at(f"rule {rule.name!r}")
            window = () if rule.since is None and rule.until is None else (Window(rule.since, rule.until),)
            when = () if rule.when is None else (self._condition(rule.when, place),)
            if self._asks_for_grants(rule.when):
                begun = (Window(rule.outcome.start, None),) if isinstance(rule.outcome, Ramp) else ()
                for variant, granted in self._limits(place):
                    yield ResolvedRule(rule.name, _all(*window, *begun, *when, granted), Serve(variant))
            for during, outcome in self._outcomes(rule, place):
                yield ResolvedRule(rule.name, _all(*window, *during, *when), outcome)

    def _outcomes(self, rule: Rule, place: _Place) -> Iterator[tuple[tuple[Window, ...], Serve | ResolvedSplit]]:
        match rule.outcome:
            case Serve(variant=variant):
                self._resolver.variant(variant, place)
                yield (), rule.outcome
            case Split(arms=arms):
                yield (), self._split(arms, rule.outcome, place)
            case Ramp() as ramp:
                yield from self._ramp(ramp, place)

    def _ramp(self, ramp: Ramp, place: _Place) -> Iterator[tuple[tuple[Window, ...], ResolvedSplit]]:
        weights = (ramp.start_weight, ramp.end_weight)
        if ramp.steps < 1 or ramp.end <= ramp.start or not all(0 <= weight <= _HUNDRED for weight in weights):
            place.refuse("the ramp is no schedule", code="Contradiction", remedy="Let it start, then end, in steps.")
        steps = list(ramp_steps(ramp))
        ends = [since for since, _ in steps[1:]]
        for (since, weight), until in zip(steps, [*ends, None], strict=True):
            if until is not None and since >= until:
                continue  # several steps within one second
            arms = tuple(arm for arm in ((ramp.variant, weight), (self._flag.safe_variant, 100 - weight)) if arm[1])
            yield (Window(since, until),), self._split(arms, ramp, place)

    def _split(self, arms: Sequence[tuple[str, int]], outcome: Split | Ramp, place: _Place) -> ResolvedSplit:
        for variant, weight in arms:
            self._resolver.variant(variant, place)
            if weight < 1:
                place.refuse(f"{variant} has no weight", code="Contradiction", remedy="Give it one, or leave it out.")
        if not 0 < sum(weight for _, weight in arms) <= LARGEST_SUM:
            place.refuse(
                f"the weights' sum is not between 1 and {LARGEST_SUM}", code="Contradiction", remedy="Scale them down."
            )
        by = outcome.by if outcome.by is not None else _TARGETING_KEY
        self._attribute(by, place)
        return ResolvedSplit(tuple(arms), by, self._flag.key if outcome.salt is None else outcome.salt)

    # Conditions

    def _condition(self, condition: Condition, place: _Place) -> ResolvedCondition:
        match condition:
            case Test(path=path, predicate=predicate, operand=operand):
                self._attribute(path, place)
                problem = check_constraint(operand) if predicate == "semver" else None
                if problem is not None:
                    place.refuse(problem, code="MalformedCondition", remedy='Write a constraint like ">=1.2.0".')
                return condition
            case AllOf(parts=parts):
                return AllOf(self._conditions(parts, place))
            case AnyOf(parts=parts):
                return AnyOf(self._conditions(parts, place))
            case Negation(part=part):
                return Negation(*self._conditions((part,), place))
            case SegmentRef(name=name):
                return self._condition(self._segment(name, place), place.at(f"{place.part}, segment {name}"))
            case Entitled():
                self._depend_on_grants()
                return _granted(grant for _, grant in self._grants)

    def _conditions(self, parts: Iterable[Condition], place: _Place) -> tuple[Condition, ...]:
        return tuple(cast("Condition", self._condition(part, place)) for part in parts)

    def _segment(self, name: str, place: _Place) -> Condition:
        segment = self._resolver.catalogue.segments.get(f"{self._flag.namespace}/{name}")
        if segment is None:
            place.refuse(
                f"no segment {name!r} in namespace {self._flag.namespace}",
                code="DanglingReference",
                remedy="Name a segment of the same namespace.",
            )
        if any(isinstance(part, SegmentRef) for part in leaves(segment.when)):
            place.refuse(f"segment {name!r} names a segment", code="Cycle", remedy="Write its condition out.")
        self.dependencies.add(subject_of("Segment", self._flag.namespace, name))
        return segment.when

    def _attribute(self, path: Sequence[str], place: _Place) -> None:
        problem = check_attribute(path)
        if problem is not None:
            place.refuse(problem[0], code="UnreachableAttribute", remedy=problem[1])

    # Entitlements

    def _asks_for_grants(self, condition: Condition | None) -> bool:
        segments = self._resolver.catalogue.segments
        names = [f"{self._flag.namespace}/{leaf.name}" for leaf in leaves(condition) if isinstance(leaf, SegmentRef)]
        conditions = [*leaves(condition), *(segments[name].when for name in names if name in segments)]
        return any(map(asks_for_grants, conditions))

    def _depend_on_grants(self) -> None:
        self.dependencies |= {subject_of("EntitlementBinding", *binding.split("/")) for binding, _ in self._grants}

    def _limits(self, place: _Place) -> Iterator[tuple[str, Granted]]:
        """Give the grants that name a variant, by variant."""
        by_variant: dict[str, list[Grant]] = {}
        for binding, grant in self._grants:
            if grant.variant is not None:
                self._resolver.variant(grant.variant, place.at(f"grant of {binding}"))
                by_variant.setdefault(grant.variant, []).append(grant)
        for variant in sorted(by_variant, key=lambda name: (name == self._flag.safe_variant, name)):
            yield variant, _granted(by_variant[variant])


def _all(*parts: ResolvedCondition) -> ResolvedCondition:
    flat: list[ResolvedCondition] = []
    for part in parts:
        flat += part.parts if isinstance(part, AllOf) else (part,)  # type: ignore[arg-type]
    return flat[0] if len(flat) == 1 else AllOf(tuple(flat)) if flat else ALWAYS  # type: ignore[arg-type]


def _granted(grants: Iterable[Grant]) -> Granted:
    tables: dict[tuple[int, int], set[str]] = {}
    for grant in grants:
        tables.setdefault((grant.since, grant.until), set()).add(grant.org)
    return Granted(tuple((since, until, tuple(sorted(orgs))) for (since, until), orgs in sorted(tables.items())))
