"""Putting a file's lines in order (docs/adr/0126).

Whole lines are moved, each entry with the comments above it and behind it, so quotes, styles and comments stay as they
are. What comes out is loaded again: unless it is the same document with the same comments, the file is left alone.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import yaml

from flagseal.model.characters import visible
from flagseal.model.errors import FlagsealError
from flagseal.model.jsonpath import ROOT, child
from flagseal.model.loader import load_text
from flagseal_validators.formatting.order import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST_ROUNDS: Final = 100
_COMMENT: Final = re.compile(r"(?:^|[ \t])#.*$", re.MULTILINE)


class LeftAlone(FlagsealError):
    """A file cannot be put in order: ``NotFormatted``."""


@dataclass(frozen=True, slots=True)
class Arranged:
    """A file in house order.

    Attributes:
        text: What it should hold.
        moved: JSONPaths of the mappings whose keys were moved.
    """

    text: str
    moved: tuple[str, ...]


def arrange_text(data: bytes, *, file: str) -> Arranged:
    """Put a file in house order.

    Args:
        data: The file.
        file: What messages call it.

    Raises:
        LeftAlone: It has findings of form, or could not be put in order without changing what it says.
    """
    loaded = load_text(data, file=file)
    if not loaded.documents:
        found = ", ".join(sorted({finding.rule for finding in loaded.findings}))
        raise LeftAlone(
            f"{visible(file)}: left alone, since it is no document that could be put in order ({found})",
            code="NotFormatted",
            remedy="Mend what `flagseal validate` finds first.",
        )
    (document,) = loaded.documents
    text = data.decode("utf-8").replace("\r\n", "\n")
    lines, moved = _in_order(text.split("\n"), Place.of(document.kind)) or ([], ())
    for candidate in ("\n".join(_trimmed(lines)) + "\n", "\n".join(lines)):
        again = load_text(candidate.encode(), file=file)
        same = bool(again.documents) and again.documents[0].canonical == document.canonical
        if same and _comments(candidate) == _comments(text):
            return Arranged(candidate, moved)
    raise LeftAlone(
        f"{visible(file)}: left alone, since putting it in order would change what it says",
        code="NotFormatted",
        remedy="Put its keys in order by hand, or write nested mappings on lines of their own.",
    )


def _comments(text: str) -> Counter[str]:
    """Count what may be comments; a text that holds the sign counts as well, which does no harm."""
    return Counter(comment.strip() for comment in _COMMENT.findall(text))


def _trimmed(lines: Sequence[str]) -> list[str]:
    """Leave out spaces at the end of lines, and empty lines at both ends of the file."""
    kept = [line.rstrip(" \t") for line in lines]
    first = next((number for number, line in enumerate(kept) if line), 0)
    last = max((number for number, line in enumerate(kept) if line), default=0)
    return kept[first : last + 1]


@dataclass(frozen=True, slots=True)
class _Edit:
    """Lines from ``start`` to before ``stop``, and what is to stand there; ``moved`` tells of which mappings."""

    start: int
    stop: int
    lines: list[str]
    moved: tuple[str, ...]


def _in_order(lines: list[str], place: Place) -> tuple[list[str], tuple[str, ...]] | None:
    """Move lines until nothing is left to move; None if that has no end."""
    moved: dict[str, None] = {}
    for _ in range(_MOST_ROUNDS):
        # Read again each time: places are those of the lines as they stand now.
        node = yaml.compose("\n".join(lines), yaml.CSafeLoader)
        chosen: list[_Edit] = []
        for edit in () if node is None else _edits(lines, node, place, ROOT):
            if not chosen or edit.start >= chosen[-1].stop:  # What lies within another comes in the next round.
                chosen.append(edit)
        if not chosen:
            return lines, tuple(moved)
        for edit in reversed(chosen):
            lines[edit.start : edit.stop] = edit.lines
        moved |= dict.fromkeys(path for edit in chosen for path in edit.moved)
    return None


def _edits(lines: list[str], node: yaml.Node, place: Place, path: str) -> Iterator[_Edit]:
    """Give what puts each mapping in order that can be, from the top; the same lines may be meant several times."""
    if isinstance(node, yaml.CollectionNode) and node.flow_style and node.start_mark.line == node.end_mark.line:
        moved: list[str] = []
        number, start, end = node.start_mark.line, node.start_mark.column, node.end_mark.column
        text = _between_braces(lines[number], node, place, path, moved)
        if moved:
            yield _Edit(number, number + 1, [lines[number][:start] + text + lines[number][end:]], tuple(moved))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _edits(lines, item, place.item(), child(path, index))
    elif isinstance(node, yaml.MappingNode):
        entries = [_Entry(key, value) for key, value in node.value]
        order = _order(entries, place)
        # Braces over several lines stay: comments may be anywhere among them.
        if not node.flow_style and order is not None and (edit := _block(lines, node, entries, order, path)):
            yield edit
        for entry in entries:
            yield from _edits(lines, entry.value, place.entry(entry.name), child(path, entry.name))


def _order(entries: list[_Entry], place: Place) -> list[int] | None:
    """Give the entries' numbers in order; None if they stand so."""
    ranks = {name: rank for rank, name in enumerate(place.order())}
    order = sorted(range(len(entries)), key=lambda number: (ranks.get(entries[number].name, len(ranks)), number))
    return order if ranks and order != list(range(len(entries))) else None


def _between_braces(line: str, node: yaml.Node, place: Place, path: str, moved: list[str]) -> str:
    """Give the text of a value on one line with everything in it in order, and name what was moved."""
    start, end = node.start_mark.column, node.end_mark.column
    order = None
    parts: list[tuple[int, int, str]] = []
    if isinstance(node, yaml.MappingNode):
        entries = [_Entry(key, value) for key, value in node.value]
        order = _order(entries, place)
        if order is not None:
            moved.append(path)
        for entry in entries:
            inner = place.entry(entry.name), child(path, entry.name)
            text = _between_braces(line, entry.value, *inner, moved)
            first, last = entry.value.start_mark.column, max(entry.value.end_mark.column, entry.column + 1)
            parts.append((entry.column, last, line[entry.column : first] + text))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            text = _between_braces(line, item, place.item(), child(path, index), moved)
            parts.append((item.start_mark.column, item.end_mark.column, text))
    if order is not None:
        return f"{{{', '.join(parts[number][2].rstrip() for number in order)}}}"
    result = line[start:end]
    for first, last, text in reversed(parts):
        result = result[: first - start] + text + result[last - start :]
    return result


class _Entry:
    """A key with its value, and where they stand: lines and columns from 0."""

    def __init__(self, key: yaml.ScalarNode, value: yaml.Node) -> None:
        self.name: str = key.value
        self.value = value
        self.line: int = key.start_mark.line
        self.column: int = key.start_mark.column
        self.last = max(self.line, _last_line(value))


def _last_line(node: yaml.Node) -> int:
    """Find the last line that a value stands on; the end that the parser gives lies behind comments and empty lines."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return max(node.start_mark.line, _last_line(last[1] if isinstance(last, tuple) else last))
    end: yaml.Mark = node.end_mark
    return end.line if end.column else max(node.start_mark.line, end.line - 1)


def _block(lines: list[str], node: yaml.Node, entries: list[_Entry], order: list[int], path: str) -> _Edit | None:
    """Move entries with their comments; None if they do not stand on lines of their own."""
    column = node.start_mark.column
    if any(entry.column != column for entry in entries) or any(
        entry.last >= following.line for entry, following in pairwise(entries)
    ):
        return None
    before = lines[entries[0].line][:column]
    opens = bool(before.strip())  # "- ": the first key shares its line
    starts = [
        entry.line if number == 0 and (opens or column == 0) else _lead(lines, entry.line, column)
        for number, entry in enumerate(entries)
    ]
    starts = [starts[0], *(max(start, entry.last + 1) for start, entry in zip(starts[1:], entries, strict=False))]
    ends = [*starts[1:], entries[-1].last + 1]
    result: list[str] = []
    for position, number in enumerate(order):
        entry = entries[number]
        lead = lines[starts[number] : entry.line]
        if position == 0 and number != 0:
            lead = [line for line in lead if line.strip()]
        result += lead
        result.append((before if position == 0 else " " * column) + lines[entry.line][column:])
        result += lines[entry.line + 1 : ends[number]]
    return _Edit(starts[0], ends[-1], result, (path,))


def _lead(lines: list[str], line: int, column: int) -> int:
    """Find the first of the comments and empty lines above a key that belong to it: those no deeper than it is."""
    start = line
    while start > 0:
        above = lines[start - 1]
        text = above.strip()
        if text and not (text.startswith("#") and len(above) - len(above.lstrip()) <= column):
            break
        start -= 1
    return start
