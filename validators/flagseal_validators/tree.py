"""A flag repository as it lies in a folder: its files, read without following anything."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flagseal.model.finding import Finding
from flagseal.model.limits import LARGEST_FILE
from flagseal.repository.layout import FLAGS, MISPLACED, POLICIES, POLICY_TESTS, SUFFIXES, Entry, check, place
from flagseal.repository.reading import read_afresh

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.document import Document
    from flagseal.repository.layout import EntryKind
    from flagseal.repository.reading import ReadFiles

UNREADABLE: Final = "FS151"
STRAY: Final = "FS154"

_HARMLESS_NAMES: Final = ("CODEOWNERS",)
_HARMLESS_SUFFIXES: Final = (".md", ".txt")


@dataclass(frozen=True, slots=True)
class Tree:
    """What a folder holds.

    Attributes:
        documents: What could be loaded, sorted by path, each with its source.
        findings: What is wrong with files, with their places, and between them.
        names: Every file that was read.
    """

    documents: tuple[Document, ...]
    findings: tuple[Finding, ...]
    names: tuple[str, ...]


def read_tree(root: Path, *, read: ReadFiles = read_afresh) -> Tree:
    """Read every document below ``flags/`` and ``policies/``, policy tests included.

    Args:
        root: The repository's top folder.
        read: How files are read.
    """
    entries = list(list_entries(root))
    placed, found = place(entries)
    tests = [entry for entry in entries if entry.path.startswith(POLICY_TESTS) and entry.path.endswith(SUFFIXES)]
    findings = [*found, *_strays(entries)]
    tests.sort(key=lambda entry: entry.path)
    documents = _load(root, [*placed, *tests], read, findings)
    governed = [document for entry in placed for document in documents.get(entry, ())]
    testing = [document for entry in tests for document in documents.get(entry, ())]
    findings += check(governed)
    findings += (_no_test(document) for document in testing if document.kind != "PolicyTest")
    testing = [document for document in testing if document.kind == "PolicyTest"]
    names = (*(entry.path for entry in placed), *(entry.path for entry in tests))
    return Tree((*governed, *testing), tuple(findings), names)


def _load(
    root: Path, entries: list[Entry], read: ReadFiles, findings: list[Finding]
) -> dict[Entry, tuple[Document, ...]]:
    readable: list[tuple[Entry, bytes]] = []
    for entry in entries:
        data = read_file(root / entry.path) if entry.kind == "file" else None
        if data is None:
            message = f"this {entry.kind} cannot be read"
            findings.append(Finding(entry.path, 0, 0, UNREADABLE, "$", message, "Put a readable file here."))
        else:
            readable.append((entry, data))
    found = {}
    for (entry, _), loaded in zip(readable, read([(entry.path, data) for entry, data in readable]), strict=True):
        findings += loaded.findings
        found[entry] = loaded.documents
    return found


def read_file(path: Path) -> bytes | None:
    """Read a file, if it is one; of a file that is too large, no more than shows that it is."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        return file.read(LARGEST_FILE + 1)


def list_entries(root: Path) -> Iterator[Entry]:
    """Walk ``flags/`` and ``policies/`` without following a link."""
    for folder in (FLAGS, POLICIES):
        path = root / folder
        if path.is_symlink():
            yield Entry(folder, "symlink")
        elif path.is_dir():
            yield from _below(path, folder)


def _below(folder: Path, name: str) -> Iterator[Entry]:
    # An explicit stack: how deep folders lie is for the author to choose.
    pending: list[tuple[str, str]] = [(str(folder), name)]
    while pending:
        path, name = pending.pop()
        try:
            children = list(os.scandir(path))
        except OSError:
            yield Entry(name, "other")
            continue
        for child in children:
            kind: EntryKind = "other"
            if child.is_symlink():
                kind = "symlink"
            elif child.is_dir(follow_symlinks=False):
                if not os.path.lexists(Path(child.path, ".git")):
                    pending.append((child.path, f"{name}/{child.name}"))
                    continue
                kind = "submodule"
            elif child.is_file(follow_symlinks=False):
                kind = "file"
            yield Entry(f"{name}/{child.name}", kind)


def _strays(entries: list[Entry]) -> Iterator[Finding]:
    for entry in entries:
        name = entry.path.rpartition("/")[2]
        harmless = name.startswith(".") or name in _HARMLESS_NAMES or name.endswith((*SUFFIXES, *_HARMLESS_SUFFIXES))
        if entry.kind == "file" and not harmless:
            message = "nothing reads this file"
            remedy = "Name it .yaml if it is a document; otherwise keep it elsewhere."
            yield Finding(entry.path, 0, 0, STRAY, "$", message, remedy, severity="warning")


def _no_test(document: Document) -> Finding:
    file = document.source.file if document.source else ""
    message = f"{document.kind} does not belong under {POLICY_TESTS}"
    return Finding(file, 0, 0, MISPLACED, "$.kind", message, "Move the file to policies/ or flags/<namespace>/.")
