"""Where a snapshot lives: a small protocol, and a directory that keeps it.

General file layers check and then write; between the two another publisher may write as well. A store
here offers the two writes that need no check (distribution.md, Publishing): create or fail, and
replace what has not changed. What cannot do both is not a store.

::

    metadata/1.root.json   metadata/7.snapshot.json   metadata/timestamp.json
    targets/payments/<sha256>.flags.json
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from flagseal.model.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._%-]*")
_MAX_NAME = 512
_MAX_SEGMENT = 200

_STAGING = ".staging"
_LOCK = ".lock"
_ABANDONED_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Stored:
    """Hold what a store gave: the bytes, and a tag that changes whenever they do."""

    data: bytes
    etag: str


class AlreadyExists(SnapshotError):
    """Say that a name is taken; what is there was left alone."""

    code = "AlreadyExists"


class Conflict(SnapshotError):
    """Say that what was to be replaced has changed since it was read."""

    code = "Conflict"


class TooLarge(SnapshotError):
    """Say that there is more under a name than the reader wants."""

    code = "TooLarge"


class Reader(Protocol):
    """Read what was published, from wherever it lies."""

    def get(self, name: str, *, limit: int | None = None) -> Stored | None:
        """Give what lies under a name, whole; None if nothing does.

        Args:
            name: Path below the store's root, with ``/`` between segments.
            limit: Most bytes wanted.

        Raises:
            TooLarge: There is more than ``limit``.
            SnapshotError: The store cannot be read.
        """
        ...


class Store(Reader, Protocol):
    """Keep published files. Every write is atomic: a reader sees all of it or none."""

    def put_new(self, name: str, data: bytes) -> None:
        """Create a name, or fail.

        Raises:
            AlreadyExists: The name is taken, whatever by.
            SnapshotError: The store cannot be written; nothing was.
        """
        ...

    def replace(self, name: str, data: bytes, *, if_match: str | None) -> str:
        """Replace what lies under a name if it is still what the caller read.

        Args:
            name: Path below the store's root.
            data: The new content.
            if_match: The tag read before; None if there was nothing.

        Raises:
            Conflict: Something else lies there by now.
            SnapshotError: The store cannot be written; the old content stands.

        Returns:
            The new tag.
        """
        ...

    def list(self, prefix: str) -> tuple[str, ...]:
        """Name everything that begins with ``prefix``, sorted."""
        ...


class PrunedStore(Store, Protocol):
    """A store from which what is superfluous can be removed (:mod:`flagseal.snapshot.prune`)."""

    def remove(self, name: str) -> None:
        """Remove what lies under a name, if anything does.

        Raises:
            SnapshotError: The store cannot be written.
        """
        ...


def check_name(name: str) -> str:
    """Refuse a name that could leave the store, or that some file system reads differently.

    Raises:
        SnapshotError: A segment is empty, hidden, too long, or has a character outside ``[A-Za-z0-9._%-]``.
    """
    segments = name.split("/")
    if len(name) > _MAX_NAME or not all(
        len(segment) <= _MAX_SEGMENT and _SEGMENT.fullmatch(segment) for segment in segments
    ):
        raise SnapshotError(
            f"{name!r} is not a name a store may hold",
            code="BadName",
            remedy="Use segments of letters, digits, '.', '_', '%' and '-', joined by '/'.",
        )
    return name


def etag_of(data: bytes) -> str:
    """Tag bytes by their SHA-256, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


class DirectoryStore:
    """Keep a snapshot in a directory of a local (or cluster) file system.

    New names are hard links to a finished file, so a name never shows half of its content; replacing
    renames over the old file under an advisory lock. Both are followed by ``fsync`` of file and folder.

    Args:
        path: The directory; created if it is missing.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._swept = False

    def __repr__(self) -> str:
        return f"DirectoryStore({str(self.path)!r})"

    def get(self, name: str, *, limit: int | None = None) -> Stored | None:
        """Read a file; see :meth:`Reader.get`."""
        path = self.path / check_name(name)
        try:
            with path.open("rb") as file:
                data = file.read() if limit is None else file.read(limit + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unusable(error, path, "read") from error
        if limit is not None and len(data) > limit:
            raise TooLarge(f"{path}: more than the {limit} bytes expected", remedy="Find out who wrote this file.")
        return Stored(data, etag_of(data))

    def put_new(self, name: str, data: bytes) -> None:
        """Link a finished file to a new name; see :meth:`Store.put_new`."""
        path = self.path / check_name(name)
        try:
            with self._staged(data) as staged:
                path.parent.mkdir(parents=True, exist_ok=True)
                # O_EXCL would create the name before its content: a crash between the two leaves a torn file.
                os.link(staged, path)
                _sync_folder(path.parent)
        except FileExistsError as error:
            raise AlreadyExists(f"{path}: exists already") from error
        except OSError as error:
            raise _unusable(error, path, "write") from error

    def replace(self, name: str, data: bytes, *, if_match: str | None) -> str:
        """Rename over a file that is still the one read; see :meth:`Store.replace`."""
        path = self.path / check_name(name)
        try:
            with self._locked():
                there = self.get(name)
                if (None if there is None else there.etag) != if_match:
                    raise Conflict(f"{path}: was changed by somebody else", remedy="Read it again.")
                with self._staged(data) as staged:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    staged.replace(path)
                    _sync_folder(path.parent)
        except OSError as error:
            raise _unusable(error, path, "write") from error
        return etag_of(data)

    def remove(self, name: str) -> None:
        """Unlink a file; see :meth:`PrunedStore.remove`."""
        path = self.path / check_name(name)
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                _sync_folder(path.parent)
        except OSError as error:
            raise _unusable(error, path, "remove") from error

    def list(self, prefix: str) -> tuple[str, ...]:
        """Walk the folder the prefix names; see :meth:`Store.list`."""
        folder = self.path / prefix.rpartition("/")[0]
        try:
            names = [
                (Path(base) / file).relative_to(self.path).as_posix()
                for base, _, files in os.walk(folder)
                for file in files
            ]
        except OSError as error:
            raise _unusable(error, folder, "read") from error
        return tuple(sorted(name for name in names if name.startswith(prefix) and not name.startswith(".")))

    @contextlib.contextmanager
    def _staged(self, data: bytes) -> Iterator[Path]:
        """Write bytes to a file of their own, durably, and remove it whatever happens."""
        folder = self.path / _STAGING
        folder.mkdir(parents=True, exist_ok=True)
        self._sweep(folder)
        staged = folder / secrets.token_hex(12)
        try:
            with staged.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield staged
        finally:
            with contextlib.suppress(FileNotFoundError):
                staged.unlink()

    def _sweep(self, folder: Path) -> None:
        """Once, remove what a process that was killed left half written."""
        if self._swept:
            return
        self._swept = True
        for left in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                    left.unlink()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / _LOCK).open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _sync_folder(path: Path) -> None:
    """Make a name durable: the file's own ``fsync`` says nothing of the entry that leads to it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_CLOSED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def _unusable(error: OSError, path: Path, verb: str) -> SnapshotError:
    """Put a failure of the file system into words a person can act on."""
    said = error.strerror or str(error)
    if error.errno in _FULL:
        return SnapshotError(
            f"{path}: no room to {verb} ({said})",
            code="StoreFull",
            remedy="Free space or raise the quota; what was published before stands, and publishing goes on by itself.",
        )
    if error.errno in _CLOSED:
        return SnapshotError(
            f"{path}: may not {verb} ({said})",
            code="StoreClosed",
            remedy="Let this process's user read and write the store's directory; is it mounted read-only?",
        )
    return SnapshotError(f"{path}: cannot {verb} ({said})", code="StoreUnusable", remedy="Look after the file system.")
