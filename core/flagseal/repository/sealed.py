"""Files of a cache that only the person who wrote them believes (docs/adr/0125).

A cache lies in the working tree, and a working tree is what somebody else's pull request is checked out to. So each
file carries a keyed digest, and the key lies in the person's own cache folder, where no repository reaches. What was
spoilt, cut off, copied from elsewhere or brought along by a commit is as good as nothing.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import stat
from pathlib import Path
from typing import Final

_KEY_BYTES: Final = 32
_SEAL_BYTES: Final = 32


class SealedFile:
    """Read and replace one file of a cache; nothing about it is ever an error.

    Args:
        path: Where it lies; its folder is made when there is something to keep.
        key: What seals it; by default the person's own (:func:`own_key`).
        largest: Bytes above which a file is not even read.
    """

    def __init__(self, path: Path, *, key: bytes | None = None, largest: int = 256 * 1024 * 1024) -> None:
        self.path = path
        self._key = key
        self._largest = largest

    def read(self) -> bytes | None:
        """Give what was written; None if there is nothing, or nothing that we wrote here ourselves."""
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                status = os.fstat(handle)
                if not stat.S_ISREG(status.st_mode) or status.st_size > self._largest:
                    return None
                with os.fdopen(handle, "rb", closefd=False) as file:
                    whole = file.read(self._largest + 1)
            finally:
                os.close(handle)
        except OSError:
            return None
        seal, data = whole[:_SEAL_BYTES], memoryview(whole)[_SEAL_BYTES:]
        expected = self._seal(data)
        return bytes(data) if expected is not None and hmac.compare_digest(seal, expected) else None

    def write(self, data: bytes) -> None:
        """Replace the file at once; where that cannot be, nothing is lost but time."""
        seal = self._seal(memoryview(data))
        if seal is None:
            return
        staged = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, staged = new_file(self.path.parent, ".new-")
            with os.fdopen(handle, "wb") as file:
                file.write(seal)
                file.write(data)
            Path(staged).replace(self.path)
        except OSError:
            if staged is not None:
                with contextlib.suppress(OSError):
                    Path(staged).unlink()

    def _seal(self, data: memoryview) -> bytes | None:
        key = self._key or own_key()
        if key is None:
            return None
        # Bound to its place: what is right in one repository's cache is nothing in another's.
        place = os.fsencode(self.path.parent.resolve() / self.path.name)
        seal = hmac.new(key, place + b"\0", "sha256")
        seal.update(data)
        return seal.digest()


def new_file(folder: Path, prefix: str) -> tuple[int, str]:
    """Open a new file that nobody else may read; :mod:`tempfile` would do, and takes 5 ms to import.

    Raises:
        OSError: It cannot be.

    Returns:
        Its handle and its path.
    """
    path = f"{folder}/{prefix}{os.urandom(8).hex()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), path


def remove_others(path: Path, pattern: str) -> None:
    """Remove files beside one that match a pattern: what an older version kept."""
    for old in path.parent.glob(pattern):
        if old.name != path.name:
            with contextlib.suppress(OSError):
                old.unlink()


def own_key() -> bytes | None:
    """Give the key of the person whose process this is, made at first; None where they have no place for one.

    A key that others could have read or written is none.
    """
    try:
        named = os.environ.get("XDG_CACHE_HOME", "")
        # A relative path is to be ignored (XDG Base Directory Specification), and could lead into a repository.
        folder = (Path(named) if os.path.isabs(named) else Path.home() / ".cache") / "flagseal"  # noqa: PTH117 (a text)
        path = folder / "key"
        with contextlib.suppress(FileNotFoundError):
            return _private(path)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, staged = new_file(folder, ".new-")
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(_KEY_BYTES))
        with contextlib.suppress(FileExistsError):  # Another process was first: then theirs is everybody's.
            os.link(staged, path)
        Path(staged).unlink()
        return _private(path)
    except (OSError, RuntimeError):  # no home, no room, no permission
        return None


def _private(path: Path) -> bytes | None:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        foreign = hasattr(os, "geteuid") and (status.st_uid != os.geteuid() or status.st_mode & 0o077)
        key = file.read(_KEY_BYTES + 1)
    return None if foreign or len(key) != _KEY_BYTES else key
