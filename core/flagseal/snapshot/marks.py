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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flagseal.model.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """How far publishing had got.

    Attributes:
        sequence: Of the head published last; -1 if none was.
        snapshot: Version of the snapshot published last; 0 if none was.
        timestamp: Version of the timestamp published last; 0 if none was.
        lost: Whether a person said that what was published is lost for good (docs/adr/0114): an empty store, or an
            older one, is gone on from then, with versions above the mark, and not before the head reaches its
            sequence. The next publication takes it back.
    """

    sequence: int = -1
    snapshot: int = 0
    timestamp: int = 0
    lost: bool = False

    def raised(self, other: Mark) -> Mark:
        """Give the mark that is as high as both."""
        return Mark(
            max(self.sequence, other.sequence),
            max(self.snapshot, other.snapshot),
            max(self.timestamp, other.timestamp),
            lost=self.lost and other.lost,
        )

    def given_up(self, now: datetime) -> Mark:
        """Say that what was published is lost for good.

        Args:
            now: The clock. Versions go on above its minutes too, in case this mark is not the highest that there was.
        """
        floor = int(now.timestamp()) // 60
        return Mark(self.sequence, max(self.snapshot, floor), max(self.timestamp, floor), lost=True)

    def body(self) -> dict[str, int | bool]:
        """Give it as JSON."""
        body: dict[str, int | bool] = {
            "sequence": self.sequence,
            "snapshot": self.snapshot,
            "timestamp": self.timestamp,
        }
        return {**body, "lost": True} if self.lost else body

    @staticmethod
    def of(body: Any) -> Mark:  # noqa: ANN401 (JSON)
        """Read it from JSON.

        Raises:
            ValueError: It is none; KeyError and TypeError likewise.
        """
        return Mark(
            int(body["sequence"]), int(body["snapshot"]), int(body["timestamp"]), lost=body.get("lost", False) is True
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
            return Mark.of(json.loads(self.path.read_bytes()))
        except FileNotFoundError:
            return Mark()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise SnapshotError(
                f"{self.path}: cannot be read ({error})",
                code="MarkUnreadable",
                remedy="Restore it, or, if you are sure that the store was not rolled back, remove it.",
            ) from error

    def reach(self, mark: Mark) -> None:
        """Replace the file, durably, by one that is as high; see :meth:`Marks.reach`."""
        self._change(lambda before: before.raised(mark))

    def give_up(self, now: datetime) -> Mark:
        """Write down that what was published is lost for good; see :meth:`Mark.given_up`."""
        return self._change(lambda before: before.given_up(now))

    def _change(self, change: Callable[[Mark], Mark]) -> Mark:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._locked():
                before = self.read()
                after = change(before)
                if after != before:
                    staged = self.path.with_name(f"{self.path.name}.new")
                    with staged.open("wb") as file:
                        file.write(json.dumps(after.body()).encode() + b"\n")
                        file.flush()
                        os.fsync(file.fileno())
                    staged.replace(self.path)
                return after
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
