"""A client's directory: the last good snapshot, what was known then, and what TUF remembers.

::

    lock           one process a directory
    tuf/           tuf.ngclient's own: its memory against rollback, whether or not content was good
    good.json      the last good snapshot: names in the store, each with the hash of its bytes
    blobs/         those bytes, named by hash
    known.json     sequence, statement and time of the last fresh verification

Nothing here is believed: a good snapshot is verified again from the pinned root before it is served, and what
does not verify is fetched anew. A cache can be lost at any time; it then costs one download.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.content import Known

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Cache:
    """Own a client's directory.

    Args:
        path: Created if it is missing.

    Raises:
        SnapshotError: Another process uses it (``CacheInUse``), or it cannot be written (``CacheUnusable``).
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.tuf = self.path / "tuf"
        self._blobs = self.path / "blobs"
        try:
            self._blobs.mkdir(parents=True, exist_ok=True)
            self.tuf.mkdir(exist_ok=True)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SnapshotError(
                f"{self.path}: cannot be a cache ({error.strerror})",
                code="CacheUnusable",
                remedy="Name a directory this process may write to.",
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise SnapshotError(
                f"{self.path}: another client uses this cache",
                code="CacheInUse",
                remedy="Give each client a directory of its own, or end the other one.",
            ) from None
        self._sweep()

    def close(self) -> None:
        """Let another client have the directory."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def forget_tuf(self) -> None:
        """Throw away what TUF remembers, when it cannot even be read or replaced."""
        _remove(self.tuf)
        self.tuf.mkdir(exist_ok=True)

    def blob(self, sha256: str) -> bytes | None:
        """Give bytes by their hash; None if they are missing or damaged, or the hash is none."""
        if not _SHA256.fullmatch(sha256):
            return None
        try:
            data = (self._blobs / sha256).read_bytes()
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    def put_blob(self, data: bytes) -> str:
        """Keep bytes, and give their hash."""
        sha256 = hashlib.sha256(data).hexdigest()
        if self.blob(sha256) is None:
            self._write(self._blobs / sha256, data)
        return sha256

    def good(self) -> dict[str, str]:
        """Name the files of the last good snapshot, each with its hash; empty if there is none, or it is damaged."""
        try:
            body = json.loads((self.path / "good.json").read_bytes())
            files = body["files"]
            return {str(name): sha for name, sha in files.items() if _SHA256.fullmatch(sha)}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}

    def keep(self, files: Mapping[str, str]) -> None:
        """Make these the files of the last good snapshot, at once, and drop what only older ones needed."""
        before = self.good()
        if before == files:
            return
        self._write(self.path / "good.json", json.dumps({"files": dict(files)}, sort_keys=True).encode())
        self._drop(set(before.values()) - set(files.values()))

    def known(self) -> Known | None:
        """Give what was known at the last fresh verification; None if nothing was, or it is damaged."""
        try:
            check, _, line = (self.path / "known.json").read_bytes().partition(b" ")
            # A damaged memory could hold every update back, where a damaged snapshot is only fetched again.
            if hashlib.sha256(line).hexdigest().encode() != check:
                return None
            body = json.loads(line)
            fresh_at = datetime.fromisoformat(body["freshAt"])
            statement = body["statement"]
            if fresh_at.tzinfo is None or not (statement is None or _SHA256.fullmatch(statement)):
                return None
            return Known(int(body["sequence"]), statement, fresh_at)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def remember(self, known: Known) -> None:
        """Keep what is known."""
        body = {"sequence": known.sequence, "statement": known.statement, "freshAt": known.fresh_at.isoformat()}
        line = json.dumps(body).encode()
        self._write(self.path / "known.json", hashlib.sha256(line).hexdigest().encode() + b" " + line)

    def _write(self, path: Path, data: bytes) -> None:
        """Replace a file at once. Not synced: what a power cut takes is verified, missed and fetched again."""
        staged = path.with_name(f"{path.name}.new")
        for place in (staged, path):
            if place.is_dir():
                shutil.rmtree(place)
        staged.write_bytes(data)
        staged.replace(path)

    def _drop(self, hashes: Iterable[str]) -> None:
        for sha256 in hashes:
            _remove(self._blobs / sha256)

    def _sweep(self) -> None:
        """Remove what no good snapshot names: left by a process that was killed."""
        needed = set(self.good().values())
        self._drop({path.name for path in self._blobs.iterdir()} - needed)
        for left in self.tuf.glob("tmp*"):
            _remove(left)


def _remove(path: Path) -> None:
    """Remove whatever lies there; what cannot be removed is not needed and does no harm."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
