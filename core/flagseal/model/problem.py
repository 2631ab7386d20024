"""One thing that is wrong with a document, before anybody has looked up where it stands in a file."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

import msgspec

from flagseal.model.characters import shown
from flagseal.model.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagseal.model.document import Source


_MOST_COMPARED: Final = 500
"""A repository of ten thousand flags, and a file of a thousand misspelt ones, must not make anybody wait."""


class Problem(msgspec.Struct, frozen=True):
    """Say what is wrong at a JSONPath, and what to do."""

    rule: str
    path: str
    message: str
    remedy: str

    def at(self, source: Source) -> Finding:
        """Place it in the file that the document was read from."""
        position = source.at(self.path)
        return Finding(source.file, position.line, position.column, self.rule, self.path, self.message, self.remedy)

    def about(self, place: str) -> Finding:
        """Place it in something that is no file: a resource, a statement's bundle."""
        return Finding(place, 0, 0, self.rule, self.path, self.message, self.remedy)


def quoted(words: Iterable[str]) -> str:
    """List words for a sentence: `` `a`, `b` or `c` ``."""
    parts = [f"`{shown(word)}`" for word in words]
    return " or ".join(([", ".join(parts[:-1])] if len(parts) > 1 else []) + parts[-1:])


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest what was meant, as a remedy; empty where nothing is near, or where too much would have to be compared."""
    names = list(known)
    near = get_close_matches(word[:64], names, n=1, cutoff=0.6) if len(names) <= _MOST_COMPARED else []
    return f"Did you mean `{near[0]}`?" if near else ""
