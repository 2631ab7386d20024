"""What an environment of a flag tries, one after the other."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import msgspec

from flagseal.evaluation.catalogue import Catalogue, flag_of
from flagseal.evaluation.resolve import resolve_flag
from flagseal.evaluation.resolved import Window
from flagseal.model.condition import ALWAYS, AllOf, Test
from flagseal.model.errors import CompileError
from flagseal.model.flag import Ramp
from flagseal.model.jsonpath import child
from flagseal_validators.reasoning.parts import MOST_PARTS, Part, Segments, lower, size

if TYPE_CHECKING:
    from flagseal.evaluation.resolved import ResolvedCondition, ResolvedFlag
    from flagseal.model.document import Document
    from flagseal.model.flag import EnvironmentSection, FlagDefinition, Rule

MOST_CLAUSES = 200
"""Rules of an environment that are reasoned about; those behind are not."""


class Clause(msgspec.Struct, frozen=True):
    """Targets of a variant, or a rule.

    Attributes:
        name: The rule's; None for targets.
        path: JSONPath of it.
        part: Its condition; None for everyone.
        condition: The same as a value.
        window: When it counts, schedule included; None for always.
        rule: The rule as declared; None for targets.
    """

    name: str | None
    path: str
    part: Part | None
    condition: ResolvedCondition
    window: Window | None
    rule: Rule | None

    @property
    def when(self) -> ResolvedCondition:
        """For whom and when it decides."""
        return self.condition if self.window is None else AllOf((self.window, self.condition))  # type: ignore[arg-type]

    def narrowed(self, condition: ResolvedCondition) -> ResolvedCondition:
        """Give for whom it would decide if its condition were another."""
        return condition if self.window is None else AllOf((self.window, condition))  # type: ignore[arg-type]


class Section(msgspec.Struct, frozen=True, dict=True):
    """What one environment tries, whether it is switched off or not.

    Attributes:
        environment: Its name.
        path: JSONPath of it.
        clauses: In order.
        default: The variant served where none matches.
    """

    environment: str
    path: str
    clauses: tuple[Clause, ...]
    default: str
    flag: FlagDefinition

    @property
    def is_whole(self) -> bool:
        """Whether every rule there is is reasoned about."""
        rules = self.flag.environments[self.environment].rules
        return sum(clause.rule is not None for clause in self.clauses) == len(rules)

    @cached_property
    def resolved(self) -> ResolvedFlag | None:
        """The flag as it is evaluated here, schedules written out; None where it has no meaning."""
        rules = tuple(
            msgspec.structs.replace(clause.rule, when=None if clause.part is None else clause.part.condition)
            for clause in self.clauses
            if clause.rule is not None
        )
        section = msgspec.structs.replace(self.flag.environments[self.environment], off=False, requires=(), rules=rules)
        flag = msgspec.structs.replace(self.flag, environments={self.environment: section})
        try:
            return resolve_flag(flag, self.environment, Catalogue.of(()))
        except CompileError:
            return None


def sections_of(document: Document, catalogue: Catalogue) -> tuple[Section, ...]:
    """Read every environment of a flag that has rules or targets."""
    flag = flag_of(document)
    segments = Segments(catalogue, flag.namespace)
    written = cast("dict[str, Any]", document.spec)["environments"]
    return tuple(
        Section(name, path, _clauses(section, written[name], path, segments), section.default, flag)
        for name, section in flag.environments.items()
        if section.rules or section.targets
        for path in [child("$.spec.environments", name)]
    )


def _clauses(section: EnvironmentSection, written: dict[str, Any], path: str, segments: Segments) -> tuple[Clause, ...]:
    clauses = [
        Clause(
            None, f"{path}.targets.{variant}", None, Test(("targetingKey",), "in", tuple(sorted(set(keys)))), None, None
        )
        for variant, keys in section.targets
    ]
    parts = 0
    for index, (rule, text) in enumerate(zip(section.rules[:MOST_CLAUSES], written.get("rules", ()), strict=False)):
        place = f"{path}.rules[{index}]"
        part = lower(text["when"], f"{place}.when", segments) if "when" in text else None
        parts += 0 if part is None else size(part.condition)
        if parts > MOST_PARTS:
            break
        condition = ALWAYS if part is None else part.condition
        clauses.append(Clause(rule.name, place, part, condition, _window(rule), rule))  # type: ignore[arg-type]
    return tuple(clauses)


def _window(rule: Rule) -> Window | None:
    since = rule.since
    if isinstance(rule.outcome, Ramp):
        since = rule.outcome.start if since is None else max(since, rule.outcome.start)
    return None if since is None and rule.until is None else Window(since, rule.until)
