"""Flags of any origin in one form: what each importer makes of its files, and what the one writer reads.

Conditions are the model's own (segments named as the origin names them). What a rule of ours cannot say is said here
once: a :class:`Gate` lets a share of people in and the rest on to the next step, as a chain of rollouts does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd, lcm
from typing import TYPE_CHECKING, Final, Literal

from flagseal.evaluation.bucketing import LARGEST_SUM
from flagseal.model.condition import ALWAYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flagseal.model.canonical import Json
    from flagseal.model.condition import Condition
    from flagseal.model.flag import Ramp, Serve, Split

ANYWHERE: Final = ""
"""The environment of what its origin says for all of them."""

TARGETING_KEY: Final = ("targetingKey",)

Kind = Literal["note", "rebucketed", "differs", "lost"]


@dataclass(frozen=True, slots=True)
class Remark:
    """Say something of what became of a flag.

    Attributes:
        kind: ``note``: nothing changes; ``rebucketed``: shares are kept, and people change places; ``differs``: some
            contexts are answered otherwise; ``lost``: it has no form here.
        place: JSONPath in the file.
        reason: As a sentence without its end.
        environment: The origin's environment that it is about; :data:`ANYWHERE` for all.
    """

    kind: Kind
    place: str
    reason: str
    environment: str = ANYWHERE

    def text(self) -> str:
        """Write it on one line."""
        return f"{self.place}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Gate:
    """Let a share of people in; the rest, and whoever has no key, goes on to the next step.

    Attributes:
        percent: The share, in points of 100.
        by: Path of the attribute that is hashed.
        salt: What is hashed before it.
    """

    percent: Fraction
    by: tuple[str, ...]
    salt: str


@dataclass(frozen=True, slots=True)
class Step:
    """One choice; the first that applies is made.

    Attributes:
        name: For people; made unique by the writer.
        when: Whom it is for.
        outcome: What they get; a split whose ``by`` is None goes by the targeting key.
        gate: Whom of them it lets in; None is everyone.
        since: Unix seconds from which it counts; None is always.
        until: Unix seconds up to which it counts, exclusive; None is for ever.
    """

    name: str
    when: Condition
    outcome: Serve | Split | Ramp
    gate: Gate | None = None
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """Ask that another flag of the origin serve a variant.

    Attributes:
        key: The other flag's.
        variant: By the name that it has here.
        place: JSONPath in the file.
    """

    key: str
    variant: str
    place: str


@dataclass(frozen=True, slots=True)
class Section:
    """What one environment of the origin serves.

    Attributes:
        default: The variant served where no step applies.
        off: Serve the safe variant to everyone.
        requires: Otherwise the safe variant is served.
        targets: Single targeting keys by variant; before every step.
        steps: In order.
    """

    default: str
    off: bool = False
    requires: tuple[Prerequisite, ...] = ()
    targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class NeutralFlag:
    """One flag of another system.

    Attributes:
        key: What applications ask for.
        place: JSONPath in the file.
        variants: Values by name, all of one JSON type.
        safe: The variant that the origin itself falls back to; None if there is none.
        sections: By environment of the origin.
        description: What it says of itself; empty if nothing.
        remarks: What is not kept as it was.
    """

    key: str
    place: str
    variants: Mapping[str, Json] = field(default_factory=dict)
    safe: str | None = None
    sections: Mapping[str, Section] = field(default_factory=dict)
    description: str = ""
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class NeutralSegment:
    """A named condition of another system; it names no other.

    Attributes:
        key: As flags name it.
        name: For people.
        when: Whom it holds.
        place: JSONPath in the file.
    """

    key: str
    name: str
    when: Condition
    place: str


@dataclass(frozen=True, slots=True)
class NeutralSource:
    """Everything that was read.

    Attributes:
        product: Where it comes from, as people call it.
        file: As the person named it.
        flags: In the order of the file.
        segments: By key.
        origin: What an evaluator of the origin takes, for comparison.
        namespace: Of the origin, where it has such; None otherwise.
        passed_over: What else the file held, in words.
    """

    product: str
    file: str
    flags: tuple[NeutralFlag, ...]
    segments: Mapping[str, NeutralSegment]
    origin: Json = None
    namespace: str | None = None
    passed_over: tuple[str, ...] = ()

    @property
    def environments(self) -> tuple[str, ...]:
        """Name every environment of the origin, sorted."""
        return tuple(sorted({name for flag in self.flags for name in flag.sections if name != ANYWHERE}))


def always(name: str, outcome: Serve | Split | Ramp, gate: Gate | None = None) -> Step:
    """Make a step for everyone who is left."""
    return Step(name, ALWAYS, outcome, gate)


def whole_weights(arms: Iterable[tuple[str, Fraction]]) -> tuple[tuple[str, int], ...]:
    """Write shares as the smallest whole weights: a variant that occurs twice is one arm, one without a share none."""
    shares: dict[str, Fraction] = {}
    for variant, share in arms:
        if share > 0:
            shares[variant] = shares.get(variant, Fraction(0)) + share
    if not shares:
        return ()
    scale = lcm(*(share.denominator for share in shares.values()))
    weights = {variant: int(share * scale) for variant, share in shares.items()}
    if sum(weights.values()) > LARGEST_SUM:
        total = sum(shares.values())
        weights = {variant: max(1, round(share / total * 10**8)) for variant, share in shares.items()}
    divisor = gcd(*weights.values())
    return tuple((variant, weight // divisor) for variant, weight in weights.items())
