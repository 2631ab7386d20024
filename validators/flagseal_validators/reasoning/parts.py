"""A condition with the places of its parts, ready to be reasoned about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, cast

import msgspec

from flagseal.evaluation.catalogue import segment_of
from flagseal.model.condition import AllOf, AnyOf, Entitled, Negation, SegmentRef, Test
from flagseal.model.definitions import parse_condition
from flagseal.model.jsonpath import child

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flagseal.evaluation.catalogue import Catalogue
    from flagseal.model.canonical import Json
    from flagseal.model.condition import Condition
    from flagseal.model.document import Document
    from flagseal.model.flag import Segment

Kind = Literal["all", "any", "not", "segment", "entitled", "test"]

MOST_PARTS: Final = 150
"""Parts of the conditions of an environment, or of a segment, that are reasoned about: each is asked about, and each
question looks at all of them. What is larger is left open."""

_OPEN: Final = "\0open"
"""First step of attributes that no context has: they stand for what is left open."""


class Part(msgspec.Struct, frozen=True):
    """One condition within another, or the whole.

    Attributes:
        path: JSONPath of where it is written.
        kind: What it is.
        condition: What it means, without segments and entitlements.
        parts: Those it is made of; none for a segment, whose own parts stand elsewhere.
    """

    path: str
    kind: Kind
    condition: Condition
    parts: tuple[Part, ...] = ()

    def everything(self) -> Iterator[Part]:
        """Give this part and all within it."""
        yield self
        for part in self.parts:
            yield from part.everything()


class Segments(msgspec.Struct, frozen=True):
    """The segments of one namespace, by name; one that does not exist is left open.

    Attributes:
        catalogue: All definitions.
        namespace: Whose segments count.
    """

    catalogue: Catalogue
    namespace: str

    def condition(self, name: str) -> Condition:
        """Give what a segment means."""
        found: Segment | None = self.catalogue.segments.get(f"{self.namespace}/{name}")
        if found is None or size(condition := _plain(found.when)) > MOST_PARTS:
            return _open("segment", name)
        return condition


def lower(written: Mapping[str, Any], path: str, segments: Segments) -> Part:
    """Read a condition.

    Args:
        written: As the file has it, valid by the schema.
        path: JSONPath of it.
        segments: Where segments are looked up.
    """
    parts = [_entry(word, operand, child(path, word), segments) for word, operand in written.items()]
    return parts[0] if len(parts) == 1 else Part(path, "all", AllOf(tuple(it.condition for it in parts)), tuple(parts))


def lowered_segment(document: Document, catalogue: Catalogue) -> Part:
    """Read the condition of a Segment document."""
    segment = segment_of(document)
    written = cast("dict[str, Any]", document.spec)["when"]
    part = lower(written, "$.spec.when", Segments(catalogue, segment.namespace))
    return part if size(part.condition) <= MOST_PARTS else Part(part.path, "segment", _open("segment", segment.name))


def size(condition: Condition) -> int:
    """Count the parts of a condition."""
    match condition:
        case AllOf(parts=parts) | AnyOf(parts=parts):
            return 1 + sum(map(size, parts))
        case Negation(part=part):
            return 1 + size(part)
        case _:
            return 1


def is_open(condition: Condition) -> bool:
    """Tell whether something in a condition is left open."""
    match condition:
        case AllOf(parts=parts) | AnyOf(parts=parts):
            return any(map(is_open, parts))
        case Negation(part=part):
            return is_open(part)
        case Test(path=path):
            return path[0] == _OPEN
        case _:  # pragma: no cover (the others do not survive being read)
            raise AssertionError(condition)


def _entry(word: str, operand: Any, path: str, segments: Segments) -> Part:  # noqa: ANN401 (JSON by the schema)
    match word:
        case "all" | "any":
            parts = tuple(lower(part, f"{path}[{index}]", segments) for index, part in enumerate(operand))
            conditions = tuple(part.condition for part in parts)
            return Part(path, word, AllOf(conditions) if word == "all" else AnyOf(conditions), parts)
        case "not":
            inner = lower(operand, path, segments)
            return Part(path, "not", Negation(inner.condition), (inner,))
        case "segment":
            return Part(path, "segment", segments.condition(operand))
        case "entitled":
            return Part(path, "entitled", _open("entitled", ""))
        case _:
            return Part(path, "test", parse_condition(cast("Json", {word: operand}), path))


def _plain(condition: Condition) -> Condition:
    """Leave open what a segment must not or need not say: another segment, an entitlement."""
    match condition:
        case AllOf(parts=parts):
            return AllOf(tuple(map(_plain, parts)))
        case AnyOf(parts=parts):
            return AnyOf(tuple(map(_plain, parts)))
        case Negation(part=part):
            return Negation(_plain(part))
        case SegmentRef(name=name):
            return _open("segment", name)
        case Entitled():
            return _open("entitled", "")
        case Test():
            return condition


def _open(what: str, name: str) -> Test:
    return Test((_OPEN, what, name), "exists", operand=True)
