"""LaunchDarkly's segments as conditions: those that name others have them written in, since ours name none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from flagseal.model.condition import ALWAYS, NEVER, AllOf, AnyOf, Negation, SegmentRef, Test
from flagseal_validators.exchange.launchdarkly.clauses import USER, Clauses
from flagseal_validators.exchange.neutral import TARGETING_KEY, NeutralSegment
from flagseal_validators.exchange.node import Misread, NoForm

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flagseal.model.condition import Condition
    from flagseal_validators.exchange.node import Node

_EVERYONE: Final = 100_000
"""Weights are thousandths of a percent."""

_DEEPEST: Final = 16
_MOST_CLAUSES: Final = 2_000


@dataclass
class Segments:
    """Read segments when they are asked for.

    Attributes:
        nodes: By key.
        lists: Attributes whose values are lists.
        found: What was read, by key.
    """

    nodes: Mapping[str, Node]
    lists: frozenset[str]
    found: dict[str, NeutralSegment] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)
    _broken: dict[str, NoForm] = field(default_factory=dict)
    _reading: list[str] = field(default_factory=list)
    _count: int = 0

    def reference(self, key: str, place: str) -> Condition | None:
        """Give what stands for a segment in a flag; None where there is none, which holds nobody.

        Raises:
            Misread: It is not as LaunchDarkly has it.
            NoForm: It has no form here.
        """
        return None if self._read(key, place) is None else SegmentRef(key)

    def _inlined(self, key: str, place: str) -> Condition | None:
        segment = self._read(key, place)
        return None if segment is None else segment.when

    def _read(self, key: str, place: str) -> NeutralSegment | None:
        node = self.nodes.get(key)
        if node is None:
            return None
        if key in self._broken:
            raise self._broken[key]
        if key in self._reading:
            raise NoForm(place, f"segments name one another in a circle: {' → '.join([*self._reading, key])}")
        if key not in self.found:
            if len(self._reading) >= _DEEPEST:
                raise NoForm(place, f"segments name one another more than {_DEEPEST} deep")
            before, self._count = self._count, 0
            self._reading.append(key)
            try:
                self.found[key] = NeutralSegment(key, node.text_at("name", key), self._condition(node), node.path)
            except NoForm as why:
                self._broken[key] = why
                raise
            finally:
                self._reading.pop()
                self._sizes[key] = self._count
                self._count = before
        self._count += self._sizes[key]
        if self._count > _MOST_CLAUSES and self._reading:
            raise NoForm(place, f"with the segments that it names, a segment of more than {_MOST_CLAUSES} clauses")
        return self.found[key]

    def _condition(self, node: Node) -> Condition:
        if node.true_at("unbounded"):
            raise NoForm(node.path, "a big segment, whose members are not in the file")
        within = [_keys(USER, node.listed("included")), *_kinds(node.listed("includedContexts"))]
        without = [_keys(USER, node.listed("excluded")), *_kinds(node.listed("excludedContexts"))]
        rules = [self._rule(rule) for rule in node.listed("rules")]
        return AnyOf((*within, AllOf((Negation(AnyOf(tuple(without))), AnyOf(tuple(rules))))))

    def _rule(self, rule: Node) -> Condition:
        weight = rule.get("weight")
        if weight is not None and weight.number() <= 0:
            return NEVER
        if weight is not None and weight.number() < _EVERYONE:
            raise NoForm(weight.path, "a share of people within a segment: conditions here hold no shares")
        clauses = rule.listed("clauses")
        self._count += len(clauses)
        return Clauses(self.lists, self._inlined).all_of(clauses) if clauses else ALWAYS


def _kinds(listed: Iterable[Node]) -> Iterable[Condition]:
    return [_keys(one.text_at("contextKind", USER), one.listed("values")) for one in listed]


def _keys(kind: str, values: Iterable[Node]) -> Condition:
    path = TARGETING_KEY if kind in {"", USER} else (kind, "key")
    return Test(path, "in", tuple(value.text() for value in values))


def read_segments(nodes: Iterable[Node]) -> dict[str, Node]:
    """Index segments by key.

    Raises:
        Misread: One has no key, or two have the same.
    """
    found: dict[str, Node] = {}
    for node in nodes:
        key = node.need("key").text()
        if key in found:
            raise Misread(node.path, f"a second segment with the key {key!r}")
        found[key] = node
    return found
