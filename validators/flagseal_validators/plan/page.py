"""A page of Markdown that never grows beyond its limit: what fits goes in, the rest is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal_validators.plan.ordering import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

_RESERVE: Final = 1_500
"""Kept for the lines that say what was left out."""


class Page:
    """Takes blocks as long as they fit, and says what it left out.

    Args:
        limit: UTF-16 units that the page may have.
    """

    def __init__(self, limit: int) -> None:
        self._blocks: list[str] = []
        self._room = limit - _RESERVE
        self._left_out: list[str] = []

    def add(self, *blocks: str) -> None:
        """Add whole blocks, each on lines of its own."""
        for block in filter(None, blocks):
            if not self._take(block):
                self._left_out.append("a section")

    def table(self, title: str, header: tuple[str, ...], rows: list[tuple[str, ...]], more: int = 0) -> None:
        """Add a table with a title; its rows as far as they fit."""
        if rows:
            tail = f"… and {counted(more, 'more row')} below." if more else ""
            self._rows(f"{title}\n\n", header, rows, f"\n\n{tail}" if tail else "", "row")

    def folded(self, summary: str, header: tuple[str, ...], rows: list[tuple[str, ...]], word: str) -> None:
        """Add a table that is folded away; its rows as far as they fit. The summary holds our own words only."""
        if rows:
            self._rows(f"<details><summary>{summary}</summary>\n\n", header, rows, "\n\n</details>", word)

    def text(self) -> str:
        """Give the page."""
        blocks = list(self._blocks)
        if self._left_out:
            counts = ", ".join(dict.fromkeys(self._left_out))
            blocks.append(
                f"> **Cut here**: a comment holds no more, so {counts} of this plan are not shown. "
                "`flagseal plan --format json` holds all of it."
            )
        return "\n\n".join(blocks) + "\n"

    def _take(self, block: str) -> bool:
        size = units(block) + 2
        if size > self._room:
            return False
        self._room -= size
        self._blocks.append(block)
        return True

    def _rows(self, before: str, header: tuple[str, ...], rows: list[tuple[str, ...]], after: str, word: str) -> None:
        head = before + row(header) + "\n" + row(("---",) * len(header))
        left = self._room - units(head) - units(after) - 2
        kept: list[str] = []
        for cells in rows:
            line = "\n" + row(cells)
            left -= units(line)
            if left < 0:
                break
            kept.append(line)
        if kept:
            self._take(head + "".join(kept) + after)
        if len(kept) < len(rows):
            self._left_out.append(counted(len(rows) - len(kept), word))


def units(text: str) -> int:
    """Measure a text as GitHub does."""
    return len(text.encode("utf-16-le")) // 2


def row(cells: Iterable[str]) -> str:
    """Write a row of a table."""
    return "| " + " | ".join(cells) + " |"
