"""Stores that fail, and hands that tamper."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from flagseal.snapshot.marks import FileMarks

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.snapshot.marks import Mark
    from flagseal.snapshot.store import DirectoryStore, PrunedStore, Store, Stored


class PowerCut(BaseException):
    """The machine is gone: nothing that catches errors gets to see it."""


class Fuse:
    """Blow at a certain write.

    Args:
        writes: How many writes go through.
        torn: Whether the last of them is done and the writer never hears of it; otherwise it is not done.
    """

    def __init__(self, writes: int, *, torn: bool) -> None:
        self.left = writes
        self._torn = torn

    def before(self) -> None:
        """Count a write that begins."""
        if self.left == 0 and not self._torn:
            raise PowerCut
        self.left -= 1

    def after(self) -> None:
        """Count a write that is done."""
        if self.left < 0:
            raise PowerCut


class DyingStore:
    """A store on a machine that loses power at a certain write."""

    def __init__(self, store: Store, fuse: Fuse) -> None:
        self._store = store
        self._fuse = fuse

    def get(self, name: str, *, limit: int | None = None) -> Stored | None:
        """Read."""
        return self._store.get(name, limit=limit)

    def list(self, prefix: str) -> tuple[str, ...]:
        """List."""
        return self._store.list(prefix)

    def put_new(self, name: str, data: bytes) -> None:
        """Create, unless the power is cut."""
        self._fuse.before()
        self._store.put_new(name, data)
        self._fuse.after()

    def replace(self, name: str, data: bytes, *, if_match: str | None) -> str:
        """Replace, unless the power is cut."""
        self._fuse.before()
        etag = self._store.replace(name, data, if_match=if_match)
        self._fuse.after()
        return etag


class DyingPrunedStore(DyingStore):
    """The same, where things are removed too."""

    def __init__(self, store: PrunedStore, fuse: Fuse) -> None:
        super().__init__(store, fuse)
        self._pruned = store

    def remove(self, name: str) -> None:
        """Remove, unless the power is cut."""
        self._fuse.before()
        self._pruned.remove(name)
        self._fuse.after()


class DyingMarks(FileMarks):
    """Marks on the same machine."""

    def __init__(self, path: Path, fuse: Fuse) -> None:
        super().__init__(path)
        self._fuse = fuse

    def reach(self, mark: Mark) -> None:
        """Raise the mark, unless the power is cut."""
        self._fuse.before()
        super().reach(mark)
        self._fuse.after()


def copy_of(store: DirectoryStore, to: Path) -> Path:
    """Keep a copy of a store, to be brought back later."""
    shutil.copytree(store.path, to)
    return to


def bring_back(store: DirectoryStore, copy: Path) -> None:
    """Put a store back as it was when it was copied."""
    shutil.rmtree(store.path)
    shutil.copytree(copy, store.path)


def overwrite(store: DirectoryStore, name: str, data: bytes) -> None:
    """Write into a store past all its rules, as whoever owns the disk can."""
    path = store.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    # Whole at once: who reads the store meanwhile must not find half a file, and complain of that.
    beside = store.path.parent / f".{path.name}.new"
    beside.write_bytes(data)
    beside.replace(path)
