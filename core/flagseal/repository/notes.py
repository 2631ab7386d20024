"""Git notes under ``refs/notes/flagseal``: the way statements travel with the commits they speak of.

Notes fetched from elsewhere are read as well, wherever ``refs/notes/*/flagseal`` holds them: lines are a set, so there
is nothing to merge before reading. Nobody's word is taken for what a note says; anyone may write one.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from flagseal.model.errors import RepositoryError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagseal.repository.git import Plumbing

NOTES_REF = "refs/notes/flagseal"
LARGEST_NOTE = 16 * 1024 * 1024
"""Bytes; a larger note is taken for flooded and not read."""

_ATTEMPTS = 20
_PAUSE = 0.01
"""Seconds by which each further attempt waits longer."""
_BLOB_MODE = "100644"
_FALLBACK_IDENTITY = {
    "GIT_AUTHOR_NAME": "flagseal",
    "GIT_AUTHOR_EMAIL": "flagseal@localhost",
    "GIT_COMMITTER_NAME": "flagseal",
    "GIT_COMMITTER_EMAIL": "flagseal@localhost",
}


class Notes:
    """Read and append the notes of one repository.

    Args:
        git: The repository's.
        ref: Where lines are appended; read is whatever holds some.
    """

    def __init__(self, git: Plumbing, *, ref: str = NOTES_REF) -> None:
        self._git = git
        self._ref = ref
        self._read: tuple[tuple[str, ...], dict[str, tuple[str, ...]]] = ((), {})

    def commits(self) -> frozenset[str]:
        """Give the ids of all objects that have a note."""
        return frozenset(self._index())

    def read(self, commit: str) -> bytes | None:
        """Give the lines noted on a commit, those of every ref that holds some; None if there are none.

        Args:
            commit: Object id.

        Raises:
            RepositoryError: ``NoteTooLarge``.
        """
        blobs = self._index().get(commit, ())
        parts = []
        for name, kind, data in self._git.objects(blobs, largest=LARGEST_NOTE):
            if kind != "blob":
                continue
            if data is None:
                raise RepositoryError(
                    f"{NOTES_REF}: the note {name} on {commit} is larger than {LARGEST_NOTE} bytes.",
                    code="NoteTooLarge",
                    remedy=f"Remove what does not belong there: git notes --ref={NOTES_REF} edit {commit}",
                )
            parts.append(data if data.endswith(b"\n") else data + b"\n")
        return b"".join(parts) or None

    def append(self, commit: str, line: bytes) -> bool:
        """Append one line to a commit's note, or change nothing if it is there already.

        Atomic: the ref moves from the value that was read or not at all. Somebody else's write in between is met by
        reading again.

        Args:
            commit: Object id.
            line: Without a line break inside.

        Raises:
            RepositoryError: ``NotesConflict`` if others kept writing, ``NoteTooLarge``, ``TreeTooLarge``.

        Returns:
            Whether the line is new.
        """
        line = line.strip(b"\n")
        if b"\n" in line or not line:
            raise RepositoryError("A note is appended line by line.", code="NoteMalformed")
        for attempt in range(_ATTEMPTS):
            time.sleep(attempt * _PAUSE)
            tip = self._tips((self._ref,)).get(self._ref)
            notes = self._notes_at(tip) if tip else {}
            paths = [path for path in notes if path.replace("/", "") == commit]
            if any(line in (data or b"").split(b"\n") for data in self._blobs(notes[path] for path in paths)):
                return False
            path = paths[0] if paths else _path_for(commit, notes)
            before = next(iter(self._blobs([notes[path]])), b"") if path in notes else b""
            after = (before if not before or before.endswith(b"\n") else before + b"\n") + line + b"\n"
            if len(after) > LARGEST_NOTE:
                raise RepositoryError(f"The note on {commit} would grow too large.", code="NoteTooLarge")
            if self._replace(tip, path, after):
                return True
        raise RepositoryError(
            f"{NOTES_REF} kept changing while a line was to be added.",
            code="NotesConflict",
            remedy="Try again.",
        )

    def _tips(self, prefixes: tuple[str, ...]) -> dict[str, str]:
        listing = self._git.text("for-each-ref", "--format=%(refname) %(objecttype) %(objectname)", *prefixes)
        rows = [row.rsplit(" ", 2) for row in listing.splitlines()]
        return {name: tip for name, kind, tip in rows if kind == "commit"}

    def _index(self) -> dict[str, tuple[str, ...]]:
        """Map each annotated object to its notes' blobs, over all refs; kept until a ref moves."""
        tips = self._tips(("refs/notes/",))
        kept = {name: tip for name, tip in tips.items() if name == NOTES_REF or name.endswith("/flagseal")}
        state = tuple(sorted(kept.values()))
        if state != self._read[0]:
            index: dict[str, list[str]] = {}
            for tip in state:
                for path, blob in self._readable_at(tip).items():
                    blobs = index.setdefault(path.replace("/", ""), [])
                    if blob not in blobs:
                        blobs.append(blob)
            self._read = (state, {name: tuple(blobs) for name, blobs in index.items()})
        return self._read[1]

    def _readable_at(self, tip: str) -> dict[str, str]:
        """Do as :meth:`_notes_at`; a ref with too many notes to be read is as good as one without any."""
        try:
            return self._notes_at(tip)
        except RepositoryError as error:
            if error.code != "TreeTooLarge":
                raise
            return {}

    def _notes_at(self, tip: str) -> dict[str, str]:
        """Map the paths of a notes commit (fanned out or flat) to blobs; anything but plain files is left out."""
        notes = {}
        for entry in self._git.listing("ls-tree", "-r", "-z", "--full-tree", tip):
            meta, _, path = entry.partition(b"\t")
            mode, _, blob = meta.decode("ascii").split(" ")
            if mode == _BLOB_MODE:
                notes[path.decode("utf-8", "replace")] = blob
        return notes

    def _blobs(self, ids: Iterable[str]) -> list[bytes]:
        return [data or b"" for _, _, data in self._git.objects(ids, largest=LARGEST_NOTE)]

    def _replace(self, tip: str | None, path: str, note: bytes) -> bool:
        """Write a note and move the ref from ``tip``; False if it had moved meanwhile."""
        blob = self._git.text("hash-object", "-w", "--stdin", stdin=note)
        with tempfile.TemporaryDirectory(prefix="flagseal-notes-") as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            if tip is not None:
                self._git.run("read-tree", tip, environment=index)
            entry = f"{_BLOB_MODE},{blob},{path}"
            self._git.run("update-index", "--add", "--cacheinfo", entry, environment=index)
            tree = self._git.run("write-tree", environment=index)[1].decode("ascii").strip()
        known = self._git.run("var", "GIT_COMMITTER_IDENT", accept=(0, 128))[0] == 0
        parents = ("-p", tip) if tip is not None else ()
        commit = self._git.run(
            "commit-tree", tree, *parents, "-m", "Notes added by flagseal",
            environment={} if known else _FALLBACK_IDENTITY,
        )[1].decode("ascii").strip()  # fmt: skip
        expected = tip if tip is not None else "0" * len(commit)
        return self._git.run("update-ref", self._ref, commit, expected, accept=(0, 1, 128))[0] == 0

    def configure(self) -> None:
        """Set git up so that fetching brings notes and merging them keeps every line."""
        self._git.run("config", "--local", "notes.flagseal.mergeStrategy", "cat_sort_uniq")
        for remote in self._git.text("remote").splitlines():
            # A pattern: a plain name that the remote does not have yet would fail every fetch.
            refspec = f"+{NOTES_REF}*:refs/notes/{remote}/flagseal*"
            known = self._git.run("config", "--local", "--get-all", f"remote.{remote}.fetch", accept=(0, 1))[1]
            if refspec not in known.decode("utf-8", "replace").splitlines():
                self._git.run("config", "--local", "--add", f"remote.{remote}.fetch", refspec)


def _path_for(commit: str, notes: dict[str, str]) -> str:
    """Place a new note as the others lie; readers find it either way, since slashes mean nothing."""
    levels = max((path.count("/") for path in notes), default=0)
    parts = [commit[2 * level : 2 * level + 2] for level in range(levels)]
    return "/".join([*parts, commit[2 * levels :]])
