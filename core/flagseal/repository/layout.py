"""Where documents lie in a flag repository, and what must be unique in it.

``flags/<namespace>/<name>.yaml``, ``policies/*.yaml`` and ``reviews/*.yaml`` hold governed documents, one a file.
``policies/tests/`` holds policy tests, which govern nothing. Other files are nobody's business here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from flagseal.model.document import GOVERNED_KINDS, NAMESPACED_KINDS, REVIEW_KINDS
from flagseal.model.finding import Finding
from flagseal.model.uniqueness import clashes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from flagseal.model.document import Document

FLAGS = "flags"
POLICIES = "policies"
REVIEWS = "reviews"
FOLDERS = (FLAGS, POLICIES, REVIEWS)
"""Whatever of a repository is governed lies below one of these."""

POLICY_TESTS = "policies/tests/"
SUFFIXES = (".yaml", ".yml")

MISPLACED = "FS150"
NOT_A_FILE = "FS151"
NAME_DIFFERS = "FS152"
NOT_UNIQUE = "FS153"

EntryKind = Literal["file", "symlink", "submodule", "other"]


class Entry(msgspec.Struct, frozen=True):
    """One path below one of :data:`FOLDERS`.

    Attributes:
        path: Relative to the repository's root, with forward slashes.
        kind: What lies there; only files are read.
        blob: Object id, or empty for a file of the working tree.
    """

    path: str
    kind: EntryKind
    blob: str = ""


def place(entries: Iterable[Entry]) -> tuple[tuple[Entry, ...], tuple[Finding, ...]]:
    """Tell the files that hold governed documents from what must not be there.

    A symbolic link or submodule is a finding even where its name would be ignored: it could stand for a whole folder
    of documents that one reader follows and another does not.

    Returns:
        The files to be read, sorted by path, and a finding for each entry that could pass for one and is none.
    """
    files, findings = [], []
    for entry in sorted(entries, key=lambda entry: entry.path):
        parts = entry.path.split("/")
        if entry.path.startswith(POLICY_TESTS):
            continue
        if entry.kind != "file":
            findings.append(
                _finding(
                    entry.path,
                    NOT_A_FILE,
                    f"a {entry.kind} cannot hold a document, and is not followed",
                    "Put the file itself here.",
                )
            )
        elif entry.path.endswith(SUFFIXES):
            if len(parts) == (3 if parts[0] == FLAGS else 2):
                files.append(entry)
            else:
                findings.append(
                    _finding(
                        entry.path,
                        MISPLACED,
                        "a document here belongs to no namespace",
                        "Move it to flags/<namespace>/<name>.yaml, policies/<name>.yaml or reviews/<name>.yaml.",
                    )
                )
    return tuple(files), tuple(findings)


def check(documents: Sequence[Document]) -> tuple[Finding, ...]:
    """Check documents against the paths they were read from and against each other.

    Args:
        documents: Each with its source.
    """
    findings = [finding for document in documents for finding in check_path(document)]
    return tuple(sorted([*findings, *check_unique(documents)]))


def check_unique(documents: Sequence[Document]) -> tuple[Finding, ...]:
    """Check documents, each with its source, against each other; those later in the order are told of."""
    return tuple(
        _at(clash.document, NOT_UNIQUE, clash.path, clash.message, clash.remedy) for clash in clashes(documents)
    )


def check_path(document: Document) -> Iterable[Finding]:
    """Check a document against the path it was read from."""
    file = document.source.file if document.source else ""
    folder, _, rest = file.partition("/")
    if folder == FLAGS:
        namespace, _, name = rest.partition("/")
        stem = name.rpartition(".")[0]
        if document.kind not in NAMESPACED_KINDS:
            yield _misplaced(document, folder)
            return
        if document.namespace != namespace:
            yield _at(
                document,
                NAME_DIFFERS,
                "$.metadata.namespace",
                f"namespace {document.namespace!r} is not the folder's, {namespace!r}",
                "Move the file, or correct the namespace.",
            )
        if document.name != stem:
            yield _named_otherwise(document, stem)
    elif folder == REVIEWS:
        if document.kind not in REVIEW_KINDS:
            yield _misplaced(document, folder)
        elif document.name != rest.rpartition(".")[0]:
            yield _named_otherwise(document, rest.rpartition(".")[0])
    elif document.kind in (*NAMESPACED_KINDS, *REVIEW_KINDS):
        yield _misplaced(document, POLICIES)
    elif document.kind not in GOVERNED_KINDS:
        yield _at(
            document, MISPLACED, "$.kind", f"{document.kind} governs nothing", f"Move the file to {POLICY_TESTS}."
        )


def _misplaced(document: Document, folder: str) -> Finding:
    return _at(document, MISPLACED, "$.kind", f"{document.kind} does not belong under {folder}/", "Move the file.")


def _named_otherwise(document: Document, stem: str) -> Finding:
    return _at(
        document,
        NAME_DIFFERS,
        "$.metadata.name",
        f"name {document.name!r} is not the file's, {stem!r}",
        f"Rename the file to {document.name}.yaml, or correct the name.",
    )


def _at(document: Document, rule: str, path: str, message: str, remedy: str) -> Finding:
    file, line, column = "", 0, 0
    if document.source is not None:
        file = document.source.file
        position = document.source.at(path)
        line, column = position.line, position.column
    return Finding(file, line, column, rule, path, message, remedy)


def _finding(file: str, rule: str, message: str, remedy: str) -> Finding:
    return Finding(file, 0, 0, rule, "$", message, remedy)
