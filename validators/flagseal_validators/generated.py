"""Files of the repository that are made from its code: written, or held against what they must be."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class GeneratedFiles:
    """A folder that holds generated files of one suffix and no others of it.

    Attributes:
        folder: Where they lie.
        suffix: As in ``.json``.
        wanted: Every file by name (below the folder, with forward slashes), as it must be.
        command: What writes them, for people.
    """

    folder: Path
    suffix: str
    wanted: Mapping[str, str]
    command: str

    def stale(self) -> list[str]:
        """Name the files that are missing, differ from their source, or have none."""
        found = self.folder.rglob(f"*{self.suffix}")
        there = {path.relative_to(self.folder).as_posix(): path.read_text("utf-8") for path in found}
        return sorted(name for name in self.wanted.keys() | there.keys() if self.wanted.get(name) != there.get(name))

    def run(self, arguments: Sequence[str]) -> int:
        """Write the files, or with ``--check`` only tell which are not right; give the exit code."""
        if list(arguments) not in ([], ["--check"]):
            sys.stderr.write(f"usage: {self.command} [--check]\n")
            return 2
        names = self.stale()
        if not arguments:
            for name in names:
                if name in self.wanted:
                    (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                    (self.folder / name).write_text(self.wanted[name], "utf-8")
                else:
                    (self.folder / name).unlink()
            return 0
        for name in names:
            sys.stderr.write(f"{self.folder / name}: not what its source says; run {self.command}\n")
        return 1 if names else 0
