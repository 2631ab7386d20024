"""Everything that a repository declares, as the rules look at it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from flagseal.evaluation.catalogue import Catalogue, binding_of, flag_of, segment_of
from flagseal_validators.reasoning import sections_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from flagseal.model.document import Document
    from flagseal.model.flag import EntitlementBinding, FlagDefinition, Segment
    from flagseal.model.policies import PolicySet
    from flagseal_validators.reasoning import Section


@dataclass(frozen=True)
class Declared:
    """Documents that have the right form, and the policies if they are consistent.

    Attributes:
        documents: All that could be loaded, policy tests included.
        policies: None where there are none, or where they contradict each other: rules that need them stay silent.
        today: The day on which the rules are held, UTC.
        before: What documents were before the change at hand, by subject, as far as it is known.
        born: The days on which they came to the branch, by subject; None where no change is looked at.
        subjects: Those that rules complain about, if it is not all: what a rule looks up it finds among all.
    """

    documents: tuple[Document, ...]
    policies: PolicySet | None
    today: date
    subjects: tuple[Document, ...] | None = None
    before: Mapping[str, Document] = field(default_factory=dict)
    born: Mapping[str, date] | None = None

    def about(self, subjects: Iterable[Document]) -> Declared:
        """Look at some of the documents only, with all there is behind them.

        What rules of scope ``repository`` say of them is the same only if these are all.
        """
        narrowed = replace(self, subjects=tuple(subjects))
        vars(narrowed)["catalogue"] = self.catalogue
        return narrowed

    @property
    def looked_at(self) -> tuple[Document, ...]:
        """The documents that rules complain about."""
        return self.documents if self.subjects is None else self.subjects

    @cached_property
    def flags(self) -> tuple[tuple[Document, FlagDefinition], ...]:
        """Every flag that is looked at, with its document."""
        return tuple((document, flag_of(document)) for document in self.of_kind("FlagDefinition"))

    @cached_property
    def segments(self) -> tuple[tuple[Document, Segment], ...]:
        """Every segment that is looked at, with its document."""
        return tuple((document, segment_of(document)) for document in self.of_kind("Segment"))

    @cached_property
    def bindings(self) -> tuple[tuple[Document, EntitlementBinding], ...]:
        """Every binding that is looked at, with its document."""
        return tuple((document, binding_of(document)) for document in self.of_kind("EntitlementBinding"))

    @property
    def flags_by_reference(self) -> Mapping[str, FlagDefinition]:
        """All flags by ``namespace/name``."""
        return self.catalogue.flags

    def segments_of(self, namespace: str) -> tuple[str, ...]:
        """Name all segments of a namespace."""
        return tuple(
            name for folder, _, name in (it.partition("/") for it in self.catalogue.segments) if folder == namespace
        )

    @cached_property
    def catalogue(self) -> Catalogue:
        """All documents as evaluation looks at them."""
        return Catalogue.of(self.documents)

    def sections(self, document: Document) -> tuple[Section, ...]:
        """Give the environments of a flag as they are reasoned about."""
        known = self._sections.get(document.subject)
        if known is None or known[0] is not document:
            known = self._sections[document.subject] = (document, sections_of(document, self.catalogue))
        return known[1]

    @cached_property
    def _sections(self) -> dict[str, tuple[Document, tuple[Section, ...]]]:
        return {}

    def of_kind(self, kind: str) -> tuple[Document, ...]:
        """Give the documents of a kind that are looked at."""
        return tuple(document for document in self.looked_at if document.kind == kind)
