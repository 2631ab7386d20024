"""What must be unique among all governed documents: subjects, flags' names and flags' keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flagseal.model.document import Document


class Clash(msgspec.Struct, frozen=True):
    """Say that two documents claim the same thing.

    Attributes:
        document: The later of the two, in the order given.
        other: The one that had it first.
        path: JSONPath of the claim.
    """

    document: Document
    other: Document
    path: str
    message: str
    remedy: str


def flag_key(document: Document) -> str:
    """Give the key under which applications ask for a flag: ``spec.key``, or else its name."""
    spec = document.spec
    key = spec.get("key") if isinstance(spec, dict) else None
    return key if isinstance(key, str) else document.name


def clashes(documents: Iterable[Document]) -> Iterator[Clash]:
    """Find every claim that was made before; tombstones claim nothing."""
    subjects: dict[str, Document] = {}
    names: dict[str, Document] = {}
    keys: dict[str, Document] = {}
    for document in documents:
        if document.is_tombstone:
            continue
        other = subjects.setdefault(document.subject, document)
        if other is not document:
            yield Clash(
                document,
                other,
                "$.metadata.name",
                f"{document.subject} is declared twice, also in {_place(other)}",
                "Keep one of the two.",
            )
        elif document.kind == "FlagDefinition":
            other = names.setdefault(document.name, document)
            if other is not document:
                yield Clash(
                    document,
                    other,
                    "$.metadata.name",
                    f"the name {document.name!r} belongs to {other.subject}, and a flag's name is unique everywhere",
                    "Choose another name.",
                )
            other = keys.setdefault(flag_key(document), document)
            if other is not document:
                yield Clash(
                    document,
                    other,
                    "$.spec.key",
                    f"the key {flag_key(document)!r} belongs to {other.subject}",
                    "Choose another key: applications could not tell the two apart.",
                )


def _place(document: Document) -> str:
    return document.source.file if document.source else document.subject
