"""Git plumbing that a hostile repository cannot turn against its reader.

What is switched off, and why:

- replacement refs, grafts and the commit graph: they show another history than the one that was signed;
- lazy fetching and every transport: a missing object must not start what the repository's configuration names;
- hooks, the file system monitor and prompts: reading starts nothing.

Porcelain commands, filters, textconv, pagers and mailmaps are never used. Revisions written by people pass through
:meth:`Plumbing.resolve`, after which only object ids are given to git.
"""

from __future__ import annotations

import hashlib
import os
from itertools import accumulate
from typing import TYPE_CHECKING

from flagseal.model.errors import RepositoryError
from flagseal.repository.locating import locate

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_SETTINGS = (
    ("core.fsmonitor", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.commitGraph", "false"),
    ("core.quotePath", "false"),
    ("log.showSignature", "false"),
)
_OPTIONS = ("--no-pager", *(word for name, value in _SETTINGS for word in ("-c", f"{name}={value}")))
_ENVIRONMENT = {
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": "/dev/null",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    # What git says is read by programs.
    "LANGUAGE": "C",
    "LC_ALL": "C",
}

LARGEST_LISTING = 64 * 1024 * 1024
"""Bytes of paths that are listed of one tree; about half a million files."""

_BATCH = 4 * 1024 * 1024
"""Bytes of objects that are read at once, unless one alone is larger."""

_COMMITS_KEPT = 64

_HASHES = {40: "sha1", 64: "sha256"}
"""Length of an object id to the hash of the repository's object format."""


def blob_id(data: bytes, *, like: str) -> str:
    """Give the object id of a file's content.

    Args:
        data: The file.
        like: An id of the repository, for its object format.
    """
    return hashlib.new(_HASHES[len(like)], b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


class Plumbing:
    """Run git's plumbing in one repository.

    Args:
        path: The working tree's root, or a bare repository.

    Raises:
        RepositoryError: ``NotARepository`` if there is none; every method ``GitMissing`` without a git command.
    """

    def __init__(self, path: Path) -> None:
        found = locate(path)
        self.git_dir = found.git_dir
        self.root = found.root
        self._folder = found.folder
        self._environment = {**found.environment, **_ENVIRONMENT, "GIT_DIR": str(self.git_dir)}
        self._commits: set[str] = set()

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        accept: tuple[int, ...] = (0,),
        environment: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> tuple[int, bytes]:
        """Run one command.

        Args:
            arguments: Command and arguments, without ``git``.
            stdin: What it reads.
            accept: Exit statuses that are answers, not failures.
            environment: Variables besides those of every call.
            seconds: What it may take, where a hostile tree could make it take for ever.

        Raises:
            RepositoryError: ``GitFailed``, with what git said; ``TreeTooLarge`` if it took longer.

        Returns:
            Exit status and standard output.
        """
        status, out, said = self.attempt(*arguments, stdin=stdin, environment=environment, seconds=seconds)
        if status not in accept:
            raise RepositoryError(f"{self.git_dir}: git {_command(arguments)}: {said}", code="GitFailed")
        return status, out

    def attempt(
        self,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> tuple[int, bytes, str]:
        """Run one command whose failure is the caller's to explain.

        Args:
            arguments: As for :meth:`run`.
            stdin: What it reads.
            environment: Variables besides those of every call.
            seconds: As for :meth:`run`.

        Raises:
            RepositoryError: ``TreeTooLarge``.

        Returns:
            Exit status, standard output, and what git said of a failure.
        """
        import subprocess  # noqa: PLC0415 (as below)

        with self._started(arguments, environment=environment) as process:
            try:
                out, err = process.communicate(stdin, timeout=seconds)
            except subprocess.TimeoutExpired as error:
                process.kill()
                raise too_many_paths(self) from error
            except BaseException:
                process.kill()
                raise
        return process.returncode, out, err.decode("utf-8", "replace").strip() or f"exit status {process.returncode}"

    def _started(
        self, arguments: tuple[str, ...], *, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        # Here and not above: whoever only names blobs starts nothing.
        import subprocess  # noqa: PLC0415

        try:
            return subprocess.Popen(
                ["git", *_OPTIONS, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self._folder if os.access(self._folder, os.X_OK) else None,
                env={**os.environ, **self._environment, **(environment or {})},
            )
        except FileNotFoundError as error:
            raise RepositoryError("git is not on the PATH.", code="GitMissing", remedy="Install git.") from error

    def listing(self, *arguments: str) -> list[bytes]:
        """Run one command that lists the paths of a tree with ``-z``, and give its rows.

        A few hundred bytes of objects can hold more paths than there is memory, where each folder holds the next one
        many times over: beyond :data:`LARGEST_LISTING` nothing is read.

        Raises:
            RepositoryError: ``TreeTooLarge``; ``GitFailed``, with what git said.
        """
        with self._started(arguments) as process:
            assert process.stdout is not None  # noqa: S101 (a pipe, by our own words)
            out = process.stdout.read(LARGEST_LISTING + 1)
            if len(out) > LARGEST_LISTING:
                process.kill()
                raise too_many_paths(self)
            err = process.communicate()[1]
        status = process.returncode
        if status != 0:
            said = err.decode("utf-8", "replace").strip() or f"exit status {status}"
            raise RepositoryError(f"{self.git_dir}: git {_command(arguments)}: {said}", code="GitFailed")
        return list(out.split(b"\0")[:-1])

    def text(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run one command and give its output as text, without the last line break.

        Raises:
            RepositoryError: ``GitFailed``, with what git said.
        """
        return self.run(*arguments, stdin=stdin)[1].decode("utf-8", "replace").removesuffix("\n")

    def drop_refs(self, prefix: str, *, but: str | None = None) -> None:
        """Delete every ref whose full name begins with a prefix.

        Args:
            prefix: With a folder in it, from ``refs/`` on.
            but: The one that stays.

        Raises:
            RepositoryError: ``GitFailed``.
        """
        folder = prefix.rpartition("/")[0] + "/"
        names = self.text("for-each-ref", "--format=%(refname)", folder).splitlines()
        gone = [f"delete {name}\n" for name in names if name.startswith(prefix) and name != but]
        if gone:
            self.run("update-ref", "--no-deref", "--stdin", stdin="".join(gone).encode())

    def resolve(self, revision: str) -> str:
        """Find the id of the commit that a person means.

        Raises:
            RepositoryError: ``UnknownRevision``; a revision is never taken as an option.
        """
        if revision in self._commits:
            return revision  # What an object id names never changes.
        status, out = 1, b""
        if revision and "\0" not in revision:
            question = f"{revision}^{{commit}}"
            status, out = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", question, accept=(0, 1, 128))
        found = out.decode("ascii", "replace").strip().removeprefix("--end-of-options").strip()
        if status != 0 or len(found) not in _HASHES:
            raise RepositoryError(
                f"{self.git_dir}: no commit {revision!r}.",
                code="UnknownRevision",
                remedy="Name a commit, branch or tag of this repository; fetch it first if it is elsewhere.",
            )
        if len(self._commits) >= _COMMITS_KEPT:
            self._commits.clear()
        self._commits.add(found)
        return found

    def objects(
        self, ids: Iterable[str], *, largest: int, altogether: int | None = None
    ) -> Iterator[tuple[str, str, bytes | None]]:
        """Read objects, each checked against its own id; no more of them at once than a few megabytes.

        Args:
            ids: Object ids, full length.
            largest: Size in bytes above which an object is not read.
            altogether: Bytes of all that are read; where they do not suffice, the largest are not read.

        Raises:
            RepositoryError: ``ObjectMissing``, or ``ObjectCorrupt`` if the content has another hash.

        Yields:
            Id, type and content (None where it is too large), in the order asked for.
        """
        wanted = list(ids)
        if not wanted:
            return
        sizes = self._headers(wanted)
        small = {name: sizes[name][1] for name in wanted if sizes[name][1] <= largest}
        if altogether is not None:
            ranked = sorted(small, key=lambda name: small[name])
            sums = accumulate(small[name] for name in ranked)
            small = {name: small[name] for name, spent in zip(ranked, sums, strict=True) if spent <= altogether}
        for batch in _batches(wanted, small):
            contents = self._contents([name for name in batch if name in small])
            for name in batch:
                yield name, sizes[name][0], contents.get(name)

    def _headers(self, ids: list[str]) -> dict[str, tuple[str, int]]:
        lines = self.text("cat-file", "--batch-check", stdin="\n".join([*ids, ""]).encode("ascii")).splitlines()
        headers = {}
        for line in lines:
            match line.split(" "):
                case [name, kind, size] if size.isdecimal():
                    headers[name] = (kind, int(size))
                case [name, *_]:
                    raise RepositoryError(
                        f"{self.git_dir}: object {name} is missing.",
                        code="ObjectMissing",
                        remedy="Fetch the whole repository: neither a shallow nor a partial clone is enough.",
                    )
        return headers

    def _contents(self, ids: list[str]) -> dict[str, bytes]:
        if not ids:
            return {}
        out = self.run("cat-file", "--batch", stdin="\n".join([*ids, ""]).encode("ascii"))[1]
        contents, at = {}, 0
        for name in ids:
            end = out.index(b"\n", at)
            _, kind, size = out[at:end].split(b" ")
            data = out[end + 1 : end + 1 + int(size)]
            at = end + 2 + int(size)
            if hashlib.new(_HASHES[len(name)], kind + b" " + size + b"\0" + data).hexdigest() != name:
                raise RepositoryError(
                    f"{self.git_dir}: object {name} has another content than its id says.",
                    code="ObjectCorrupt",
                    remedy="Run `git fsck` and fetch the object again from a repository that is whole.",
                )
            contents[name] = data
        return contents


def too_many_paths(git: Plumbing) -> RepositoryError:
    """Say that a tree has more paths than are read."""
    return RepositoryError(
        f"{git.git_dir}: the tree has too many paths to be read.",
        code="TreeTooLarge",
        remedy="Somebody put far too many files into it: remove them there.",
    )


def _batches(names: list[str], sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Divide names so that no more than :data:`_BATCH` bytes come together, except where one alone has more."""
    batch, held = list[str](), 0
    for name in names:
        size = sizes.get(name, 0)
        if batch and held + size > _BATCH:
            yield batch
            batch, held = [], 0
        batch.append(name)
        held += size
    yield batch


def _command(arguments: tuple[str, ...]) -> str:
    """Name the command among the arguments, behind its settings."""
    return next((word for at, word in enumerate(arguments) if word != "-c" and arguments[at - 1 : at] != ("-c",)), "")
