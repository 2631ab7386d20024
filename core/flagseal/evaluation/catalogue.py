"""All flags, segments and bindings of a repository at one point, by name, with who refers to whom.

Documents are parsed when they are first asked for, and what was parsed is kept with the document: a catalogue of ten
thousand documents of which one changed costs the parsing of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self, TypeVar, cast

import msgspec

from flagseal.model.condition import AllOf, AnyOf, Entitled, Negation, SegmentRef
from flagseal.model.definitions import parse_binding, parse_flag, parse_segment
from flagseal.model.document import subject_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flagseal.model.condition import Condition
    from flagseal.model.document import Document
    from flagseal.model.flag import EntitlementBinding, FlagDefinition, Grant, Segment

T = TypeVar("T")


class References(msgspec.Struct, frozen=True):
    """What a flag refers to, in any environment.

    Attributes:
        segments: As ``namespace/name``.
        flags: As ``namespace/name``.
        entitled: Whether a condition asks for grants, here or in a segment: then every binding with one counts.
    """

    segments: frozenset[str]
    flags: frozenset[str]
    entitled: bool


def _kept(name: str, make: Callable[[Document], T]) -> Callable[[Document], T]:
    """Keep what is made of a document beside it, as a cached property does: it lives as long as the document."""

    def get(document: Document) -> T:
        kept = vars(document)
        if name not in kept:
            kept[name] = make(document)
        return cast("T", kept[name])

    return get


flag_of: Final = _kept("_definition", parse_flag)
segment_of: Final = _kept("_definition", parse_segment)
binding_of: Final = _kept("_definition", parse_binding)


class _Parsed(Mapping[str, T]):
    """Documents of one kind by ``namespace/name``, parsed on the way out."""

    def __init__(self, documents: Mapping[str, Document], parse: Callable[[Document], T]) -> None:
        self._documents = documents
        self._parse = parse

    def __getitem__(self, reference: str) -> T:
        return self._parse(self._documents[reference])

    def __iter__(self) -> Iterator[str]:
        return iter(self._documents)

    def __len__(self) -> int:
        return len(self._documents)

    def __contains__(self, reference: object) -> bool:
        return reference in self._documents


class Catalogue:
    """Find definitions by name.

    Use :meth:`of`.

    Attributes:
        flags: By ``namespace/name``.
        segments: By ``namespace/name``.
        bindings: By ``namespace/name``.
    """

    def __init__(self, documents: Mapping[str, Mapping[str, Document]]) -> None:
        self._documents = documents
        self.flags: Mapping[str, FlagDefinition] = _Parsed(documents["FlagDefinition"], flag_of)
        self.segments: Mapping[str, Segment] = _Parsed(documents["Segment"], segment_of)
        self.bindings: Mapping[str, EntitlementBinding] = _Parsed(documents["EntitlementBinding"], binding_of)

    @classmethod
    def of(cls, documents: Iterable[Document]) -> Self:
        """Index documents; tombstones and policies among them are ignored."""
        by_kind: dict[str, dict[str, Document]] = {"FlagDefinition": {}, "Segment": {}, "EntitlementBinding": {}}
        for document in documents:
            found = by_kind.get(document.kind)
            if found is not None and not document.is_tombstone:
                found[f"{document.namespace}/{document.name}"] = document
        return cls(by_kind)

    def changed(self, documents: Mapping[str, Document | None]) -> Catalogue:
        """Make the catalogue in which some documents are others: as by :meth:`of`, at the cost of what changes.

        Args:
            documents: By subject; a tombstone or None takes a definition away. Policies among them are ignored.
        """
        by_kind = {kind: dict(found) for kind, found in self._documents.items()}
        for subject, document in documents.items():
            kind, _, reference = subject.partition("/")
            if kind not in by_kind:
                continue
            if document is None or document.is_tombstone:
                by_kind[kind].pop(reference, None)
            else:
                by_kind[kind][reference] = document
        after = Catalogue(by_kind)
        kinds = {subject.partition("/")[0] for subject in documents}
        if "namespaces" in vars(self):
            vars(after)["namespaces"] = self._namespaces_of(after, documents)
        if "_grants" in vars(self) and "EntitlementBinding" not in kinds:
            vars(after)["_grants"] = self._grants
        return after

    def _namespaces_of(self, after: Catalogue, subjects: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        """Give another catalogue's flags by namespace, known where it may differ from this one."""
        references = (subject.removeprefix("FlagDefinition/") for subject in subjects if subject.startswith("Flag"))
        moved = {it for it in references if (it in self.flags) != (it in after.flags)}
        if not moved:
            return self.namespaces
        found = dict(self.namespaces)
        for namespace in {reference.partition("/")[0] for reference in moved}:
            candidates = moved.union(found.get(namespace, ()))
            found[namespace] = tuple(
                sorted(it for it in candidates if it in after.flags and it.startswith(f"{namespace}/"))
            )
        listed = sorted(references for references in found.values() if references)
        return {references[0].partition("/")[0]: references for references in listed}

    @cached_property
    def namespaces(self) -> Mapping[str, tuple[str, ...]]:
        """The flags of each namespace, as ``namespace/name``, sorted."""
        found: dict[str, list[str]] = {}
        for reference in sorted(self.flags):
            found.setdefault(reference.partition("/")[0], []).append(reference)
        return {namespace: tuple(references) for namespace, references in found.items()}

    @cached_property
    def _grants(self) -> Mapping[str, tuple[tuple[str, Grant], ...]]:
        found: dict[str, list[tuple[str, Grant]]] = {}
        for reference in sorted(self.bindings):
            for grant in self.bindings[reference].grants:
                found.setdefault(grant.flag, []).append((reference, grant))
        return {flag: tuple(grants) for flag, grants in found.items()}

    def grants(self, flag: str) -> tuple[tuple[str, Grant], ...]:
        """Give the grants for a flag, each with its binding's ``namespace/name``."""
        return self._grants.get(flag, ())

    def references(self, flag: str) -> References:
        """Give what a flag refers to, in any environment, whether it exists or not."""
        own = _references(self._documents["FlagDefinition"][flag])
        entitled = own.entitled or any(
            asks_for_grants(self.segments[name].when) for name in own.segments if name in self.segments
        )
        return own if entitled == own.entitled else References(own.segments, own.flags, entitled)

    @cached_property
    def _referring(self) -> Mapping[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for flag in self.flags:
            references = self.references(flag)
            subjects = [subject_of("Segment", *name.split("/")) for name in references.segments]
            subjects += [subject_of("FlagDefinition", *name.split("/")) for name in references.flags]
            if references.entitled:
                subjects += [subject_of("EntitlementBinding", *name.split("/")) for name, _ in self.grants(flag)]
            for subject in subjects:
                found.setdefault(subject, set()).add(flag)
        return {subject: frozenset(flags) for subject, flags in found.items()}

    def dependents(self, subject: str) -> frozenset[str]:
        """Name the flags, as ``namespace/name``, that reach a document through any number of others.

        Args:
            subject: Of a Segment, an EntitlementBinding or a FlagDefinition; it need not exist. A flag is no dependent
                of itself, unless prerequisites form a cycle.
        """
        found: set[str] = set()
        waiting = [subject]
        while waiting:
            for flag in self._referring.get(waiting.pop(), frozenset()) - found:
                found.add(flag)
                waiting.append(subject_of("FlagDefinition", *flag.split("/")))
        return frozenset(found)

    def may_depend_on_time(self, flag: str) -> bool:
        """Tell whether a schedule or an entitlement may decide about a flag; too often rather than too seldom."""
        references = self.references(flag)
        return bool(references.entitled or references.flags) or _may_be_timed(self._documents["FlagDefinition"][flag])

    def fingerprint(self, flag: str) -> tuple[str, ...]:
        """Give the digests of everything that a flag's compiled form is made from."""
        digests: set[str] = set()
        seen: set[str] = set()
        waiting = [flag]
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self.flags:
                continue
            seen.add(name)
            references = self.references(name)
            digests.add(self._documents["FlagDefinition"][name].digest)
            digests |= {self._documents["Segment"][it].digest for it in references.segments if it in self.segments}
            if references.entitled:
                digests |= {self._documents["EntitlementBinding"][binding].digest for binding, _ in self.grants(name)}
            waiting += references.flags
        return tuple(sorted(digests))


def qualified(reference: str, namespace: str) -> str:
    """Read a reference to a flag (``name`` or ``namespace/name``) as it stands in a namespace."""
    return reference if "/" in reference else f"{namespace}/{reference}"


def _find_references(document: Document) -> References:
    if not any(word in document.canonical for word in _REFERRING_WORDS):
        return _NO_REFERENCES
    flag = flag_of(document)
    segments: set[str] = set()
    flags: set[str] = set()
    entitled = False
    for section in flag.environments.values():
        flags |= {qualified(requirement.flag, flag.namespace) for requirement in section.requires}
        for rule in section.rules:
            for part in leaves(rule.when):
                if isinstance(part, SegmentRef):
                    segments.add(f"{flag.namespace}/{part.name}")
                entitled = entitled or isinstance(part, Entitled)
    found = References(frozenset(segments), frozenset(flags), entitled)
    return found if found != _NO_REFERENCES else _NO_REFERENCES


def _find_time(document: Document) -> bool:
    return any(word in document.canonical for word in _TIMED_WORDS)


_TIMED_WORDS: Final = (b'"ramp"', b'"from"', b'"until"')
"""One of these keys stands in every flag and binding with a schedule of its own."""

_may_be_timed: Final = _kept("_may_be_timed", _find_time)

_REFERRING_WORDS: Final = (b'"requires"', b'"segment"', b'"entitled"')
"""One of these keys stands in every flag that refers to something; nearly all others need not be parsed to know it."""

_NO_REFERENCES: Final = References(frozenset(), frozenset(), entitled=False)
"""What most flags refer to: ten thousand of them need not say so each."""

_references: Final = _kept("_references", _find_references)


def leaves(condition: Condition | None) -> Iterator[Condition]:
    """Give the parts of a condition that are no combinations; segments stay references."""
    match condition:
        case None:
            return
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from leaves(part)
        case Negation(part=part):
            yield from leaves(part)
        case _:
            yield condition


def asks_for_grants(condition: Condition) -> bool:
    """Tell whether a condition, segments left aside, mentions `entitled`."""
    return any(isinstance(leaf, Entitled) for leaf in leaves(condition))
