"""What the gate found before, kept in ``.flagseal/cache`` so that a change costs what it changes (docs/adr/0125).

For people who wait, and never for a decision that signs or publishes. A run with it says what a run without it says;
where it cannot be sure, it looks again.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

import flagseal
import flagseal_validators
from flagseal.model.canonical import canonical_json, sha256_digest
from flagseal.model.finding import Finding  # noqa: TC001 (the memory is read by these types)
from flagseal.repository.sealed import SealedFile, new_file, remove_others
from flagseal_validators.facts import Facts  # noqa: TC001
from flagseal_validators.judged import Judged  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from flagseal_validators.tree import Listed, Mark

SLACK: Final = 2_000_000_000
"""Nanoseconds: the coarsest clock of a file system in use (FAT's two seconds)."""
_LIBRARIES: Final = ("site-packages", "dist-packages")


class Known(msgspec.Struct, array_like=True, gc=False):
    """Hold what is known of one file.

    Attributes:
        path: Relative to the root.
        mark: What its folder said of it when it was listed.
        content: SHA-256 of its bytes; empty if it could not be read.
        blob: Its object id in a git repository of SHA-1; empty likewise.
        facts: Of its document; None if it holds none that counts.
        form: What is wrong with the file by itself, wherever it stands.
        judged: What rules say of its document.
        canonical: Its document as canonical JSON, if that is a policy: those are wanted each time.
    """

    path: str
    mark: tuple[int, int, int, int]
    content: bytes
    blob: bytes
    facts: Facts | None
    form: tuple[Finding, ...]
    judged: tuple[Judged, ...] = ()
    canonical: bytes = b""

    def at(self, mark: Mark) -> Known:
        """Give the same of a file that holds the same, and was written since."""
        return Known(self.path, mark, self.content, self.blob, self.facts, self.form, self.judged, self.canonical)


class Found(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Hold what a run found in files.

    Attributes:
        files: Every file that was read, in the order in which documents count.
        rest: What is wrong with the policies as a whole, and what rules say that look at everything.
        consistent: Whether the policies are, so that rules may rest on them.
    """

    files: list[Known]
    rest: tuple[Judged, ...]
    consistent: bool

    def of(self, files: list[Known]) -> Found:
        """Give the same of files that hold the same."""
        return Found(files, self.rest, self.consistent)


class Besides(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Hold what else lay there than the files that were read.

    Attributes:
        paths: Everything else that was listed.
        kinds: Of what was no file, its kind by path; whether it counts as read or not.
    """

    paths: list[str]
    kinds: dict[str, str]

    @classmethod
    def of(cls, listed: Mapping[str, Listed], names: Collection[str]) -> Besides:
        """Take out of what is listed the files that are read."""
        return cls([path for path in listed if path not in names], _kinds(listed))

    def and_these(self, names: Collection[str], listed: Mapping[str, Listed]) -> bool:
        """Tell whether this and these files are all that is listed, so that each means what it meant."""
        there = listed.__contains__
        whole = len(names) + len(self.paths) == len(listed)
        return whole and all(map(there, names)) and all(map(there, self.paths)) and self.kinds == _kinds(listed)


def _kinds(listed: Mapping[str, Listed]) -> dict[str, str]:
    return {path: kind for path, (kind, _) in listed.items() if kind != "file"}


class Remembered(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Hold a run.

    Attributes:
        day: The day on which the rules were held.
        began: What the file system's clock said before the run looked at any file (ns).
        besides: What lay there.
        misplaced: What was wrong with what lay there and was no document.
        found: What was found in files.
    """

    day: str
    began: int
    besides: Besides
    misplaced: tuple[Finding, ...]
    found: Found

    @property
    def files(self) -> list[Known]:
        """Every file that was read."""
        return self.found.files

    @property
    def settled(self) -> int:
        """The time (ns) before which a file must have been written for its mark to speak for its content.

        Of a file that had just been written, a later change may have left no trace in its times (git calls it racy).
        """
        return self.began - SLACK


class Memory:
    """Keep what runs of the gate find in a repository.

    Args:
        folder: Where; safe to delete at any time.
        key: What seals it; by default the person's own.
    """

    def __init__(self, folder: Path, *, key: bytes | None = None) -> None:
        self._folder = folder
        self._file = SealedFile(folder / f"gate-{_version()}", key=key)

    def recall(self, day: str) -> Remembered | None:
        """Give what the last run found, if it was on the same day and by the same code."""
        data = self._file.read()
        if data is None:
            return None
        try:
            found = msgspec.msgpack.decode(data, type=Remembered)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return found if found.day == day else None

    def keep(self, found: Remembered) -> None:
        """Replace what is known; where that cannot be, nothing is lost but time."""
        with contextlib.suppress(UnicodeEncodeError):  # A file's name that is not UTF-8 cannot be kept.
            self._file.write(msgspec.msgpack.encode(found))
            remove_others(self._file.path, "gate-*")

    def clock(self) -> int:
        """Ask the clock of the file system that the memory lies in (ns); 0, before all times, if it cannot be asked."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = new_file(self._folder, ".clock-")
            try:
                return os.fstat(handle).st_mtime_ns
            finally:
                os.close(handle)
                Path(name).unlink()
        except OSError:
            return 0


def _version() -> str:
    """Name the code that judges, so that what other code found is not used."""
    return sha256_digest(canonical_json(sorted(_code()))).removeprefix("sha256:")[:16]


def _code() -> Iterator[list[str | int]]:
    """Give the state of every module that a finding may depend on, and of the folder that libraries lie in."""
    pending = [*flagseal.__path__, *flagseal_validators.__path__]
    while pending:
        with os.scandir(pending.pop()) as children:
            for child in children:
                if child.name.endswith(".py"):
                    status = child.stat()
                    yield [child.path, status.st_size, status.st_mtime_ns // 1000]
                elif child.name != "__pycache__" and child.is_dir():
                    pending.append(child.path)
    for path in sys.path:
        if path.endswith(_LIBRARIES):
            with contextlib.suppress(OSError):
                yield [path, 0, Path(path).stat().st_mtime_ns // 1000]
