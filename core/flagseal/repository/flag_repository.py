"""A flag repository at a revision: the only part of Flagseal that reads git."""

from __future__ import annotations

import os
import stat
from functools import cached_property
from typing import TYPE_CHECKING

from flagseal.model.errors import RepositoryError
from flagseal.model.finding import Finding
from flagseal.repository import layout
from flagseal.repository.commit import Commit, parse_commit, unread_commit
from flagseal.repository.git import Plumbing
from flagseal.repository.layout import FOLDERS, NOT_A_FILE, Entry
from flagseal.repository.notes import Notes
from flagseal.repository.reading import read_afresh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from flagseal.model.document import Document
    from flagseal.model.loader import Loaded
    from flagseal.repository.layout import EntryKind
    from flagseal.repository.reading import ReadFiles

LARGEST_FILE = 256 * 1024
"""Bytes; the loader's own limit, applied before a file is read at all."""
_TOO_LARGE = b" " * (LARGEST_FILE + 1)
LARGEST_COMMIT = 4 * 1024 * 1024
"""Bytes; of one that somebody asks for."""
LARGEST_CONTRIBUTION = 64 * 1024
"""Bytes of one commit among those that came with a change; long messages and many co-authors have a tenth."""
LARGEST_CONTRIBUTIONS = 32 * 1024 * 1024
"""Bytes of all of them that are read; some thirty thousand commits of usual size."""

_KINDS: Mapping[str, EntryKind] = {"100644": "file", "100755": "file", "120000": "symlink", "160000": "submodule"}


class FlagRepository:
    """Read one repository; write nothing to it but notes.

    Parsed files are kept by path and blob id as long as the object lives: what did not change is not parsed again. Use
    from one thread at a time.

    Args:
        path: The repository's root; bare ones will do for everything but the working tree.
        read: How files are read; a quick reader only where nothing is decided by it.

    Raises:
        RepositoryError: ``NotARepository``; every method ``GitMissing`` without a git command.
    """

    def __init__(self, path: Path, *, read: ReadFiles = read_afresh) -> None:
        self.git = Plumbing(path)
        self._read = read
        self._notes = Notes(self.git)
        self._loaded: dict[tuple[str, str], Loaded] = {}
        self._trees: dict[tuple[str, ...], tuple[tuple[Document, ...], tuple[Finding, ...]]] = {}

    @cached_property
    def identity(self) -> str:
        """``git:`` and the id of the commit at which the first-parent line of HEAD begins.

        Raises:
            RepositoryError: ``EmptyRepository`` before the first commit, ``ShallowClone``.
        """
        self._require_whole_history()
        try:
            head = self.resolve("HEAD")
        except RepositoryError as error:
            raise RepositoryError(
                f"{self.git.git_dir}: nothing is committed yet.",
                code="EmptyRepository",
                remedy="Commit flags/ and policies/ first.",
            ) from error
        return "git:" + self.git.text("rev-list", "--first-parent", "--max-parents=0", head).splitlines()[-1]

    @property
    def branch(self) -> str:
        """The full name of the branch that is checked out (``refs/heads/main``).

        Raises:
            RepositoryError: ``DetachedHead``.
        """
        status, out = self.git.run("symbolic-ref", "--quiet", "HEAD", accept=(0, 1))
        if status != 0:
            raise RepositoryError(
                f"{self.git.git_dir}: HEAD is on no branch.",
                code="DetachedHead",
                remedy="Check out the protected branch, or name it.",
            )
        return out.decode("utf-8", "replace").strip()

    def resolve(self, revision: str) -> str:
        """Find the id of the commit that a person means.

        Raises:
            RepositoryError: ``UnknownRevision``.
        """
        return self.git.resolve(revision)

    def commit(self, revision: str) -> Commit:
        """Read one commit.

        Raises:
            RepositoryError: ``UnknownRevision``, ``ObjectMissing``, ``ObjectCorrupt``.
        """
        return self._commits([self.resolve(revision)])[0]

    def commits(self, ids: list[str]) -> tuple[Commit, ...]:
        """Read commits by their object ids.

        Raises:
            RepositoryError: ``ObjectMissing``, ``ObjectCorrupt``, ``ObjectTooLarge``.
        """
        return self._commits(ids)

    def first_parent_line(self, start: str, end: str) -> tuple[str, ...]:
        """List the commits by which the branch went from one commit to a later one, oldest first.

        Args:
            start: Not part of the answer.
            end: The last of the answer, unless it is ``start`` itself.

        Raises:
            RepositoryError: ``HistoryRewritten`` if ``start`` is not on the first-parent line that ends at ``end``.
        """
        first, last = self.resolve(start), self.resolve(end)
        if first == last:
            return ()
        self._require_whole_history()
        listing = self.git.text("rev-list", "--first-parent", "--parents", last, f"^{first}").splitlines()
        line = [row.split(" ") for row in listing]
        if not line or len(line[-1]) < 2 or line[-1][1] != first:  # noqa: PLR2004 (a commit and its first parent)
            raise RepositoryError(
                f"{self.git.git_dir}: {last[:12]} does not continue {first[:12]} on the branch's first-parent line.",
                code="HistoryRewritten",
                remedy="Put the branch back to where it went on from there; accepted history cannot be rewritten.",
            )
        return tuple(row[0] for row in reversed(line))

    def commits_between(self, start: str, end: str) -> tuple[Commit, ...]:
        """Read every commit reachable from one commit but not from another, children before parents.

        One that is larger than :data:`LARGEST_CONTRIBUTION`, and the largest of more than
        :data:`LARGEST_CONTRIBUTIONS`, are there as commits that nobody signed: whoever can have commits merged must not
        be able to stop all that follow them.

        Raises:
            RepositoryError: ``UnknownRevision``, ``ShallowClone``, ``ObjectMissing``, ``ObjectCorrupt``.
        """
        self._require_whole_history()
        first, last = self.resolve(start), self.resolve(end)
        ids = self.git.text("rev-list", "--topo-order", last, f"^{first}").split()
        found = self.git.objects(ids, largest=LARGEST_CONTRIBUTION, altogether=LARGEST_CONTRIBUTIONS)
        return tuple(unread_commit(name) if data is None else parse_commit(name, data) for name, _, data in found)

    def trees(self, ids: Sequence[str]) -> tuple[str, ...]:
        """Give the trees of commits by their object ids, however large their messages are.

        Raises:
            RepositoryError: ``GitFailed``: an object is missing, or is none.
        """
        return self._derived("^{tree}", ids)

    def parents(self, commit: str) -> tuple[str, ...]:
        """Give the parents of a commit by its object id, however large its message is.

        Raises:
            RepositoryError: ``GitFailed``: an object is missing, or is none.
        """
        return self._derived("^@", (commit,))

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Tell whether one commit is reachable from another; every commit is from itself."""
        older, younger = self.resolve(ancestor), self.resolve(descendant)
        return self.git.run("merge-base", "--is-ancestor", older, younger, accept=(0, 1))[0] == 0

    def governed_trees(self, revision: str) -> tuple[str, ...]:
        """Give mode, type and object id of each of :data:`~flagseal.repository.layout.FOLDERS`, empty without it.

        Two commits with the same hold the same documents, byte for byte.
        """
        commit = self.resolve(revision)
        found = dict.fromkeys(FOLDERS, "")
        for row in self.git.run("ls-tree", "-z", "--full-tree", commit, *FOLDERS)[1].split(b"\0")[:-1]:
            meta, _, name = row.decode("utf-8", "replace").partition("\t")
            found[name] = meta
        return tuple(found[folder] for folder in FOLDERS)

    def documents(self, revision: str) -> tuple[tuple[Document, ...], tuple[Finding, ...]]:
        """Read all governed documents of a revision.

        Returns:
            The documents, sorted by subject, and what is wrong with the revision. With an error among the findings the
            documents are not all there is.

        Raises:
            RepositoryError: ``UnknownRevision``, ``TreeTooLarge``, ``ObjectMissing``, ``ObjectCorrupt``.
        """
        commit = self.resolve(revision)
        trees = self.governed_trees(commit)
        if trees not in self._trees:
            entries = list(self._tree_entries(commit))
            files, findings = layout.place(entries)
            missing = {file.blob for file in files if (file.path, file.blob) not in self._loaded}
            # What is too large is not read; as much of anything lets the loader say so in its own words.
            blobs = {
                name: _TOO_LARGE if data is None else data
                for name, _, data in self.git.objects(sorted(missing), largest=LARGEST_FILE)
            }
            contents = self._assemble(files, findings, lambda file: blobs[file.blob])
            self._forget(files)
            self._trees[trees] = contents
        return self._trees[trees]

    def blobs(self, revision: str) -> Mapping[str, str]:
        """Give the object id of every file below the governed folders, by path.

        Raises:
            RepositoryError: ``UnknownRevision``, ``TreeTooLarge``.
        """
        entries = self._tree_entries(self.resolve(revision))
        return {entry.path: entry.blob for entry in entries if entry.kind == "file"}

    def merge_base(self, one: str, other: str) -> str | None:
        """Find the commit at which two lines of history parted; None where none is known here.

        Raises:
            RepositoryError: ``UnknownRevision``.
        """
        status, out = self.git.run("merge-base", self.resolve(one), self.resolve(other), accept=(0, 1))
        return out.decode("ascii").split()[0] if status == 0 else None

    def additions(self, end: str, folder: str) -> Iterator[tuple[int, list[str]]]:
        """Tell which files came to a branch with which commit of its first-parent line, the latest first.

        Args:
            end: The last commit.
            folder: Of the files.

        Raises:
            RepositoryError: ``UnknownRevision``.

        Yields:
            What the commit's committer wrote as its time (unix seconds), and the paths.
        """
        options = ("--first-parent", "--parents", "--timestamp")
        rows = [
            row.split(" ") for row in self.git.text("rev-list", *options, self.resolve(end), "--", folder).splitlines()
        ]
        times = {row[1]: int(row[0]) for row in rows}
        asked = "".join(f"{' '.join(row[1:3])}\n" for row in rows)
        words = ("diff-tree", "-r", "-z", "--root", "--no-renames", "--diff-filter=A", "--name-only", "--stdin")
        told = self.git.run(*words, "--", folder, stdin=asked.encode("ascii"))[1]
        time, added = 0, list[str]()
        for field in told.decode("utf-8", "surrogateescape").split("\0"):
            commit = field.rstrip("\n")
            if commit in times:
                yield time, added
                time, added = times[commit], []
            else:
                added.append(field)
        yield time, added

    @property
    def has_commits(self) -> bool:
        """Whether anything is committed on the branch that is checked out."""
        return self.git.run("rev-parse", "--verify", "--quiet", "HEAD", accept=(0, 1, 128))[0] == 0

    def working_tree_documents(self) -> tuple[tuple[Document, ...], tuple[Finding, ...]]:
        """Read all governed documents as they lie in the working tree, committed or not.

        Raises:
            RepositoryError: ``NoWorkingTree`` in a bare repository.
        """
        if self.git.root is None:
            raise RepositoryError(f"{self.git.git_dir}: a bare repository has no files.", code="NoWorkingTree")
        root = self.git.root
        files, findings = layout.place(_folder_entries(root))
        return self._assemble(files, findings, lambda file: _read_file(root / file.path))

    def notes(self, revision: str) -> bytes | None:
        """Give the JSON lines noted on a commit under ``refs/notes/flagseal`` (and its fetched copies), or None.

        Raises:
            RepositoryError: ``UnknownRevision``, ``NoteTooLarge``.
        """
        return self._notes.read(self.resolve(revision))

    def noted_commits(self) -> frozenset[str]:
        """Give the ids of the commits that have notes."""
        return self._notes.commits()

    def add_note(self, revision: str, line: bytes) -> bool:
        """Append a line to a commit's note, atomically; False if it was there already.

        Raises:
            RepositoryError: ``UnknownRevision``, ``NotesConflict``, ``NoteTooLarge``.
        """
        return self._notes.append(self.resolve(revision), line)

    def configure_notes(self) -> None:
        """Let git fetch the notes of every remote, and merge them line by line (``cat_sort_uniq``)."""
        self._notes.configure()

    def trailer(self, revision: str, key: str) -> str | None:
        """Find a trailer of a commit's message (``Ticket``)."""
        return self.commit(revision).trailer(key)

    def _require_whole_history(self) -> None:
        if self.git.text("rev-parse", "--is-shallow-repository") == "true":
            raise RepositoryError(
                f"{self.git.git_dir}: a shallow clone does not show who contributed.",
                code="ShallowClone",
                remedy="git fetch --unshallow",
            )

    def _derived(self, sign: str, ids: Sequence[str]) -> tuple[str, ...]:
        return tuple(self.git.text("rev-parse", *(f"{name}{sign}" for name in ids)).split())

    def _commits(self, ids: list[str]) -> tuple[Commit, ...]:
        commits = []
        for name, _, data in self.git.objects(ids, largest=LARGEST_COMMIT):
            if data is None:
                raise RepositoryError(f"{self.git.git_dir}: commit {name} is absurdly large.", code="ObjectTooLarge")
            commits.append(parse_commit(name, data))
        return tuple(commits)

    def _tree_entries(self, commit: str) -> Iterator[Entry]:
        for row in self.git.listing("ls-tree", "-r", "-z", "--full-tree", commit, *FOLDERS):
            meta, _, path = row.decode("utf-8", "replace").partition("\t")
            mode, _, blob = meta.split(" ")
            yield Entry(path, _KINDS.get(mode, "other"), blob)

    def _assemble(
        self, files: tuple[Entry, ...], findings: tuple[Finding, ...], read: Callable[[Entry], bytes | None]
    ) -> tuple[tuple[Document, ...], tuple[Finding, ...]]:
        documents: list[Document] = []
        problems = list(findings)
        found = {file: self._loaded.get((file.path, file.blob)) if file.blob else None for file in files}
        unread: list[tuple[Entry, bytes]] = []
        for file, known in found.items():
            if known is None:
                data = read(file)
                if data is None:
                    message = "the file cannot be read"
                    problems.append(Finding(file.path, 0, 0, NOT_A_FILE, "$", message, "Make it readable."))
                else:
                    unread.append((file, data))
        for (file, _), loaded in zip(unread, self._read([(it.path, data) for it, data in unread]), strict=True):
            found[file] = loaded
            if file.blob:
                self._loaded[file.path, file.blob] = loaded
        for known in filter(None, found.values()):
            documents.extend(known.documents)
            problems.extend(known.findings)
        problems.extend(layout.check(documents))
        return tuple(sorted(documents, key=lambda document: document.subject)), tuple(sorted(problems))

    def _forget(self, files: tuple[Entry, ...]) -> None:
        """Keep what this revision holds and as much again; a long-lived process must not keep all of history."""
        if len(self._loaded) > 2 * len(files) + 64:
            current = {(file.path, file.blob) for file in files}
            self._loaded = {key: loaded for key, loaded in self._loaded.items() if key in current}
        while len(self._trees) >= 4:  # noqa: PLR2004 (head, tip, and one to spare for each)
            self._trees.pop(next(iter(self._trees)))


def _folder_entries(root: Path) -> Iterator[Entry]:
    """Walk the governed folders without following a link."""
    pending = [folder for folder in FOLDERS if os.path.lexists(root / folder)]
    while pending:
        path = pending.pop()
        mode = (root / path).lstat().st_mode
        if stat.S_ISLNK(mode):
            yield Entry(path, "symlink")
        elif stat.S_ISDIR(mode):
            if os.path.lexists(root / path / ".git"):
                yield Entry(path, "submodule")
            else:
                pending.extend(f"{path}/{child.name}" for child in (root / path).iterdir())
        else:
            yield Entry(path, "file" if stat.S_ISREG(mode) else "other")


def _read_file(path: Path) -> bytes | None:
    """Read a file of the working tree, if it is one; of a file that is too large, no more than shows that it is."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        return file.read(LARGEST_FILE + 1)
