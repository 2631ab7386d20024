"""Flipt: what ``flipt export`` writes and what lies in git as ``features.yaml``.

A boolean flag asks its rollouts in order and is otherwise what ``enabled`` says. A variant flag asks its rules, and is
otherwise its default variant; without one, applications get their own default, for which an empty value stands here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from flagseal.model.condition import ALWAYS, AllOf, AnyOf, SegmentRef
from flagseal.model.flag import Serve, Split
from flagseal_validators.exchange.files import read_bodies, refuse
from flagseal_validators.exchange.flipt.constraints import constraint
from flagseal_validators.exchange.naming import json_type, variant_names
from flagseal_validators.exchange.neutral import (
    ANYWHERE,
    TARGETING_KEY,
    Gate,
    NeutralFlag,
    NeutralSegment,
    NeutralSource,
    Remark,
    Section,
    Step,
    whole_weights,
)
from flagseal_validators.exchange.node import Misread, Node, NoForm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagseal.model.canonical import Json
    from flagseal.model.condition import Condition
    from flagseal_validators.exchange.neutral import Kind

PRODUCT: Final = "Flipt"

ENABLED: Final = "enabled"
DISABLED: Final = "disabled"

_REMEDY: Final = "Name what `flipt export` writes, or a features.yaml."
_HASH: Final = "it hashes by CRC-32, which no evaluator of flagd knows: shares are kept, and people change places"
_HUNDRED: Final = Fraction(100)


def read_flipt(data: bytes, *, file: str, namespace: str | None = None) -> NeutralSource:
    """Read an export of Flipt.

    Args:
        data: The file.
        file: What errors call it.
        namespace: Which of its namespaces; None is the only one.

    Raises:
        UsageError: ``NotImportable``: it is none, or holds several namespaces.
        InvalidDocuments: It is YAML that parsers read differently.
    """
    bodies: dict[str, Node] = {}
    for body in read_bodies(data, file=file):
        node = Node(body)
        try:
            name = _namespace(node)
        except Misread as error:
            refuse(file, str(error), _REMEDY)
        if name in bodies:
            refuse(file, f"two documents have the namespace {name!r}", "Keep the one that is meant.")
        bodies[name] = node
    if namespace is not None and namespace not in bodies:
        refuse(file, f"there is no namespace {namespace!r}", f"Use one of {', '.join(sorted(bodies))}.")
    if namespace is None and len(bodies) != 1:
        told = f"there are several namespaces: {', '.join(sorted(bodies))}" if bodies else "there is nothing in it"
        refuse(file, told, "Choose one with --from." if bodies else _REMEDY)
    name = next(iter(bodies)) if namespace is None else namespace
    try:
        return _read(bodies[name], file, name)
    except Misread as error:
        refuse(file, str(error), _REMEDY)


def _namespace(body: Node) -> str:
    version = body.text_at("version", "1.0")
    if not version.startswith("1."):
        raise Misread(f"{body.path}.version", f"the version {version!r} is not known: 1.x is")
    found = body.get("namespace")
    if found is None:
        return "default"
    return found.text() if isinstance(found.value, str) else found.need("key").text()


def _read(body: Node, file: str, namespace: str) -> NeutralSource:
    segments: dict[str, Node] = {}
    for segment in body.listed("segments"):
        key = segment.need("key").text()
        if key in segments:
            raise Misread(segment.path, f"a second segment with the key {key!r}")
        segments[key] = segment
    found: dict[str, NeutralSegment] = {}
    flags = [_Reading(segments, found).flag(flag) for flag in body.need("flags").items()]
    return NeutralSource(PRODUCT, file, tuple(flags), found, origin=body.value, namespace=namespace)


@dataclass
class _Reading:
    nodes: dict[str, Node]
    found: dict[str, NeutralSegment]
    remarks: list[Remark] = field(default_factory=list)
    off: bool = False

    def remark(self, kind: Kind, place: str, reason: str) -> None:
        self.remarks.append(Remark(kind, place, reason))

    def flag(self, node: Node) -> NeutralFlag:
        key = "?"
        try:
            key = node.need("key").text()
            boolean = node.text_at("type", "VARIANT_FLAG_TYPE").upper().startswith("BOOLEAN")
            made = self._boolean(node, key) if boolean else self._variant(node, key)
            if node.get("metadata") is not None:
                self.remark("note", node.path, "not kept: metadata")
        except Misread as error:
            return NeutralFlag(key, node.path, remarks=(Remark("lost", error.place, error.problem),))
        variants, safe, section = made
        description = node.text_at("description") or node.text_at("name")
        return NeutralFlag(key, node.path, variants, safe, {ANYWHERE: section}, description, tuple(self.remarks))

    def _lost(self, why: NoForm) -> None:
        if self.off:
            self.remark("note", why.place, f"it is off, so nobody notices: {why.reason}")
        else:
            self.remark("lost", why.place, why.reason)

    # Boolean flags

    def _boolean(self, node: Node, key: str) -> tuple[dict[str, Json], str, Section]:
        default = _switched(on=node.true_at("enabled"))
        steps: list[Step] = []
        for number, rollout in enumerate(node.listed("rollouts"), start=1):
            name = rollout.text_at("description") or f"rollout {number}"
            try:
                steps += self._rollout(rollout, name, key)
            except NoForm as why:
                self._lost(why)
        return {ENABLED: True, DISABLED: False}, DISABLED, Section(default, steps=tuple(steps))

    def _rollout(self, rollout: Node, name: str, key: str) -> Iterable[Step]:
        segment, threshold = rollout.get("segment"), rollout.get("threshold")
        if segment is not None:
            yield Step(name, self._segments(segment), Serve(_switched(on=segment.true_at("value"))))
        elif threshold is not None:
            found = threshold.get("percentage")
            percent = Fraction(0 if found is None else found.number())
            served = Serve(_switched(on=threshold.true_at("value")))
            if percent >= _HUNDRED:
                yield Step(name, ALWAYS, served)
            elif percent > 0:
                self.remark("rebucketed", threshold.path, _HASH)
                yield Step(name, ALWAYS, served, Gate(percent.limit_denominator(10_000), TARGETING_KEY, key))
        else:
            raise Misread(rollout.path, "neither `segment` nor `threshold`")

    # Variant flags

    def _variant(self, node: Node, key: str) -> tuple[dict[str, Json], str, Section]:
        listed = node.listed("variants")
        theirs = [one.need("key").text() for one in listed]
        if len(set(theirs)) != len(theirs):
            raise Misread(node.path, "two variants have the same key")
        values, empty = self._values(node, listed, theirs)
        names = dict(zip(theirs, variant_names(theirs, values), strict=True))
        variants = {names[one]: value for one, value in zip(theirs, values, strict=True)}
        own = [names[one.need("key").text()] for one in listed if one.true_at("default")]
        default = own[0] if own else "none"
        if not own:
            while default in variants:
                default = f"{default}-matched"
            variants[default] = empty
            told = "where no rule matches, applications got their own default, and here an empty value"
            self.remark("differs", node.path, told)
        self.off = not node.true_at("enabled")
        rules = sorted(node.listed("rules"), key=_rank)
        steps: list[Step] = []
        for number, rule in enumerate(rules, start=1):
            try:
                when = self._segments(rule.get("segment") or rule.need("segments"))
            except NoForm as why:
                self._lost(why)
                continue
            steps.append(Step(f"rule {number}", when, self._shared(rule, names, default, key)))
        return variants, default, Section(default, self.off, steps=tuple(steps))

    def _values(self, node: Node, listed: tuple[Node, ...], theirs: list[str]) -> tuple[list[Json], Json]:
        """Choose what is served: attachments where every variant has an object, or else the variants' keys."""
        attached = [one.mapping().get("attachment") for one in listed]
        if attached and all(json_type(value) == "object" for value in attached):
            self.remark(
                "note",
                node.path,
                "attachments are served: what applications asked as text, they get as the variant's name",
            )
            return attached, {}
        if any(value not in (None, "") for value in attached):
            self.remark("differs", node.path, "attachments are not kept: not every variant has an object")
        return list(theirs), ""

    def _shared(self, rule: Node, names: dict[str, str], default: str, key: str) -> Serve | Split:
        arms: list[tuple[str, Fraction]] = []
        for one in rule.listed("distributions"):
            variant, rollout = one.need("variant"), one.get("rollout")
            if variant.text() not in names:
                raise Misread(variant.path, f"there is no variant {variant.text()!r}")
            share = Fraction(0 if rollout is None else rollout.number()).limit_denominator(10_000)
            arms.append((names[variant.text()], max(share, Fraction(0))))
        rest = _HUNDRED - sum((share for _, share in arms), Fraction(0))
        # Whoever is in no bucket matches nothing; a rule without any gives the default too. Rounding is no rest.
        weights = whole_weights([*arms, (default, rest if rest > Fraction(1, 10) else Fraction(0))])
        if len(weights) < 2:  # noqa: PLR2004 (one is no share)
            return Serve(weights[0][0] if weights else default)
        self.remark("rebucketed", rule.path, _HASH)
        return Split(weights, None, key)

    # Segments

    def _segments(self, node: Node) -> Condition:
        """Read which segments a rule asks for: a key, several, or an object of either."""
        if isinstance(node.value, str):
            return self._segment(node)
        if isinstance(node.value, list):
            return AnyOf(tuple(self._segment(key) for key in node.items()))
        keys = node.listed("keys") or ((node.need("key"),) if node.get("key") is not None else ())
        parts = tuple(self._segment(key) for key in keys)
        if node.text_at("operator", "OR_SEGMENT_OPERATOR").upper().startswith("AND"):
            return AllOf(parts)
        return AnyOf(parts)

    def _segment(self, key: Node) -> Condition:
        name = key.text()
        if name not in self.nodes:
            raise NoForm(key.path, f"there is no segment {name!r} in the file")
        node = self.nodes[name]
        if name not in self.found:
            parts = tuple(constraint(one, self.remark) for one in node.listed("constraints"))
            some = node.text_at("match_type", node.text_at("matchType", "ALL_MATCH_TYPE")).upper().startswith("ANY")
            when = AnyOf(parts) if some and parts else AllOf(parts)
            self.found[name] = NeutralSegment(name, name, when, node.path)
        else:
            for one in node.listed("constraints"):
                constraint(one, self.remark)
        return SegmentRef(name)


def _switched(*, on: bool) -> str:
    return ENABLED if on else DISABLED


def _rank(rule: Node) -> int:
    rank = rule.get("rank")
    return 0 if rank is None else rank.whole()
