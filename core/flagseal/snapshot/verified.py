"""What a client evaluates from: one verified snapshot, as values that never change."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from flagseal.evaluation import Evaluation, FlagSet
from flagseal.model.errors import FlagsealError
from flagseal.snapshot.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from flagseal.evaluation.outcome import Metadata
    from flagseal.history import Head
    from flagseal.model.canonical import Json

    Clock = Callable[[], datetime]


class Flags(Protocol):
    """Answer for the flags of one namespace."""

    def keys(self) -> Collection[str]:
        """Give the keys served."""
        ...

    def evaluate(self, key: str, context: Mapping[str, object] | None = None) -> Evaluation:
        """Answer for one flag; raises nothing."""
        ...

    def flag_metadata(self, key: str) -> Metadata:
        """Give what a flag's answers carry."""
        ...


@dataclass(frozen=True)
class NamespaceSnapshot:
    """One namespace of a verified snapshot.

    Attributes:
        name: The namespace.
        flags: The flagd document, byte for byte as published.
        etag: SHA-256 of it, hexadecimal: a name for exactly this content.
        provenance: The documents it was compiled from, as published.
        access: Who may read it, as published.
        flag_set: What answers.
    """

    name: str
    flags: bytes = field(repr=False)
    etag: str
    provenance: bytes = field(repr=False)
    access: bytes = field(repr=False)
    flag_set: Flags = field(repr=False)

    @cached_property
    def documents(self) -> tuple[Mapping[str, Json], ...]:
        """The documents it was compiled from, as JSON."""
        return tuple(json.loads(self.provenance)["documents"]) if self.provenance else ()

    @cached_property
    def safe_answers(self) -> Mapping[str, SafeAnswer]:
        """What each key serves once its tier says that old is not good enough."""
        answers = {}
        for document in self.documents:
            metadata, spec = document["metadata"], document["spec"]
            if document["kind"] != "FlagDefinition" or not isinstance(spec, dict) or not isinstance(metadata, dict):
                continue
            if metadata["namespace"] == self.name:
                variant, variants = str(spec["safeVariant"]), spec["variants"]
                value = variants[variant] if isinstance(variants, dict) else None
                answers[str(spec.get("key", metadata["name"]))] = SafeAnswer(str(spec["riskTier"]), variant, value)
        return MappingProxyType(answers)

    def past(self, tiers: frozenset[str]) -> NamespaceSnapshot:
        """Give the namespace as it is served when the snapshot is too old for these tiers."""
        safe = {
            key: answer
            for key, answer in self.safe_answers.items()
            if answer.tier in tiers and key in self.flag_set.keys()  # noqa: SIM118 (not a mapping)
        }
        return replace(self, flag_set=SafeFlags(self.flag_set, safe)) if safe else self


@dataclass(frozen=True, slots=True)
class SafeAnswer:
    """What a flag serves once its snapshot is too old for its tier.

    Attributes:
        tier: Risk tier, which decides when.
        variant: The safe variant's name.
        value: Its value.
    """

    tier: str
    variant: str
    value: object


class SafeFlags:
    """Serve the safe variant, reason STALE, for some flags, and the last good answer for the others.

    Args:
        flags: What answers otherwise.
        safe: By key, for flags that are switched on at all.
    """

    def __init__(self, flags: Flags, safe: Mapping[str, SafeAnswer]) -> None:
        self._flags = flags
        self._safe = safe

    def keys(self) -> Collection[str]:
        """Give the keys served: the same ones."""
        return self._flags.keys()

    def evaluate(self, key: str, context: Mapping[str, object] | None = None) -> Evaluation:
        """Answer; raises nothing."""
        answer = self._safe.get(key) if isinstance(key, str) else None
        if answer is None:
            return self._flags.evaluate(key, context)
        # JSON in, JSON out: the caller's copy is the caller's.
        value = json.loads(json.dumps(answer.value)) if isinstance(answer.value, dict | list) else answer.value
        return Evaluation(value, answer.variant, "STALE", metadata=self._flags.flag_metadata(key))

    def flag_metadata(self, key: str) -> Metadata:
        """Give what a flag's answers carry."""
        return self._flags.flag_metadata(key)


@dataclass(frozen=True)
class Verified:
    """One verified snapshot. Immutable: whoever holds it sees one state, whatever is published meanwhile.

    Attributes:
        version: Of the TUF snapshot.
        sequence: Of the accepted head it was built from.
        environment: Which environment it serves.
        as_of: The instant for which it was built.
        expires: When it becomes stale unless a newer timestamp arrives.
        namespaces: Those that serve flags, by name.
        head: The accepted state; None with ``verify="tuf"``, which does not look at it.
        claim: ``head.json`` as published.
        past_limit: Tiers for which it is too old by now and whose flags serve their safe variant.
    """

    version: int
    sequence: int
    environment: str
    as_of: datetime
    expires: datetime
    namespaces: Mapping[str, NamespaceSnapshot]
    head: Head | None = field(repr=False)
    claim: Mapping[str, Json] = field(repr=False)
    clock: Clock = field(repr=False, compare=False)
    past_limit: frozenset[str] = frozenset()

    @property
    def stale(self) -> bool:
        """Whether it has expired without another taking its place; becomes true by time alone."""
        return self.clock() >= self.expires

    def namespace_of(self, key: str) -> NamespaceSnapshot | None:
        """Find the namespace that serves a key; None if none does, or more than one."""
        return self._by_key.get(key)

    def evaluate(self, key: str, context: Mapping[str, object] | None = None) -> Evaluation:
        """Answer for one flag of any namespace; a stale snapshot says so in the metadata. Raises nothing."""
        namespace = self._by_key.get(key) if isinstance(key, str) else None
        if namespace is None:
            return Evaluation(None, None, "ERROR", "FLAG_NOT_FOUND", f"no flag {key!r} is served in {self.environment}")
        evaluation = namespace.flag_set.evaluate(key, context)
        if not self.stale:
            return evaluation
        return evaluation._replace(metadata=MappingProxyType({**evaluation.metadata, "stale": True}))

    def past(self, tiers: frozenset[str]) -> Verified:
        """Give the snapshot as it is served when it is too old for these tiers."""
        namespaces = {name: namespace.past(tiers) for name, namespace in self.namespaces.items()}
        return replace(self, namespaces=MappingProxyType(namespaces), past_limit=tiers)

    @cached_property
    def _by_key(self) -> Mapping[str, NamespaceSnapshot]:
        found: dict[str, NamespaceSnapshot] = {}
        twice: set[str] = set()
        for namespace in self.namespaces.values():
            for key in namespace.flag_set.keys():  # noqa: SIM118 (not a mapping)
                if key in found:
                    twice.add(key)
                found[key] = namespace
        # Keys are unique in a repository. Choosing between two would let a cheap flag answer for a dear one.
        return {key: namespace for key, namespace in found.items() if key not in twice}


def load_namespace(
    name: str, flags: bytes, etag: str, rest: tuple[bytes, bytes], seconds: Callable[[], float]
) -> NamespaceSnapshot:
    """Make a namespace ready to answer.

    Args:
        name: The namespace.
        flags: Its flagd document.
        etag: Its SHA-256.
        rest: ``provenance.json`` and ``access.json``.
        seconds: Gives unix seconds, for flags that depend on the time.

    Raises:
        Refused: It is no flagd document.
    """
    try:
        flag_set = FlagSet.load(flags, bucketing=None, clock=seconds)
    except FlagsealError as error:
        raise Refused("malformed", f"{name}/flags.json: {error}") from error
    return NamespaceSnapshot(name, flags, etag, *rest, flag_set)
