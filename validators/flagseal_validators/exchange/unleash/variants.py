"""Unleash's variants as variants of ours: one toggle becomes one flag, whose values are its variants' payloads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flagseal_validators.exchange.naming import json_type, variant_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flagseal.model.canonical import Json
    from flagseal_validators.exchange.neutral import Kind
    from flagseal_validators.exchange.node import Node

ENABLED: Final = "enabled"
DISABLED: Final = "disabled"

_EMPTY: Final[dict[str, Json]] = {"string": "", "number": 0, "object": {}}
"""What a toggle that is off gives, by type: an application of Unleash got its own default."""


@dataclass(frozen=True, slots=True)
class Variants:
    """The variants of a flag.

    Attributes:
        values: By the name they have here, ``disabled`` among them.
        names: From Unleash's names to ours.
        several: Whether the toggle has variants of its own at all.
    """

    values: Mapping[str, Json]
    names: Mapping[str, str]
    several: bool


def read_variants(nodes: Iterable[Node], place: str, remark: Callable[[Kind, str, str], None]) -> Variants:
    """Read the variants of a toggle, of all its environments and strategies.

    Args:
        nodes: Each variant wherever it stands.
        place: Of the toggle.
        remark: Takes what is not kept as it was.

    Raises:
        Misread: They are not as Unleash has them.
    """
    payloads: dict[str, tuple[str, str] | None] = {}
    for node in nodes:
        name, payload = node.need("name").text(), _payload(node)
        if payloads.setdefault(name, payload) != payload:
            remark("differs", node.path, f"the variant {name!r} has another payload elsewhere, which is kept")
    if not payloads:
        return Variants({ENABLED: True, DISABLED: False}, {}, several=False)
    values = _values(payloads)
    if values is None:
        remark("differs", place, "payloads are missing or of several types: each variant's name is served instead")
        values = {name: name for name in payloads}
    kind = json_type(next(iter(values.values())))
    off = DISABLED if values == {name: name for name in payloads} else _EMPTY[kind]
    ours = variant_names([DISABLED, *payloads], [off, *values.values()])
    remark("note", place, "that it is enabled is not asked by the same key here: it is, unless `disabled` is served")
    return Variants(
        dict(zip(ours, [off, *values.values()], strict=True)), dict(zip(payloads, ours[1:], strict=True)), several=True
    )


def _payload(node: Node) -> tuple[str, str] | None:
    payload = node.get("payload")
    return None if payload is None else (payload.text_at("type", "string"), payload.text_at("value"))


def _values(payloads: Mapping[str, tuple[str, str] | None]) -> dict[str, Json] | None:
    """Read payloads as values of one type; None where they are none."""
    if not any(payloads.values()):
        return {name: name for name in payloads}
    values: dict[str, Json] = {}
    for name, payload in payloads.items():
        if payload is None:
            return None
        try:
            values[name] = _value(*payload)
        except (ValueError, RecursionError):
            return None
    types = {json_type(value) for value in values.values()}
    return values if len(types) == 1 and types <= _EMPTY.keys() else None


def _value(kind: str, text: str) -> Json:
    if kind == "json":
        found: Json = json.loads(text, parse_constant=float)
        return found
    if kind == "number":
        number = float(text)
        if number - number != 0:
            raise ValueError(text)
        return int(number) if number.is_integer() else number
    return text
