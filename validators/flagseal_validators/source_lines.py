"""Lines of the files of a repository, to show where something is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal_validators.tree import read_file

if TYPE_CHECKING:
    from pathlib import Path


class SourceLines:
    """Read lines, following no link; the file asked for last is kept.

    Args:
        root: The repository's top folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._last: tuple[str, list[str]] = ("", [])

    def line(self, file: str, number: int) -> str | None:
        """Give a line, counted from 1; None where there is none, or none that can be read."""
        if file != self._last[0]:
            data = read_file(self._root / file) or b""
            # A byte order mark is no column.
            self._last = (file, data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").split("\n"))
        lines = self._last[1]
        return lines[number - 1].removesuffix("\r") if 0 < number <= len(lines) else None
