"""LaunchDarkly: what its SDKs read from files or the server, and what its REST API lists.

Both hold flags as the SDK evaluates them: off variation where it is off or a prerequisite fails, then targets, rules,
fallthrough. So the off variation is the safe variant here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from flagseal.model.condition import ALWAYS, AllOf, Negation, Test
from flagseal.model.flag import Serve, Split
from flagseal_validators.exchange.files import read_bodies, refuse
from flagseal_validators.exchange.launchdarkly.clauses import USER, Clauses, attribute_path
from flagseal_validators.exchange.launchdarkly.segments import Segments, read_segments
from flagseal_validators.exchange.naming import json_type, variant_names
from flagseal_validators.exchange.neutral import (
    ANYWHERE,
    TARGETING_KEY,
    NeutralFlag,
    NeutralSource,
    Prerequisite,
    Remark,
    Section,
    Step,
    whole_weights,
)
from flagseal_validators.exchange.node import Misread, Node, NoForm

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from flagseal.model.canonical import Json
    from flagseal.model.condition import Condition
    from flagseal_validators.exchange.neutral import Kind

PRODUCT: Final = "LaunchDarkly"

_REMEDY: Final = "Name a file that LaunchDarkly's SDKs read, or the answer of /api/v2/flags/PROJECT?summary=0."
_HASH: Final = "it hashes by SHA-1, which no evaluator of flagd knows: shares are kept, and people change places"
_TYPES: Final = frozenset({"boolean", "string", "number", "object"})


def read_launchdarkly(files: Mapping[str, bytes], *, lists: frozenset[str] = frozenset()) -> NeutralSource:
    """Read files of LaunchDarkly as one source: flags, and segments if they come apart.

    Args:
        files: By the name that errors call them.
        lists: Attributes whose values are lists.

    Raises:
        UsageError: ``NotImportable``: none of it is LaunchDarkly's.
        InvalidDocuments: One is YAML that parsers read differently.
    """
    flags: list[Node] = []
    values: list[tuple[str, Node]] = []
    segments: list[Node] = []
    for file, data in files.items():
        for body in read_bodies(data, file=file):
            try:
                _sort(Node(body), flags, values, segments)
            except Misread as error:
                refuse(file, str(error), _REMEDY)
    name = ", ".join(files)
    if not flags and not values:
        refuse(name, "there are no flags in it", _REMEDY)
    try:
        reader = _Reader(flags, Segments(read_segments(segments), lists), lists)
    except Misread as error:
        refuse(name, str(error), "Keep the one that is meant.")
    read = [*reader.flags(), *(_value(key, node) for key, node in values)]
    return NeutralSource(PRODUCT, name, tuple(read), reader.segments.found, origin=_origin(flags, values, segments))


def _sort(body: Node, flags: list[Node], values: list[tuple[str, Node]], segments: list[Node]) -> None:
    """Tell flags, flags that are only a value, and segments apart."""
    if (listed := body.get("items")) is not None:
        for item in listed.items():
            (flags if "variations" in item.mapping() else segments).append(item)
        return
    for kind, into in (("flags", flags), ("segments", segments)):
        found = body.get(kind)
        if found is not None and isinstance(found.value, list):
            into.extend(found.items())
        elif found is not None:
            into.extend(Node({"key": key, **entry.mapping()}, entry.path) for key, entry in found.entries())
    if (found := body.get("flagValues")) is not None:
        values += found.entries()


def _origin(flags: list[Node], values: list[tuple[str, Node]], segments: list[Node]) -> Json:
    return {
        "flags": [flag.value for flag in flags],
        "flagValues": {key: node.value for key, node in values},
        "segments": [segment.value for segment in segments],
    }


def _value(key: str, node: Node) -> NeutralFlag:
    if json_type(node.value) not in _TYPES:
        return NeutralFlag(key, node.path, remarks=(_no_type(node.path, {json_type(node.value)}),))
    (name,) = variant_names([""], [node.value])
    return NeutralFlag(key, node.path, {name: node.value}, name, {ANYWHERE: Section(name)})


def _no_type(place: str, types: Iterable[str]) -> Remark:
    told = " and ".join(sorted(types))
    return Remark("lost", place, f"its variations are of the type {told}: here, all are of one, and none is a list")


@dataclass
class _Reader:
    nodes: list[Node]
    segments: Segments
    lists: frozenset[str]
    names: dict[str, list[str]] = field(default_factory=dict)
    sections: dict[tuple[str, str], Node] = field(default_factory=dict)

    def flags(self) -> Iterator[NeutralFlag]:
        kept: list[tuple[str, Node]] = []
        for node in self.nodes:
            try:
                key = node.need("key").text()
                self.names[key] = self._variants(node)
            except Misread as error:
                yield NeutralFlag(str(node.mapping().get("key", "?")), node.path, remarks=(_misread(error),))
                continue
            kept.append((key, node))
            self.sections |= {(key, name): section for name, section in _sections(node)}
        for key, node in kept:
            yield self._flag(key, node)

    def _variants(self, node: Node) -> list[str]:
        variations = node.listed("variations")
        if not variations:
            raise Misread(node.path, "it has no variations")
        named = [one for one in variations if isinstance(one.value, dict) and "value" in one.value]
        if len(named) == len(variations) and "environments" in node.mapping():
            return variant_names([one.text_at("name") for one in named], [one.mapping()["value"] for one in named])
        return variant_names([""] * len(variations), [one.value for one in variations])

    def _flag(self, key: str, node: Node) -> NeutralFlag:
        rest = "environments" in node.mapping()
        values = [one.mapping()["value"] if rest else one.value for one in node.listed("variations")]
        types = {json_type(value) for value in values}
        if len(types) > 1 or not types <= _TYPES:
            return NeutralFlag(key, node.path, remarks=(_no_type(node.path, types),))
        try:
            if node.true_at("archived") or node.true_at("deleted"):
                return NeutralFlag(key, node.path, remarks=(Remark("lost", node.path, "it is archived there"),))
            reading = _FlagReading(key, self)
            sections = {name: reading.section(section, name) for name, section in _sections(node)}
            description = node.text_at("description") or node.text_at("name")
            lost = [word for word in ("tags", "customProperties") if node.mapping().get(word)]
        except Misread as error:
            return NeutralFlag(key, node.path, remarks=(_misread(error),))
        if lost:
            reading.remark("note", node.path, f"not kept: {' and '.join(lost)}")
        variants = dict(zip(self.names[key], values, strict=True))
        return NeutralFlag(
            key,
            node.path,
            variants,
            reading.safe,
            {name: section for name, section in sections.items() if section is not None},
            description,
            tuple(reading.remarks),
        )


def _sections(node: Node) -> Iterator[tuple[str, Node]]:
    found = node.get("environments")
    if found is None:
        yield ANYWHERE, node
    else:
        yield from found.entries()


def _misread(error: Misread) -> Remark:
    return Remark("lost", error.place, error.problem)


@dataclass
class _FlagReading:
    key: str
    reader: _Reader
    safe: str | None = None
    remarks: list[Remark] = field(default_factory=list)
    environment: str = ANYWHERE
    off: bool = False

    def remark(self, kind: Kind, place: str, reason: str) -> None:
        self.remarks.append(Remark(kind, place, reason, self.environment))

    def _lost(self, why: NoForm) -> None:
        """Note what has no form; while it is off, no answer depends on it."""
        if self.off:
            self.remark("note", why.place, f"it is off, so nobody notices: {why.reason}")
        else:
            self.remark("lost", why.place, why.reason)

    def section(self, node: Node, environment: str) -> Section | None:
        self.environment = environment
        self.off = not node.true_at("on")
        off = node.get("offVariation")
        if node.true_at("archived"):
            self.remark("note", node.path, "it is archived there, so this environment does not serve it")
            return None
        if off is None and (self.off or node.listed("prerequisites")):
            reason = "it has no off variation: where it is off, applications get their own default"
            self.remark("differs", node.path, f"{reason}, and here {'nothing' if self.off else 'the safe variant'}")
            if self.off:
                return None
        if off is not None:
            self._off(self._name(off), node)
        targets, steps = self._targets(node)
        steps += [step for rule in node.listed("rules") for step in self._rule(rule)]
        default, last = self._fallthrough(node)
        requires = () if self.off else self._requires(node)
        if requires is None:
            return Section(self.safe or default, off=True)
        return Section(default, self.off, requires, targets, (*steps, *last))

    def _off(self, name: str, node: Node) -> None:
        if self.safe is None:
            self.safe = name
        elif name != self.safe and (self.off or node.listed("prerequisites")):
            place = f"{node.path}.offVariation"
            self.remark("differs", place, f"it falls back to {name!r} there, and here to {self.safe!r} everywhere")

    def _name(self, index: Node) -> str:
        names, number = self.reader.names[self.key], index.whole()
        if not 0 <= number < len(names):
            raise Misread(index.path, f"there is no variation {number}")
        return names[number]

    def _requires(self, node: Node) -> tuple[Prerequisite, ...] | None:
        """Read prerequisites; None where one never holds."""
        found: list[Prerequisite] = []
        for one in node.listed("prerequisites"):
            key, index = one.need("key").text(), one.need("variation")
            names = self.reader.names.get(key, [])
            other = self.reader.sections.get((key, self.environment))
            number = index.whole()
            if key in self.reader.names and not 0 <= number < len(names):
                raise Misread(index.path, f"there is no variation {number} of {key!r}")
            if other is not None and not other.true_at("on"):
                self.remark("note", one.path, f"{key!r} is off there, which no prerequisite survives: off here too")
                return None
            found.append(Prerequisite(key, names[number] if names else "", one.path))
        return tuple(found)

    # Whom it names

    def _targets(self, node: Node) -> tuple[dict[str, tuple[str, ...]], list[Step]]:
        users: dict[str, list[str]] = {}
        for target in node.listed("targets"):
            if target.text_at("contextKind", USER) == USER:
                users.setdefault(self._name(target.need("variation")), []).extend(_texts(target))
        others = node.listed("contextTargets")
        if not others:
            return _first(users), []
        order: list[tuple[str, str, list[str]]] = []
        for target in others:
            kind, variant = target.text_at("contextKind", USER), self._name(target.need("variation"))
            order.append((kind, variant, users.get(variant, []) if kind == USER else _texts(target)))
        own = [number for number, (kind, _, _) in enumerate(order) if kind == USER]
        if own == list(range(len(own))):
            # Users first, as here.
            steps = [_target(kind, variant, keys) for kind, variant, keys in order[len(own) :]]
            return _first({variant: keys for _, variant, keys in order[: len(own)]}), steps
        return {}, [_target(*one) for one in order]

    def _rule(self, rule: Node) -> list[Step]:
        clauses = Clauses(self.reader.lists, self.reader.segments.reference)
        try:
            when = clauses.all_of(rule.listed("clauses"))
        except NoForm as why:
            self._lost(why)
            return []
        for place, told in clauses.told.items():
            self.remark("note", place, told)
        name = rule.text_at("description") or f"rule {rule.path.rpartition('[')[2].rstrip(']')}"
        variation = rule.get("variation")
        if variation is not None:
            return [Step(name, when, Serve(self._name(variation)))]
        return self._rollout(rule.need("rollout"), name, when)[1]

    def _fallthrough(self, node: Node) -> tuple[str, tuple[Step, ...]]:
        fallthrough = node.get("fallthrough")
        if fallthrough is None and self.off:
            return self.safe or self.reader.names[self.key][0], ()
        fallthrough = node.need("fallthrough")
        variation = fallthrough.get("variation")
        if variation is not None:
            return self._name(variation), ()
        first, steps = self._rollout(fallthrough.need("rollout"), "everyone else", ALWAYS)
        # Whoever has no key gets the default, which is the first arm, as there.
        return first, tuple(step for step in steps if isinstance(step.outcome, Split) or len(steps) == 1)

    def _rollout(self, rollout: Node, name: str, when: Condition) -> tuple[str, list[Step]]:
        """Read a share out; and who gets it without a key: the first arm, as there."""
        arms = [(self._name(one.need("variation")), one.need("weight").whole()) for one in rollout.listed("variations")]
        if not arms or any(weight < 0 for _, weight in arms):
            raise Misread(rollout.path, "it has no variations" if not arms else "a weight is negative")
        # What is missing of the whole goes to the last arm.
        rest = max(0, 100_000 - sum(weight for _, weight in arms))
        arms = [*arms[:-1], (arms[-1][0], arms[-1][1] + rest)]
        weights = whole_weights((variant, Fraction(weight)) for variant, weight in arms)
        first = weights[0][0]
        if len(weights) == 1:
            return first, [Step(name, when, Serve(first))]
        experiment = rollout.text_at("kind") == "experiment"
        kind, reference = rollout.text_at("contextKind", USER), rollout.get("bucketBy")
        path: tuple[str, ...] = TARGETING_KEY if kind in {"", USER} else (kind, "key")
        if reference is not None and reference.value and not experiment:
            path = attribute_path(reference, kind, literal=rollout.get("contextKind") is None)
        if experiment:
            self.remark("note", rollout.path, "an experiment: its shares are kept, its analysis is not")
        self.remark("rebucketed", rollout.path, _HASH)
        split = Step(name, when, Split(weights, path))
        if path == TARGETING_KEY:
            return first, [split]
        missing = AllOf((when, Negation(Test(path, "exists", operand=True))))
        return first, [Step(f"{name}, without {'.'.join(path)}", missing, Serve(first)), split]


def _texts(target: Node) -> list[str]:
    return [value.text() for value in target.listed("values")]


def _first(targets: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    """Leave each key where it stands first: that is where it is found."""
    seen: set[str] = set()
    found: dict[str, tuple[str, ...]] = {}
    for variant, keys in targets.items():
        own = tuple(key for key in dict.fromkeys(keys) if key and key not in seen)
        seen.update(own)
        if own:
            found[variant] = own
    return found


def _target(kind: str, variant: str, keys: list[str]) -> Step:
    path = TARGETING_KEY if kind == USER else (kind, "key")
    return Step(f"single {kind}s for {variant}", Test(path, "in", tuple(keys)), Serve(variant))
