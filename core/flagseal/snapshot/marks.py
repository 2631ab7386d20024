"""The publisher's memory outside the store: how far it had got.

A store that was restored from a copy looks like any other: every signature in it holds. What tells is a mark
kept elsewhere (the data folder here, the Lease in a cluster). A store below the mark is held and alarmed,
never extended: extending it would make the loss final.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from flagseal.model.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Mark:
    """How far publishing had got.

    Attributes:
        sequence: Of the head published last; -1 if none was.
        snapshot: Version of the snapshot published last; 0 if none was.
        timestamp: Version of the timestamp published last; 0 if none was.
    """

    sequence: int = -1
    snapshot: int = 0
    timestamp: int = 0

    def raised(self, other: Mark) -> Mark:
        """Give the mark that is as high as both."""
        return Mark(
            max(self.sequence, other.sequence),
            max(self.snapshot, other.snapshot),
            max(self.timestamp, other.timestamp),
        )


class Marks(Protocol):
    """Remember the highest mark, outside the store."""

    def read(self) -> Mark:
        """Give the highest mark.

        Raises:
            SnapshotError: It cannot be read; nothing may be published then.
        """
        ...

    def reach(self, mark: Mark) -> None:
        """Raise the mark; it never falls.

        Raises:
            SnapshotError: It cannot be written.
        """
        ...


class FileMarks:
    """Keep the mark in a JSON file.

    Args:
        path: The file; it may be missing, which means that nothing was ever published from here.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def read(self) -> Mark:
        """Read the file; see :meth:`Marks.read`."""
        try:
            body = json.loads(self.path.read_bytes())
            return Mark(int(body["sequence"]), int(body["snapshot"]), int(body["timestamp"]))
        except FileNotFoundError:
            return Mark()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SnapshotError(
                f"{self.path}: cannot be read ({error})",
                code="MarkUnreadable",
                remedy="Restore it, or, if you are sure that the store was not rolled back, remove it.",
            ) from error

    def reach(self, mark: Mark) -> None:
        """Replace the file, durably, by one that is as high; see :meth:`Marks.reach`."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked():
                before = self.read()
                after = before.raised(mark)
                if after == before:
                    return
                staged = self.path.with_name(f"{self.path.name}.new")
                with staged.open("wb") as file:
                    file.write(json.dumps(asdict(after)).encode() + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
                staged.replace(self.path)
        except OSError as error:
            raise SnapshotError(
                f"{self.path}: cannot be written ({error.strerror})",
                code="MarkUnwritable",
                remedy="Let this process write there, and free space; the snapshot itself is published.",
            ) from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with self.path.with_name(f"{self.path.name}.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
