"""All governed documents at one point of the history, with what was parsed and resolved from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from flagseal.evaluation.resolve import Catalogue, resolve_flag
from flagseal.model.document import POLICY_KINDS, subject_of

if TYPE_CHECKING:
    from flagseal.evaluation.resolved import ResolvedFlag
    from flagseal.model.document import Document
    from flagseal.model.flag import FlagDefinition

_FLAG: Final = "FlagDefinition"
_SEGMENT: Final = "Segment"
_BINDING: Final = "EntitlementBinding"
_POLICIES: Final = tuple(f"{kind}/" for kind in POLICY_KINDS)

_MOST_CHANGES: Final = 200
"""Documents by which a state may differ from the one whose index it uses, before it makes its own."""


@dataclass(frozen=True, eq=False)
class State(Mapping[str, "Document"]):
    """Hold documents by subject, tombstones included; nothing is parsed before it is asked for.

    Give the same State wherever the same documents are judged again, and make the next one by :meth:`changed`: then a
    change costs what it touches, and not what there is.
    """

    documents: Mapping[str, Document]
    _resolved: dict[tuple[str, str], ResolvedFlag | None] = field(default_factory=dict, repr=False)
    _origin: tuple[State, frozenset[str]] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, documents: Mapping[str, Document]) -> State:
        """Take a mapping as a state; one that is a state already is given back."""
        return documents if isinstance(documents, State) else cls(documents)

    def changed(self, documents: Mapping[str, Document | None]) -> State:
        """Make a state in which some documents are others.

        Args:
            documents: By subject. What a statement removes is given as its tombstone; None for what never was.
        """
        origin, since = self.origin
        since |= documents.keys()
        after = {**self.documents, **{subject: it for subject, it in documents.items() if it is not None}}
        for subject, document in documents.items():
            if document is None:
                after.pop(subject, None)
        return State(MappingProxyType(after), _origin=(origin, since) if len(since) <= _MOST_CHANGES else None)

    @property
    def origin(self) -> tuple[State, frozenset[str]]:
        """A state from which this one came, and the subjects in which it may differ from that; itself, and none."""
        return self._origin or (self, frozenset())

    def __getitem__(self, subject: str) -> Document:
        return self.documents[subject]

    def __iter__(self) -> Iterator[str]:
        return iter(self.documents)

    def __len__(self) -> int:
        return len(self.documents)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The index over its flags, segments and bindings."""
        if self._origin is None:
            return Catalogue.of(self.documents.values())
        origin, since = self._origin
        return origin.catalogue.changed({subject: self.documents.get(subject) for subject in since})

    @cached_property
    def policies(self) -> Mapping[str, Document]:
        """Its policy documents by subject, tombstones left out."""
        if self._origin is None:
            chosen = [subject for subject in self.documents if subject.startswith(_POLICIES)]
        else:
            origin, since = self._origin
            chosen = [*origin.policies.keys(), *(subject for subject in since if subject.startswith(_POLICIES))]
        return {subject: found for subject in sorted(set(chosen)) if (found := self.live(subject)) is not None}

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

    def dependents(self, subject: str) -> frozenset[str]:
        """Name the flags (``namespace/name``) that reach a document, through any number of others."""
        if self._origin is None:
            return self.catalogue.dependents(subject)
        origin = self._origin[0]
        # A way there that the origin does not have leads through a flag of which something changed since.
        candidates = origin.dependents(subject) | self._moved
        return frozenset(flag for flag in candidates if self._reaches(flag, subject))

    @cached_property
    def _moved(self) -> frozenset[str]:
        """Flags that may refer to others than at the origin, and all that reached them there."""
        if self._origin is None:
            return frozenset()
        origin, since = self._origin
        found: set[str] = set()
        for subject in since:
            kind, _, reference = subject.partition("/")
            if kind == _FLAG:
                found.add(reference)
            elif kind == _SEGMENT:
                found |= origin.dependents(subject)  # it may begin to ask for grants
            elif kind == _BINDING and reference in self.catalogue.bindings:
                found.update(grant.flag for grant in self.catalogue.bindings[reference].grants)
        return frozenset(found).union(*(origin.dependents(flag_subject(flag)) for flag in found))

    def _reaches(self, flag: str, subject: str) -> bool:
        kind, _, target = subject.partition("/")
        catalogue = self.catalogue
        waiting, seen = [flag], {flag}
        while waiting:
            current = waiting.pop()
            if current not in catalogue.flags:
                continue
            references = catalogue.references(current)
            match kind:
                case "FlagDefinition" if target in references.flags:
                    return True
                case "Segment" if target in references.segments:
                    return True
                case "EntitlementBinding" if references.entitled and self._grants(target, current):
                    return True
            waiting += references.flags - seen
            seen |= references.flags
        return False

    def _grants(self, binding: str, flag: str) -> bool:
        found = self.catalogue.bindings.get(binding)
        return found is not None and any(grant.flag == flag for grant in found.grants)


def flag_subject(reference: str) -> str:
    """Give the subject of the flag ``namespace/name``."""
    namespace, _, name = reference.partition("/")
    return subject_of(_FLAG, namespace, name)


def flag_reference(subject: str) -> str:
    """Give ``namespace/name`` of a flag's subject."""
    return subject.partition("/")[2]


def changed_subjects(before: Mapping[str, Document], after: Mapping[str, Document]) -> tuple[str, ...]:
    """Name every subject whose document differs, sorted; compared by content, whoever parsed it."""
    old, new = plain(before), plain(after)
    find, looked_at = old.get, may_differ(before, after)
    among = new.items() if looked_at is None else [(it, new[it]) for it in looked_at if it in new]
    found = [
        subject
        for subject, document in among
        if (known := find(subject)) is not document and (known is None or known.digest != document.digest)
    ]
    gone = (subject for subject in (old if looked_at is None else looked_at) if subject in old and subject not in new)
    return tuple(sorted([*found, *gone]))


def may_differ(before: Mapping[str, Document], after: Mapping[str, Document]) -> frozenset[str] | None:
    """Name the subjects in which two states can differ, if they come from the same one; None if any may."""
    if isinstance(before, State) and isinstance(after, State):
        (one, since_one), (other, since_other) = before.origin, after.origin
        if one is other:
            return since_one | since_other
    return None


def plain(documents: Mapping[str, Document]) -> Mapping[str, Document]:
    """Give the mapping under a state: going through ten thousand documents is quicker without a layer between."""
    return documents.documents if isinstance(documents, State) else documents
