"""GO Feature Flag: the file that its relay proxy and its modules read (``flags.goff.yaml``; YAML, JSON or TOML).

A flag asks its targeting in order and is otherwise what its default rule gives. Where it is off, or outside of its
experiment, applications get their own default, for which the safe variant stands here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from flagseal.model.condition import ALWAYS
from flagseal.model.flag import Ramp, Serve, Split
from flagseal_validators.exchange.files import read_body, refuse
from flagseal_validators.exchange.gofeatureflag.query import query_condition
from flagseal_validators.exchange.gofeatureflag.schedule import instant, stages
from flagseal_validators.exchange.naming import json_type, variant_names
from flagseal_validators.exchange.neutral import (
    ANYWHERE,
    NeutralFlag,
    NeutralSource,
    Remark,
    Section,
    Step,
    whole_weights,
)
from flagseal_validators.exchange.node import Misread, Node, NoForm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.canonical import Json
    from flagseal.model.condition import Condition
    from flagseal_validators.exchange.neutral import Kind

PRODUCT: Final = "GO Feature Flag"

_REMEDY: Final = "Name a flag file of GO Feature Flag: flags by their names, each with `variations` and `defaultRule`."
_HASH: Final = "it hashes by FNV-1a, which no evaluator of flagd knows: shares are kept, and people change places"
_OWN: Final = "applications got their own default, and here the safe variant"
_TYPES: Final = frozenset({"boolean", "string", "number", "object"})
_MOST_STEPS: Final = 100


def read_gofeatureflag(data: bytes, *, file: str) -> NeutralSource:
    """Read a flag file of GO Feature Flag.

    Args:
        data: The file.
        file: What errors call it.

    Raises:
        UsageError: ``NotImportable``: it is none.
        InvalidDocuments: It is YAML that parsers read differently.
    """
    body = read_body(data, file=file, remedy=_REMEDY)
    try:
        flags = tuple(_Reading(key).flag(node) for key, node in Node(body).entries())
    except Misread as error:
        refuse(file, str(error), _REMEDY)
    return NeutralSource(PRODUCT, file, flags, {}, origin=body)


@dataclass
class _Reading:
    key: str
    names: dict[str, str] = field(default_factory=dict)
    by: tuple[str, ...] | None = None
    safe: str | None = None
    off: bool = False
    remarks: list[Remark] = field(default_factory=list)

    def remark(self, kind: Kind, place: str, reason: str) -> None:
        self.remarks.append(Remark(kind, place, reason))

    def flag(self, node: Node) -> NeutralFlag:
        try:
            variants = self._variants(node)
            self._bucketing(node)
            section = self._section(node)
            description = self._description(node)
        except Misread as error:
            return NeutralFlag(self.key, node.path, remarks=(Remark("lost", error.place, error.problem),))
        except NoForm as why:
            return NeutralFlag(self.key, node.path, remarks=(Remark("lost", why.place, why.reason),))
        return NeutralFlag(
            self.key, node.path, variants, self.safe, {ANYWHERE: section}, description, tuple(self.remarks)
        )

    def _variants(self, node: Node) -> dict[str, Json]:
        listed = dict(node.need("variations").mapping())
        for change in node.listed("scheduledRollout"):
            found = change.get("variations")
            for name, value in (found.mapping() if found is not None else {}).items():
                if name in listed and listed[name] != value:
                    raise NoForm(change.path, f"a change of what {name!r} is: a variant here has one value")
                listed[name] = value
        types = {json_type(value) for value in listed.values()}
        if len(types) != 1 or not types <= _TYPES:
            told = " and ".join(sorted(types)) or "none"
            raise NoForm(node.path, f"its variations are of the type {told}: here, all are of one, and none is a list")
        self.names = dict(zip(listed, variant_names(list(listed), list(listed.values())), strict=True))
        return {self.names[name]: value for name, value in listed.items()}

    def _bucketing(self, node: Node) -> None:
        key = node.text_at("bucketingKey")
        if key:
            self.by = tuple(key.split("."))
            self.remark("differs", node.path, f"without `{key}` there was an error and {_OWN}, or what rules say")

    def _description(self, node: Node) -> str:
        metadata = node.get("metadata")
        if metadata is None:
            return ""
        found = metadata.mapping().get("description")
        lost = sorted(metadata.mapping().keys() - {"description"})
        if lost:
            self.remark("note", metadata.path, f"not kept: {', '.join(lost)}")
        return found if isinstance(found, str) else ""

    def _name(self, node: Node) -> str:
        name = node.text()
        if name not in self.names:
            raise Misread(node.path, f"there is no variation {name!r}")
        return self.names[name]

    def _section(self, node: Node) -> Section:
        versions = stages(node)
        self.off = len(versions) == 1 and node.true_at("disable")
        if self.off:
            self.remark("differs", node.path, f"it is off: {_OWN}")
        self._ramps([version for _, version in versions])
        steps: list[Step] = []
        experiment = node.get("experimentation")
        default = ""
        ends = [since for since, _ in versions[1:]]
        for (since, version), until in zip(versions, [*ends, None], strict=True):
            last = until is None
            default, own = self._version(version, last=last)
            steps += [_within(step, since, until) for step in own]
        if experiment is not None:
            self.safe = self.safe or default
            steps = [*self._experiment(experiment, self.safe), *steps]
        return Section(default, self.off, steps=tuple(steps))

    def _version(self, node: Node, *, last: bool) -> tuple[str, list[Step]]:
        """Read the flag as it is for some time: its default, and its steps; unless it is the last, one for everyone."""
        default, final = self._default(node.need("defaultRule"))
        if node.true_at("disable") and not self.off:
            self.remark("differs", node.path, f"it is off for some time: {_OWN}")
            return default, [Step("off", ALWAYS, Serve(self.safe or default))]
        steps: list[Step] = []
        for number, rule in enumerate(node.listed("targeting"), start=1):
            if not rule.true_at("disable"):
                steps += self._rule(rule, number)
        if not final and not last:
            final = [Step("everyone else", ALWAYS, Serve(default))]
        return default, [*steps, *final]

    def _experiment(self, node: Node, fallback: str) -> Iterator[Step]:
        self.remark("differs", node.path, f"outside of its experiment {_OWN}")
        start, end = node.get("start"), node.get("end")
        if start is not None:
            yield Step("before the experiment", ALWAYS, Serve(fallback), until=instant(start))
        if end is not None:
            yield Step("after the experiment", ALWAYS, Serve(fallback), since=instant(end))

    # Rules

    def _ramps(self, versions: list[Node]) -> None:
        """Choose the safe variant: that against which rollouts progress."""
        for version in versions:
            for rule in (version.need("defaultRule"), *version.listed("targeting")):
                rollout = rule.get("progressiveRollout")
                if rollout is not None and not rule.true_at("disable"):
                    initial = self._name(rollout.need("initial").need("variation"))
                    if self.safe not in {None, initial}:
                        raise NoForm(rollout.path, f"rollouts from {self.safe!r} and from {initial!r} at once")
                    self.safe = initial

    def _rule(self, rule: Node, number: int) -> list[Step]:
        name = rule.text_at("name") or f"rule {number}"
        query = rule.need("query")
        try:
            when = query_condition(query.text(), query.path, lambda reason: self.remark("differs", query.path, reason))
            return list(self._outcome(rule, name, when))
        except NoForm as why:
            kind: Kind = "note" if self.off else "lost"
            self.remark(kind, why.place, f"it is off, so nobody notices: {why.reason}" if self.off else why.reason)
            return []

    def _default(self, rule: Node) -> tuple[str, list[Step]]:
        steps = list(self._outcome(rule, "everyone else", ALWAYS))
        last = steps[-1].outcome
        if isinstance(last, Serve):
            return last.variant, steps[:-1]
        if isinstance(last, Split):
            return self.safe or last.arms[-1][0], steps
        return self.safe or "", steps

    def _outcome(self, rule: Node, name: str, when: Condition) -> Iterator[Step]:
        progressive, percentage = rule.get("progressiveRollout"), rule.get("percentage")
        if progressive is not None:
            yield from self._progressive(progressive, name, when)
        elif percentage is not None and percentage.mapping():
            # From the last name to the first, as buckets run there.
            shares = sorted(percentage.entries(), reverse=True)
            if any(share.number() < 0 for _, share in shares):
                raise Misread(percentage.path, "a percentage is negative")
            arms = whole_weights(
                (self._name(Node(variant, percentage.path)), Fraction(share.number()).limit_denominator(1_000))
                for variant, share in shares
            )
            if not arms:
                raise Misread(percentage.path, "its percentages are nothing")
            if len(arms) == 1:
                yield Step(name, when, Serve(arms[0][0]))
                return
            self.remark("rebucketed", percentage.path, _HASH)
            yield Step(name, when, Split(arms, self.by))
        else:
            yield Step(name, when, Serve(self._name(rule.need("variation"))))

    def _progressive(self, node: Node, name: str, when: Condition) -> Iterator[Step]:
        initial, end = node.need("initial"), node.need("end")
        start, stop = instant(initial.need("date")), instant(end.need("date"))
        if stop <= start:
            raise Misread(node.path, "it ends before it begins")
        low, high = _percent(initial), _percent(end)
        high = 100 if high == 0 else high
        steps = min(_MOST_STEPS, max(1, abs(high - low)))
        goes_on = "" if high == 100 else f", and goes on growing there when it stays at {high} here"  # noqa: PLR2004 (of a hundred)
        self.remark(
            "differs", node.path, f"it grows second by second there, and here in steps, {steps} of them{goes_on}"
        )
        self.remark("rebucketed", node.path, _HASH)
        yield Step(f"{name}, before", when, Serve(self._name(initial.need("variation"))), until=start)
        variant = self._name(end.need("variation"))
        yield Step(name, when, Ramp(variant, low, high, start, stop, steps, self.by))


def _percent(step: Node) -> int:
    found = step.get("percentage")
    return 0 if found is None else min(100, max(0, round(found.number())))


def _within(step: Step, since: int | None, until: int | None) -> Step:
    """Bound a step by the time in which its version of the flag is in force."""
    begins = [one for one in (step.since, since) if one is not None]
    ends = [one for one in (step.until, until) if one is not None]
    return Step(step.name, step.when, step.outcome, step.gate, max(begins, default=None), min(ends, default=None))
