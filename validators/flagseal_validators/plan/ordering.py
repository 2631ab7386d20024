"""What to read first: the dangerous before the harmless, and what is the same said once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flagseal.model.flag import RISK_TIERS
from flagseal.model.policies import CHANGE_CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagseal_validators.plan.values import EnvironmentPlan, FlagEffect, Plan, Promotion


@dataclass(frozen=True, slots=True)
class Alike:
    """Flags of one environment of which exactly the same is to be said.

    Attributes:
        environment: Where.
        flags: Sorted; at least one.
        contexts: Recorded contexts that any of them serves something else; None without a recording.
    """

    environment: str
    flags: tuple[FlagEffect, ...]
    contexts: int | None = None

    @property
    def first(self) -> FlagEffect:
        """One of them, for all."""
        return self.flags[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(flag.flag for flag in self.flags)

    @property
    def idle(self) -> bool:
        """Whether nothing that is served changes."""
        return not self.first.changes and not self.first.rebucketed


def environments(plan: Plan) -> tuple[EnvironmentPlan, ...]:
    """Give the environments of a plan, the most dangerous first."""
    decided = plan.decision.environments if plan.decision is not None else {}

    def danger(entry: EnvironmentPlan) -> tuple[int, int, int, str]:
        found = decided[entry.environment]
        return (
            -int(entry.production),
            -CHANGE_CLASSES.index(found.change_class),
            -RISK_TIERS.index(found.tier),
            entry.environment,
        )

    return tuple(sorted(plan.environments, key=danger))


def alike(environment: EnvironmentPlan) -> tuple[Alike, ...]:
    """Put the flags together of which the same is to be said, the most dangerous first."""
    found: dict[object, list[FlagEffect]] = {}
    for flag in environment.flags:
        idle = not flag.changes and not flag.rebucketed
        why = flag.why if idle else ()
        said = (flag.change_class, flag.tier, flag.before, flag.changes, flag.because, flag.rebucketed, why)
        found.setdefault(said, []).append(flag)
    moved = {flag.flag: flag.changed for flag in environment.replay.flags} if environment.replay is not None else None
    groups = (
        Alike(
            environment.environment,
            tuple(flags),
            max((moved.get(flag.flag, 0) for flag in flags), default=0) if moved is not None else None,
        )
        for flags in found.values()
    )
    return tuple(sorted(groups, key=_danger))


def _danger(group: Alike) -> tuple[int, int, int, int, int, str]:
    flag = group.first
    return (
        -CHANGE_CLASSES.index(flag.change_class),
        -RISK_TIERS.index(flag.tier),
        -len(flag.rebucketed),
        -(group.contexts or 0),
        -len(group.flags),
        flag.flag,
    )


def alike_promotions(plan: Plan) -> tuple[tuple[Promotion, tuple[str, ...]], ...]:
    """Put the promotions together that differ in nothing but the flag; the most dangerous first."""
    found: dict[object, tuple[Promotion, list[str]]] = {}
    for promotion in plan.promotions:
        said = replace(promotion, flag="")
        found.setdefault(said, (promotion, []))[1].append(promotion.flag)
    return tuple(
        (promotion, tuple(flags))
        for promotion, flags in sorted(
            found.values(),
            key=lambda entry: (
                -CHANGE_CLASSES.index(entry[0].change_class),
                -RISK_TIERS.index(entry[0].tier),
                entry[0].flag,
            ),
        )
    )


def reasons(environment: EnvironmentPlan, why: Iterable[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Give what makes the class of an environment so: each reason with the flags of which it is true.

    Args:
        environment: What changes there.
        why: The decision's reasons; those that speak of no flag come last, with none.
    """
    found: dict[str, list[str]] = {}
    said: set[str] = set()
    for flag in environment.flags:
        for reason in flag.why:
            found.setdefault(reason, []).append(flag.flag)
            said.add(f"{flag.flag}: {reason}")
    rest = [(reason, ()) for reason in why if reason not in said]
    return (*((reason, tuple(flags)) for reason, flags in found.items()), *rest)


def counted(number: int, word: str) -> str:
    """Say how many: ``1 flag``, ``200 flags``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def listed(names: Iterable[str], most: int) -> str:
    """List a few names, and count the rest."""
    found = list(names)
    shown = ", ".join(found[:most])
    return f"{shown} and {len(found) - most:,} more" if len(found) > most else shown
