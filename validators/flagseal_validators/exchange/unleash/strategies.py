"""Unleash's activation strategies as steps: whom one lets in, and what share of them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from flagseal.model.condition import ALWAYS, NEVER, AllOf, AnyOf, SegmentRef, Test
from flagseal_validators.exchange.neutral import TARGETING_KEY, Gate, NeutralSegment
from flagseal_validators.exchange.node import NoForm
from flagseal_validators.exchange.unleash.constraints import Asked, attribute

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flagseal.model.condition import Condition
    from flagseal_validators.exchange.neutral import Kind
    from flagseal_validators.exchange.node import Node

HASH: Final = (
    "it hashes group and person by Murmur3 modulo 100, which no evaluator of flagd does: shares are kept, and people "
    "change places"
)

_OCTET: Final = 8


@dataclass(frozen=True, slots=True)
class Admission:
    """Whom a strategy lets in.

    Attributes:
        when: The condition.
        gate: The share of those for whom it holds; None is everyone.
        since: Unix seconds from which it counts.
        until: Unix seconds up to which it counts.
    """

    when: Condition
    gate: Gate | None
    since: int | None
    until: int | None


@dataclass
class Strategies:
    """Read strategies.

    Attributes:
        toggle: Its name: the group of those that name none.
        segments: By id.
        remark: Takes what is not kept as it was.
        found: The segments that strategies name, by id.
    """

    toggle: str
    segments: Mapping[str, Node]
    remark: Callable[[Kind, str, str], None]
    found: dict[str, NeutralSegment] = field(default_factory=dict)

    def admission(self, strategy: Node, name: str, segments: tuple[Node, ...]) -> Admission:
        """Read a strategy.

        Args:
            strategy: As the file has it.
            name: Which kind of strategy.
            segments: Ids of its segments.

        Raises:
            Misread: It is not as Unleash has it.
            NoForm: It has no form here.
        """
        asked = Asked()
        for constraint in strategy.listed("constraints"):
            asked.add(constraint)
        for segment in segments:
            self._segment(segment, asked)
        for place, told in asked.differs.items():
            self.remark("differs", place, told)
        for place, told in asked.numbers.items():
            self.remark("note", place, told)
        when, gate = self._own(strategy, name)
        return Admission(AllOf((when, asked.when)), gate, asked.since, asked.until)

    def _segment(self, segment: Node, asked: Asked) -> None:
        key = str(segment.whole())
        node = self.segments.get(key)
        if node is None or node.get("constraints") is None:
            raise NoForm(
                segment.path, f"segment {key} has no constraints in the file: add it as /api/admin/segments has it"
            )
        own = Asked()
        for constraint in node.listed("constraints"):
            own.add(constraint)
        if own.since is not None or own.until is not None:
            # A segment here holds no times: what it asks for is written in.
            asked.also(own)
            return
        asked.also(Asked(differs=own.differs, numbers=own.numbers, parts=[SegmentRef(key)]))
        self.found[key] = NeutralSegment(key, node.text_at("name", f"segment-{key}"), own.when, node.path)

    def _own(self, strategy: Node, name: str) -> tuple[Condition, Gate | None]:
        match name:
            case "default":
                return ALWAYS, None
            case "userWithId":
                return Test(TARGETING_KEY, "in", _listed(strategy, "userIds")), None
            case "remoteAddress":
                return _addresses(strategy), None
            case "flexibleRollout":
                return self._rollout(strategy, "rollout", _parameter(strategy, "stickiness") or "default")
            case "gradualRolloutUserId":
                return self._rollout(strategy, "percentage", "userId")
            case "gradualRolloutSessionId":
                return self._rollout(strategy, "percentage", "sessionId")
            case "gradualRolloutRandom":
                return self._rollout(strategy, "percentage", "random")
            case "applicationHostname":
                raise NoForm(strategy.path, "it asks on which host the application runs, which no context says")
            case _:
                raise NoForm(strategy.path, f"{name!r} is a strategy of your own, and what it does is not in the file")

    def _rollout(self, strategy: Node, parameter: str, stickiness: str) -> tuple[Condition, Gate | None]:
        text = _parameter(strategy, parameter)
        ungrouped = parameter == "percentage" and stickiness != "random" and not _parameter(strategy, "groupId")
        if not text.isascii() or not text.isdigit() or ungrouped:
            return NEVER, None
        percent = min(int(text[:4]), 100)
        path = self.stickiness(strategy, stickiness, whole=percent in {0, 100})
        there = ALWAYS if path == TARGETING_KEY else Test(path, "exists", operand=True)
        if percent == 0:
            return NEVER, None
        if percent == 100:  # noqa: PLR2004 (of a hundred)
            return there, None
        self.remark("rebucketed", strategy.path, HASH)
        salt = _parameter(strategy, "groupId") or self.toggle
        return there, Gate(Fraction(percent), path, salt)

    def stickiness(self, node: Node, stickiness: str, *, whole: bool = False) -> tuple[str, ...]:
        """Find what is hashed, and say where chance decides there.

        Args:
            node: What is shared out.
            stickiness: As the file has it.
            whole: Whether everyone or nobody gets in anyway.
        """
        if stickiness == "random":
            if not whole:
                self.remark("differs", node.path, "chance decides each time there, and here who it is")
            return TARGETING_KEY
        if stickiness == "default":
            if not whole:
                self.remark(
                    "note", node.path, "without a user id, session or chance decide there, and here one is outside"
                )
            return TARGETING_KEY
        return attribute(stickiness)


def _parameter(strategy: Node, name: str) -> str:
    parameters = strategy.get("parameters")
    found = None if parameters is None else parameters.get(name)
    if found is None:
        return ""
    return found.text() if isinstance(found.value, str) else str(found.whole())


def _listed(strategy: Node, name: str) -> tuple[str, ...]:
    found = (part.strip() for part in _parameter(strategy, name).split(","))
    return tuple(part for part in found if part)


def _addresses(strategy: Node) -> Condition:
    """Read addresses and networks whose bounds lie between two numbers of an address."""
    parts: list[Condition] = []
    for text in _listed(strategy, "IPs"):
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            continue
        if network.num_addresses == 1:
            parts.append(Test(attribute("remoteAddress"), "eq", str(network.network_address)))
        elif network.version == 4 and network.prefixlen % _OCTET == 0 and network.prefixlen:  # noqa: PLR2004 (IPv4)
            octets = str(network.network_address).split(".")[: network.prefixlen // _OCTET]
            parts.append(Test(attribute("remoteAddress"), "startsWith", "".join(f"{octet}." for octet in octets)))
        else:
            raise NoForm(strategy.path, f"the network {text} has no beginning that all of its addresses share as text")
    return AnyOf(tuple(parts))
