"""A governed document: what is declared, and where it came from."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from flagseal.model.canonical import canonical_json, sha256_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.canonical import Json

API_VERSION = "flagseal.dev/v1alpha1"

NAMESPACED_KINDS = ("FlagDefinition", "Segment", "EntitlementBinding")
POLICY_KINDS = (
    "Organisation",
    "EnvironmentList",
    "ApprovalPolicy",
    "LifecyclePolicy",
    "ChangeCalendar",
    "AccessPolicy",
    "TrustTiers",
)
REVIEW_KINDS = ("IncidentReview",)
"""Kinds that say what people found out afterwards; they serve nobody anything, and no resource declares them."""

GOVERNED_KINDS = NAMESPACED_KINDS + POLICY_KINDS + REVIEW_KINDS
"""Kinds whose documents are subjects of statements. A PolicyTest governs nothing."""


class Position(msgspec.Struct, frozen=True):
    """A place in a file; line and column count from 1."""

    line: int
    column: int


class Source(msgspec.Struct, frozen=True):
    """Where a document was read.

    Attributes:
        file: Path as the person named it, or relative to the repository.
        positions: JSONPath of every key and item (``$.spec.variants.enabled``) to its place; a
            mapping entry's place is that of its key.
    """

    file: str
    positions: Mapping[str, Position]

    def at(self, path: str) -> Position:
        """Find the place of a path, or of its nearest ancestor that has one."""
        while path not in self.positions:
            cut = max(path.rfind("."), path.rfind("["))
            if cut <= 0:
                return Position(1, 1)
            path = path[:cut]
        return self.positions[path]


@dataclass(frozen=True, eq=False)
class Document:
    """Hold one governed document as JSON.

    Equality and hash go by content; the source does not count.

    Attributes:
        kind: One of :data:`GOVERNED_KINDS` (or ``PolicyTest``).
        namespace: None for policies and reviews.
        name: ``metadata.name``.
        spec: The spec; None for a tombstone, which says that the document was removed.
        source: Where it was read, if it was read from a file.
    """

    kind: str
    namespace: str | None
    name: str
    spec: Json
    source: Source | None = field(default=None, compare=False, repr=False)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Document):
            return NotImplemented
        return self.subject == other.subject and self.digest == other.digest

    def __hash__(self) -> int:
        return hash((self.subject, self.digest))

    @property
    def subject(self) -> str:
        """The name under which statements speak of it: ``Kind/namespace/name`` or ``Kind/name``."""
        return subject_of(self.kind, self.namespace, self.name)

    @property
    def is_tombstone(self) -> bool:
        """Whether this document records its own removal."""
        return self.spec is None

    def body(self) -> dict[str, Json]:
        """Give the whole document as a JSON object, ``metadata`` reduced to name and namespace."""
        metadata: dict[str, Json] = {"name": self.name}
        if self.namespace is not None:
            metadata["namespace"] = self.namespace
        return {"apiVersion": API_VERSION, "kind": self.kind, "metadata": metadata, "spec": self.spec}

    @cached_property
    def canonical(self) -> bytes:
        """The RFC 8785 bytes of :meth:`body`; no defaults are filled in before it."""
        return canonical_json(self.body())

    @cached_property
    def digest(self) -> str:
        """``sha256:`` and the hexadecimal digest of :attr:`canonical`."""
        return sha256_digest(self.canonical)

    def tombstone(self) -> Document:
        """Give the document that records this one's removal."""
        return Document(self.kind, self.namespace, self.name, None)

    def packed(self) -> Document:
        """Give the same document as bytes, for who keeps ten thousand of them: a tenth of the memory of its objects.

        Its spec is read from the bytes each time it is asked for.
        """
        return _Packed(self)

    def bare(self) -> Document:
        """Give a packed copy with nothing kept beside it that was parsed: for who may never look at it again."""
        return _Packed(self)


class _Packed(Document):
    """A document that keeps its canonical bytes, and no objects."""

    def __init__(self, document: Document) -> None:
        vars(self).update(
            kind=sys.intern(document.kind),
            namespace=None if document.namespace is None else sys.intern(document.namespace),
            name=document.name,
            source=None,
            canonical=document.canonical,
            digest=document.digest,
            is_tombstone=document.is_tombstone,
        )

    @property
    def spec(self) -> Json:
        spec: Json = msgspec.json.decode(self.canonical)["spec"]
        return spec

    @cached_property
    def is_tombstone(self) -> bool:
        return self.spec is None

    def packed(self) -> Document:
        return self


def subject_of(kind: str, namespace: str | None, name: str) -> str:
    """Compose a subject: ``Kind/namespace/name``, or ``Kind/name`` without a namespace."""
    return f"{kind}/{namespace}/{name}" if namespace is not None else f"{kind}/{name}"


def split_subject(subject: str) -> tuple[str, str | None, str]:
    """Take a subject apart into kind, namespace and name.

    Raises:
        ValueError: It is not of the form ``Kind/namespace/name`` or ``Kind/name``.
    """
    match subject.split("/"):
        case [kind, name] if kind in (*POLICY_KINDS, *REVIEW_KINDS) and name:
            return kind, None, name
        case [kind, namespace, name] if kind in NAMESPACED_KINDS and namespace and name:
            return kind, namespace, name
        case _:
            msg = f"not a subject: {subject!r}"
            raise ValueError(msg)
