"""What a freeze holds still: everything, the flags of some namespaces, or one flag."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Scope:
    """Hold the reach of a freeze.

    Attributes:
        namespaces: Those whose flags it holds; None for all.
        flag: The one flag that it holds, as ``namespace/name``; None for all of the namespaces.
    """

    namespaces: frozenset[str] | None = None
    flag: str | None = None

    def covers(self, flag: str) -> bool:
        """Tell whether it holds a flag (``namespace/name``)."""
        if self.flag is not None:
            return flag == self.flag
        return self.namespaces is None or flag.partition("/")[0] in self.namespaces

    def meets(self, other: Scope) -> bool:
        """Tell whether there could be a flag that both hold."""
        if self.flag is not None:
            return other.covers(self.flag)
        if other.flag is not None:
            return self.covers(other.flag)
        return self.namespaces is None or other.namespaces is None or not self.namespaces.isdisjoint(other.namespaces)

    def __str__(self) -> str:
        """Write it for messages."""
        if self.flag is not None:
            return self.flag
        return "every namespace" if self.namespaces is None else ", ".join(sorted(self.namespaces))


Span: TypeAlias = tuple[datetime, datetime]
"""From an instant (inclusive) until another (exclusive)."""


def joined(spans: Iterable[Span]) -> list[Span]:
    """Join spans that overlap, in order; those that only touch stay apart, and empty ones are left out."""
    found: list[Span] = []
    for since, until in sorted(span for span in spans if span[0] < span[1]):
        if found and since < found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], until)
        else:
            found.append((since, until))
    return found


def length(spans: Iterable[Span]) -> timedelta:
    """Add up how long spans last together; what overlaps counts once."""
    return sum((until - since for since, until in joined(spans)), timedelta())
