"""Unleash: the exports of its admin API, old and new, and what its clients fetch.

A toggle is on for whom some strategy lets in; a strategy may have variants of its own. Here that is a flag with one
step for each strategy, whose safe variant is ``disabled``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from flagseal.model.condition import AllOf, Test
from flagseal.model.flag import Serve, Split
from flagseal_validators.exchange.files import read_body, refuse
from flagseal_validators.exchange.neutral import (
    ANYWHERE,
    NeutralFlag,
    NeutralSegment,
    NeutralSource,
    Prerequisite,
    Remark,
    Section,
    Step,
    whole_weights,
)
from flagseal_validators.exchange.node import Misread, Node, NoForm
from flagseal_validators.exchange.unleash.constraints import attribute
from flagseal_validators.exchange.unleash.states import State, Toggle, read_state
from flagseal_validators.exchange.unleash.strategies import HASH, Admission, Strategies
from flagseal_validators.exchange.unleash.variants import DISABLED, ENABLED, Variants, read_variants

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagseal.model.canonical import Json
    from flagseal.model.condition import Condition
    from flagseal_validators.exchange.neutral import Kind
    from flagseal_validators.exchange.unleash.states import Strategy, ToggleEnvironment

PRODUCT: Final = "Unleash"

REMEDY: Final = "Name an export of Unleash (/api/admin/features-batch/export, /api/admin/export, /api/client/features)."


def read_unleash(data: bytes, *, file: str) -> NeutralSource:
    """Read an export of Unleash.

    Args:
        data: The file.
        file: What errors call it.

    Raises:
        UsageError: ``NotImportable``: it is none.
        InvalidDocuments: It is YAML that parsers read differently.
    """
    body = read_body(data, file=file, remedy=REMEDY)
    try:
        state = read_state(Node(body))
    except Misread as error:
        refuse(file, str(error), REMEDY)
    reader = _Reader(state)
    flags = tuple(reader.flag(toggle) for toggle in state.toggles)
    values: dict[str, Json] = {flag.key: reader.values(flag) for flag in flags}
    return NeutralSource(
        PRODUCT, file, flags, reader.segments, origin={"states": dict(state.client_states()), "values": values}
    )


@dataclass
class _Reader:
    state: State
    segments: dict[str, NeutralSegment] = field(default_factory=dict)
    variants: dict[str, Variants] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._noted: dict[str, list[Remark]] = {}
        self._broken: dict[str, Misread] = {}
        for toggle in self.state.toggles:
            noted = self._noted.setdefault(toggle.name, [])

            def remark(kind: Kind, place: str, reason: str, into: list[Remark] = noted) -> None:
                into.append(Remark(kind, place, reason))

            try:
                self.variants[toggle.name] = read_variants(_all_variants(toggle), toggle.node.path, remark)
            except Misread as error:
                self._broken[toggle.name] = error

    def values(self, flag: NeutralFlag) -> dict[str, Json]:
        """Give the value of each variant by Unleash's name; none for a flag that is only on or off."""
        variants = self.variants.get(flag.key)
        if variants is None or not variants.several:
            return {}
        found: dict[str, Json] = {name: variants.values[ours] for name, ours in variants.names.items()}
        return {**found, "": variants.values[next(iter(variants.values))]}

    def flag(self, toggle: Toggle) -> NeutralFlag:
        place, key = toggle.node.path, toggle.name
        try:
            if key in self._broken:
                raise self._broken[key]
            if toggle.node.true_at("archived") or toggle.node.get("archivedAt") is not None:
                return NeutralFlag(key, place, remarks=(Remark("lost", place, "it is archived there"),))
            reading = _ToggleReading(self, toggle, self.variants[key])
            sections = {name: reading.section(section, name) for name, section in toggle.environments.items()}
            description = toggle.node.text_at("description")
            if toggle.node.true_at("stale"):
                reading.remark("note", place, "it is stale there: does it have to be imported?")
        except Misread as error:
            return NeutralFlag(key, place, remarks=(Remark("lost", error.place, error.problem),))
        variants = self.variants[key]
        safe = next(iter(variants.values)) if variants.several else DISABLED
        remarks = (*self._noted[key], *reading.remarks)
        return NeutralFlag(key, place, variants.values, safe, sections, description, remarks)


def _all_variants(toggle: Toggle) -> Iterable[Node]:
    for environment in toggle.environments.values():
        yield from environment.variants
        for strategy in environment.strategies:
            yield from strategy.node.listed("variants")


@dataclass
class _ToggleReading:
    reader: _Reader
    toggle: Toggle
    variants: Variants
    remarks: list[Remark] = field(default_factory=list)
    environment: str = ANYWHERE
    off: bool = False

    def remark(self, kind: Kind, place: str, reason: str) -> None:
        self.remarks.append(Remark(kind, place, reason, self.environment))

    def section(self, section: ToggleEnvironment, environment: str) -> Section:
        self.environment, self.off = environment, not section.enabled
        steps: list[Step] = []
        active = [strategy for strategy in section.strategies if not strategy.node.true_at("disabled")]
        if section.strategies and not active:
            self._lost(NoForm(self.toggle.node.path, "all of its strategies are disabled: delete or enable them there"))
        strategies = Strategies(self.toggle.name, self.reader.state.segments, self.remark)
        for number, strategy in enumerate(active, start=1):
            try:
                admission = strategies.admission(strategy.node, strategy.name, strategy.segments)
                steps += self._steps(
                    strategy, admission, section, strategy.node.text_at("title") or f"strategy {number}"
                )
            except NoForm as why:
                self._lost(why)
        if not section.strategies:
            steps += self._steps(None, Admission(AllOf(()), None, None, None), section, "everyone")
        self.reader.segments |= strategies.found
        if not self.variants.several:
            # Whom one lets in, none keeps out: their order does not count, and shares come last.
            steps.sort(key=lambda step: step.gate is not None)
        default = next(iter(self.variants.values)) if self.variants.several else DISABLED
        return Section(default, self.off, () if self.off else self._requires(), steps=tuple(steps))

    def _lost(self, why: NoForm) -> None:
        if self.off:
            self.remark("note", why.place, f"it is off, so nobody notices: {why.reason}")
        else:
            self.remark("lost", why.place, why.reason)

    def _steps(
        self, strategy: Strategy | None, admission: Admission, section: ToggleEnvironment, name: str
    ) -> Iterable[Step]:
        def step(name: str, when: Condition, outcome: Serve | Split) -> Step:
            return Step(name, when, outcome, admission.gate, admission.since, admission.until)

        if not self.variants.several:
            yield step(name, admission.when, Serve(ENABLED))
            return
        own = () if strategy is None else strategy.node.listed("variants")
        listed = own or section.variants
        if not listed:
            # It is enabled, and gives no variant.
            yield step(name, admission.when, Serve(next(iter(self.variants.values))))
            return
        for variant in listed:
            for override in variant.listed("overrides"):
                values = tuple(value.text() for value in override.listed("values"))
                whom = Test(attribute(override.need("contextName").text()), "in", values)
                ours = self.variants.names[variant.need("name").text()]
                yield step(f"{name}: {ours} by name", AllOf((admission.when, whom)), Serve(ours))
        yield step(name, admission.when, self._shared(strategy, listed, self.toggle.node))

    def _shared(self, strategy: Strategy | None, listed: tuple[Node, ...], toggle: Node) -> Serve | Split:
        arms = whole_weights(
            (self.variants.names[one.need("name").text()], Fraction(one.need("weight").number())) for one in listed
        )
        if any(one.need("weight").number() < 0 for one in listed):
            raise Misread(listed[0].path, "a weight is negative")
        if not arms:
            return Serve(next(iter(self.variants.values)))
        if len(arms) == 1:
            return Serve(arms[0][0])
        self.remark("rebucketed", listed[0].path, HASH)
        stickiness = listed[0].text_at("stickiness")
        group = self.toggle.name
        if strategy is not None and strategy.node.listed("variants"):
            parameters = strategy.node.get("parameters")
            stickiness = "default" if parameters is None else parameters.text_at("stickiness", "default")
            group = group if parameters is None else parameters.text_at("groupId", group)
        reader = Strategies(self.toggle.name, {}, self.remark)
        path = reader.stickiness(toggle, stickiness or "default")
        return Split(arms, path, f"{group}:variants")

    def _requires(self) -> tuple[Prerequisite, ...]:
        found: list[Prerequisite] = []
        for one in self.toggle.dependencies:
            key, enabled = one.need("feature").text(), one.true_at("enabled", otherwise=True)
            named = [name.text() for name in one.listed("variants")]
            parent = self.reader.variants.get(key)
            if parent is None:
                found.append(Prerequisite(key, ENABLED, one.path))
            elif not enabled:
                found.append(Prerequisite(key, next(iter(parent.values)) if parent.several else DISABLED, one.path))
            elif not parent.several and not named:
                found.append(Prerequisite(key, ENABLED, one.path))
            elif len(named) == 1 and named[0] in parent.names:
                found.append(Prerequisite(key, parent.names[named[0]], one.path))
            else:
                self._lost(NoForm(one.path, f"it asks for any of several variants of {key!r}: `requires` names one"))
        return tuple(found)
