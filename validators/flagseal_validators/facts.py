"""What of each document matters to others, kept for those that are not read: who is to be judged again after a change.

A rule complains about a document because of that document, the policies, the day, and what the document refers to
(:data:`~flagseal_validators.rule.Read`). So after a change are judged again: what changed, what refers to it, and what
claims the same name or key. Everything here errs on the side of judging too much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from flagseal.model.document import NAMESPACED_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flagseal.model.document import Document

FLAG, SEGMENT, BINDING = NAMESPACED_KINDS


class Facts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Hold what of a document others look at.

    Attributes:
        kind: As the document's.
        namespace: Empty for a policy.
        name: The document's.
        key: What applications ask for; empty for what is no flag.
        requires: Flags that it requires in any environment, as ``namespace/name``.
        grants: Flags that it grants, as ``namespace/name``.
        segmented: Whether it may name a segment.
    """

    kind: str
    namespace: str
    name: str
    key: str
    requires: tuple[str, ...]
    grants: tuple[str, ...]
    segmented: bool

    @property
    def reference(self) -> str:
        """``namespace/name``; of a policy, its name."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def facts_of(document: Document) -> Facts:
    """Read a document's facts."""
    # Here and not above: after a run that changed nothing, none of it is needed.
    from flagseal.evaluation.catalogue import binding_of, flag_of, qualified  # noqa: PLC0415
    from flagseal.model.uniqueness import flag_key  # noqa: PLC0415

    requires: set[str] = set()
    grants: set[str] = set()
    if document.kind == FLAG and b'"requires"' in document.canonical:
        sections = flag_of(document).environments.values()
        requires = {qualified(it.flag, str(document.namespace)) for section in sections for it in section.requires}
    elif document.kind == BINDING:
        grants = {grant.flag for grant in binding_of(document).grants}
    return Facts(
        kind=document.kind,
        namespace=document.namespace or "",
        name=document.name,
        key=flag_key(document) if document.kind == FLAG else "",
        requires=tuple(sorted(requires)),
        grants=tuple(sorted(grants)),
        segmented=b'"segment"' in document.canonical,
    )


_Claim: TypeAlias = tuple[str, ...]
"""A subject, the name of a flag or the key of one: the word last."""


def _claims(facts: Facts) -> set[_Claim]:
    """Give what nobody else may claim."""
    subject = ("subject", facts.kind, facts.namespace, facts.name)
    return {subject, ("name", facts.name), ("key", facts.key)} if facts.kind == FLAG else {subject}


class Web:
    """Find out who refers to whom.

    Args:
        facts: Of every document there is, by path.
    """

    def __init__(self, facts: Mapping[str, Facts]) -> None:
        self._facts = facts
        self._requiring = [it for it in facts.values() if it.requires]
        self._bindings = [(path, it) for path, it in facts.items() if it.kind == BINDING]

    def affected(self, moved: Iterable[Facts], paths: Iterable[str]) -> set[str]:
        """Name the paths of the documents of which rules may say something else after a change.

        Args:
            moved: What the documents that changed were before, and what they are now.
            paths: Where those lie that changed and are there.
        """
        moved = list(moved)
        found = set(paths) | self._sharing(moved)
        if folders := {it.namespace for it in moved if it.kind == SEGMENT}:
            found |= {path for path, it in self._facts.items() if it.segmented and it.namespace in folders}
        changed = [*moved, *(self._facts[path] for path in found)]
        flags = {it.reference for it in changed if it.kind == FLAG}.union(*(it.grants for it in changed))
        flags = self._requirers(flags)
        return found | self._flags(flags) | self._granting(flags)

    def context(self, paths: Iterable[str]) -> set[str]:
        """Name the paths of all that rules look at when they judge these documents, themselves included."""
        found = set(paths)
        found |= self._sharing([self._facts[path] for path in found])
        seen = [self._facts[path] for path in found]
        flags = {it.reference for it in seen if it.kind == FLAG}
        flags = self._required(flags.union(*(it.grants for it in seen), *(it.requires for it in seen)))
        found |= self._flags(flags) | self._granting(flags)
        if folders := {it.namespace for it in map(self._facts.__getitem__, found) if it.segmented}:
            found |= {path for path, it in self._facts.items() if it.kind == SEGMENT and it.namespace in folders}
        return found

    def _flags(self, references: Iterable[str]) -> set[str]:
        wanted = {tuple(reference.split("/")) for reference in references}
        names = {reference[-1] for reference in wanted}
        near = [(path, it) for path, it in self._facts.items() if it.name in names]
        return {path for path, it in near if it.kind == FLAG and (it.namespace, it.name) in wanted}

    def _granting(self, flags: set[str]) -> set[str]:
        return {path for path, it in self._bindings if not flags.isdisjoint(it.grants)}

    def _sharing(self, claims: Iterable[Facts]) -> set[str]:
        """Find all that claim what one of these does (subject, name or key), or what one of those claims, and so on."""
        found: set[str] = set()
        claimed: set[_Claim] = set()
        waiting = set[_Claim]().union(*map(_claims, claims))
        while not waiting <= claimed:
            claimed |= waiting
            words = {claim[-1] for claim in claimed}
            # A pass over ten thousand takes less than an index of them, and there are two: few claim what others do.
            near = [path for path, it in self._facts.items() if it.name in words or it.key in words]
            found = {path for path in near if not claimed.isdisjoint(_claims(self._facts[path]))}
            waiting = set[_Claim]().union(*(_claims(self._facts[path]) for path in found))
        return found

    def _requirers(self, flags: set[str]) -> set[str]:
        """Add those that require one of these, directly or not."""
        while more := {it.reference for it in self._requiring if not flags.isdisjoint(it.requires)} - flags:
            flags = flags | more
        return flags

    def _required(self, flags: set[str]) -> set[str]:
        """Add those that one of these requires, directly or not."""
        while more := {flag for it in self._requiring if it.reference in flags for flag in it.requires} - flags:
            flags = flags | more
        return flags
