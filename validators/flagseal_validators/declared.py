"""Everything that a repository declares, as the rules look at it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from flagseal.evaluation.catalogue import Catalogue
from flagseal.model.definitions import parse_binding, parse_flag, parse_segment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from flagseal.model.document import Document
    from flagseal.model.flag import EntitlementBinding, FlagDefinition, Segment
    from flagseal.model.policies import PolicySet


@dataclass(frozen=True)
class Declared:
    """Documents that have the right form, and the policies if they are consistent.

    Attributes:
        documents: All that could be loaded, policy tests included.
        policies: None where there are none, or where they contradict each other: rules that need them stay silent.
        today: The day on which the rules are held, UTC.
    """

    documents: tuple[Document, ...]
    policies: PolicySet | None
    today: date

    @cached_property
    def flags(self) -> tuple[tuple[Document, FlagDefinition], ...]:
        """Every flag with its document."""
        return tuple((document, parse_flag(document)) for document in self._of_kind("FlagDefinition"))

    @cached_property
    def segments(self) -> tuple[tuple[Document, Segment], ...]:
        """Every segment with its document."""
        return tuple((document, parse_segment(document)) for document in self._of_kind("Segment"))

    @cached_property
    def bindings(self) -> tuple[tuple[Document, EntitlementBinding], ...]:
        """Every binding with its document."""
        return tuple((document, parse_binding(document)) for document in self._of_kind("EntitlementBinding"))

    @cached_property
    def flags_by_reference(self) -> Mapping[str, FlagDefinition]:
        """Flags by ``namespace/name``."""
        return {flag.reference: flag for _, flag in self.flags}

    @cached_property
    def segment_names(self) -> frozenset[tuple[str, str]]:
        """Namespace and name of every segment."""
        return frozenset((segment.namespace, segment.name) for _, segment in self.segments)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The documents as evaluation looks at them."""
        return Catalogue.of(self.documents)

    def policy(self, kind: str) -> Document | None:
        """Find the one policy document of a kind, if the policies are consistent."""
        if self.policies is None:
            return None
        return next((document for document in self.policies.documents.values() if document.kind == kind), None)

    def _of_kind(self, kind: str) -> list[Document]:
        return [document for document in self.documents if document.kind == kind]
