"""All governed documents at one point of the history, with what was parsed and resolved from them."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from flagseal.evaluation.resolve import Catalogue, resolve_flag
from flagseal.model.document import subject_of

if TYPE_CHECKING:
    from flagseal.evaluation.resolved import ResolvedFlag
    from flagseal.model.document import Document
    from flagseal.model.flag import FlagDefinition


@dataclass(frozen=True, eq=False)
class State(Mapping[str, "Document"]):
    """Hold documents by subject, tombstones included; nothing is parsed before it is asked for.

    Give the same State wherever the same documents are judged again: it keeps what it found.
    """

    documents: Mapping[str, Document]
    _resolved: dict[tuple[str, str], ResolvedFlag | None] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, documents: Mapping[str, Document]) -> State:
        """Take a mapping as a state; one that is a state already is given back."""
        return documents if isinstance(documents, State) else cls(documents)

    def __getitem__(self, subject: str) -> Document:
        return self.documents[subject]

    def __iter__(self) -> Iterator[str]:
        return iter(self.documents)

    def __len__(self) -> int:
        return len(self.documents)

    # A Mapping derives these from the three above, one Python call a document; ten thousand of them are compared at
    # every change.

    def __contains__(self, subject: object) -> bool:
        return subject in self.documents

    def items(self) -> ItemsView[str, Document]:
        """Give subjects with their documents."""
        return self.documents.items()

    def values(self) -> ValuesView[Document]:
        """Give the documents."""
        return self.documents.values()

    @cached_property
    def catalogue(self) -> Catalogue:
        """The index over its flags, segments and bindings."""
        return Catalogue.of(self.documents.values())

    def live(self, subject: str) -> Document | None:
        """Find a document that exists and is no tombstone."""
        document = self.documents.get(subject)
        return None if document is None or document.is_tombstone else document

    def definition(self, reference: str) -> FlagDefinition | None:
        """Find a flag by ``namespace/name``."""
        return self.catalogue.flags.get(reference)

    def resolve(self, reference: str, environment: str) -> ResolvedFlag | None:
        """Resolve a flag where an environment lists it; None where it does not, or where there is no such flag.

        Raises:
            CompileError: It has no meaning there (a dangling reference, a cycle).
        """
        where = reference, environment
        if where not in self._resolved:
            definition = self.definition(reference)
            listed = definition is not None and environment in definition.environments
            self._resolved[where] = (
                resolve_flag(definition, environment, self.catalogue) if definition is not None and listed else None
            )
        return self._resolved[where]


def flag_subject(reference: str) -> str:
    """Give the subject of the flag ``namespace/name``."""
    namespace, _, name = reference.partition("/")
    return subject_of("FlagDefinition", namespace, name)


def flag_reference(subject: str) -> str:
    """Give ``namespace/name`` of a flag's subject."""
    return subject.partition("/")[2]


def changed_subjects(before: Mapping[str, Document], after: Mapping[str, Document]) -> tuple[str, ...]:
    """Name every subject whose document differs, sorted; compared by content, whoever parsed it."""
    old, new = State.of(before).documents, State.of(after).documents
    found = [subject for subject, document in new.items() if _differs(old.get(subject), document)]
    found += [subject for subject in old if subject not in new]
    return tuple(sorted(found))


def _differs(before: Document | None, after: Document) -> bool:
    return before is not after and (before is None or before.digest != after.digest)
