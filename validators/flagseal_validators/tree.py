"""A flag repository as it lies in a folder: its files, read without following anything."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from flagseal.model.finding import Finding
from flagseal.model.limits import LARGEST_FILE
from flagseal.repository.layout import FOLDERS, MISPLACED, POLICY_TESTS, SUFFIXES, Entry, check, place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from flagseal.model.document import Document
    from flagseal.repository.layout import EntryKind

UNREADABLE: Final = "FS151"
STRAY: Final = "FS154"

Mark: TypeAlias = tuple[int, int, int, int]
"""Times of last change of content and of anything (ns), size, inode: what changes whenever a file's content does."""
NO_MARK: Final[Mark] = (-1, -1, -1, -1)
Listed: TypeAlias = "tuple[EntryKind, Mark]"
"""What a folder says lies at a path; what is no file has no mark."""

_HARMLESS_NAMES: Final = ("CODEOWNERS",)
_HARMLESS_SUFFIXES: Final = (".md", ".txt")


class Tree(msgspec.Struct, frozen=True):
    """What a folder holds.

    Attributes:
        documents: What could be loaded, sorted by path, each with its source.
        findings: What is wrong with files, with their places, and between them.
        names: Every file that was read.
    """

    documents: tuple[Document, ...]
    findings: tuple[Finding, ...]
    names: tuple[str, ...]


def read_tree(root: Path) -> Tree:
    """Read every document below the governed folders, policy tests included.

    Args:
        root: The repository's top folder.
    """
    placed, tests, findings = arrange(walk(root))
    documents = _load(root, [*placed, *tests], findings)
    governed = [document for entry in placed for document in documents.get(entry, ())]
    testing = [document for entry in tests for document in documents.get(entry, ())]
    findings += check(governed)
    findings += (no_test(document) for document in testing if document.kind != "PolicyTest")
    testing = [document for document in testing if document.kind == "PolicyTest"]
    names = (*(entry.path for entry in placed), *(entry.path for entry in tests))
    return Tree((*governed, *testing), tuple(findings), names)


def _load(root: Path, entries: list[Entry], findings: list[Finding]) -> dict[Entry, tuple[Document, ...]]:
    # Here and not above: who only asks what lies where needs no parser.
    from flagseal.repository.reading import read_afresh  # noqa: PLC0415

    readable: list[tuple[Entry, bytes]] = []
    for entry in entries:
        data = read_file(root / entry.path) if entry.kind == "file" else None
        if data is None:
            findings.append(unreadable(entry.path, entry.kind))
        else:
            readable.append((entry, data))
    found = {}
    for (entry, _), loaded in zip(readable, read_afresh([(entry.path, data) for entry, data in readable]), strict=True):
        findings += loaded.findings
        found[entry] = loaded.documents
    return found


def read_file(path: Path) -> bytes | None:
    """Read a file, if it is one; of a file that is too large, no more than shows that it is."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return None
            with os.fdopen(handle, "rb", closefd=False) as file:
                return file.read(LARGEST_FILE + 1)
        finally:
            os.close(handle)
    except (OSError, ValueError):  # no such file any more, none that may be read, no name that can be opened
        return None


def walk(root: Path) -> dict[str, Listed]:
    """List everything below the governed folders by path, without following a link."""
    found: dict[str, Listed] = dict.fromkeys(_by_case_only(root), ("other", NO_MARK))
    for folder in FOLDERS:
        path = root / folder
        if path.is_symlink():
            found[folder] = "symlink", NO_MARK
        elif path.is_dir():
            _walk_below(str(path), folder, found)
    return found


def arrange(listed: Mapping[str, Listed]) -> tuple[list[Entry], list[Entry], list[Finding]]:
    """Tell the files that hold governed documents and those that hold policy tests from what must not be there.

    Returns:
        Both, each sorted by path, and what is wrong with the rest.
    """
    entries = [Entry(path, kind) for path, (kind, _) in listed.items()]
    placed, found = place(entry for entry in entries if not _is_by_case_only(entry.path))
    tests = [entry for entry in entries if entry.path.startswith(POLICY_TESTS) and entry.path.endswith(SUFFIXES)]
    tests.sort(key=lambda entry: entry.path)
    return list(placed), tests, [*found, *_strays(entries)]


def unreadable(path: str, kind: EntryKind) -> Finding:
    """Say that something where a document should be cannot be read."""
    message = f"this {kind} cannot be read"
    return Finding(path, 0, 0, UNREADABLE, "$", message, "Put a readable file here.")


def _by_case_only(root: Path) -> list[str]:
    """Find what differs from our folders by case only: on some machines it is the same folder, with more in it."""
    try:
        names = [path.name for path in root.iterdir()]
    except OSError:
        return []
    return [name for name in names if name.lower() in FOLDERS and name not in FOLDERS]


def _walk_below(folder: str, name: str, found: dict[str, Listed]) -> None:
    # An explicit stack: how deep folders lie is for the author to choose.
    pending = [(folder, name)]
    while pending:
        folder, name = pending.pop()
        try:
            children = list(os.scandir(folder))
        except OSError:
            found[name] = "other", NO_MARK
            continue
        for child in children:
            path = f"{name}/{child.name}"
            if child.is_file(follow_symlinks=False):
                found[path] = "file", _mark(child)
            elif child.is_symlink():
                found[path] = "symlink", NO_MARK
            elif not child.is_dir(follow_symlinks=False):
                found[path] = "other", NO_MARK
            elif os.path.lexists(f"{child.path}/.git"):
                found[path] = "submodule", NO_MARK
            else:
                pending.append((child.path, path))


def _mark(child: os.DirEntry[str]) -> Mark:
    try:
        status = child.stat(follow_symlinks=False)
    except OSError:  # Gone since it was listed; reading it will tell.
        return NO_MARK
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _is_by_case_only(path: str) -> bool:
    return "/" not in path and path not in FOLDERS


def _strays(entries: list[Entry]) -> Iterator[Finding]:
    for entry in entries:
        if _is_by_case_only(entry.path):
            message = f"the name differs from {entry.path.lower()}/ by case only, and nothing reads it"
            remedy = "Give it another name: on some machines the two are one folder."
            yield Finding(entry.path, 0, 0, STRAY, "$", message, remedy, severity="warning")
            continue
        name = entry.path.rpartition("/")[2]
        harmless = name.startswith(".") or name in _HARMLESS_NAMES or name.endswith((*SUFFIXES, *_HARMLESS_SUFFIXES))
        if entry.kind == "file" and not harmless:
            message = "nothing reads this file"
            remedy = "Name it .yaml if it is a document; otherwise keep it elsewhere."
            yield Finding(entry.path, 0, 0, STRAY, "$", message, remedy, severity="warning")


def no_test(document: Document) -> Finding:
    """Say that a document lies among the policy tests and is none."""
    file = document.source.file if document.source else ""
    message = f"{document.kind} does not belong under {POLICY_TESTS}"
    return Finding(file, 0, 0, MISPLACED, "$.kind", message, "Move the file to policies/ or flags/<namespace>/.")
