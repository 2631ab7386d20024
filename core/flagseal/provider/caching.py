"""Where each process keeps what it verified.

A client's cache has one process at a time (:mod:`flagseal.snapshot.cache`), and an application may run as many. So
the directory an application names holds numbered places, and each process takes the first that is free. An application
that names none gets a directory that ends with it, and so does a process that was forked off: it begins with a copy of
what its parent knew, since what was seen before is what protects from being shown something older.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flagseal.model.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagseal.snapshot.client import SnapshotClient

_PLACES: Final = 256


class CachePlace:
    """A directory for one client of one process.

    Args:
        path: The directory.
        passing: Whether it ends with the process.
    """

    def __init__(self, path: Path, *, passing: bool) -> None:
        self.path = path
        self._passing = passing

    def leave(self) -> None:
        """Remove it if it was only for this process."""
        if self._passing:
            shutil.rmtree(self.path, ignore_errors=True)


def open_in_place(
    cache: Path | None, seed: Path | None, opened: Callable[[Path], SnapshotClient]
) -> tuple[SnapshotClient, CachePlace]:
    """Open a client in a directory that no other process uses.

    Args:
        cache: Holds the places; None takes a directory of the process's own.
        seed: A cache to begin with a copy of, whoever uses it; the copy is the process's own.
        opened: Opens a client in a directory.

    Raises:
        SnapshotError: All places are taken (``CacheInUse``), or one cannot be written (``CacheUnusable``).
    """
    if cache is None or seed is not None:
        try:
            path = Path(tempfile.mkdtemp(prefix="flagseal-"))
        except OSError as error:
            raise SnapshotError(
                f"no temporary directory can be made: {error}",
                code="CacheUnusable",
                remedy="Name a directory with `cache`, or set TMPDIR.",
            ) from error
        place = CachePlace(path, passing=True)
        if seed is not None:
            _copy(seed, place.path)
        try:
            return opened(place.path), place
        except BaseException:
            place.leave()
            raise
    for number in range(_PLACES):
        path = cache / str(number)
        with suppress(_InUse):
            return _open(opened, path), CachePlace(path, passing=False)
    raise SnapshotError(
        f"{cache}: {_PLACES} processes use this cache",
        code="CacheInUse",
        remedy="Give some of them another directory.",
    )


class _InUse(Exception):
    """Another process uses a place."""


def _open(opened: Callable[[Path], SnapshotClient], path: Path) -> SnapshotClient:
    try:
        return opened(path)
    except SnapshotError as error:
        if error.code == "CacheInUse":
            raise _InUse from None
        raise


def _copy(source: Path, target: Path) -> None:
    """Copy a cache that may be in use. What is missing or torn is found when it is verified, and fetched anew."""
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        with suppress(OSError):
            if path.is_dir():
                copy.mkdir(parents=True, exist_ok=True)
            elif path.name != "lock" and path.suffix != ".new":
                shutil.copyfile(path, copy)
