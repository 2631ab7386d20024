"""From definitions to flagd documents, one a namespace, byte for byte the same wherever it is done.

What is compiled is canonical JSON (RFC 8785) and a line feed. A flag's part is kept by the digests of all it is made
from, so a change costs what it changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from flagseal.evaluation.codegen.program import DEEPEST_TARGETING, nesting
from flagseal.evaluation.emit import targeting_of
from flagseal.evaluation.moment import at_instant
from flagseal.evaluation.resolve import resolve_flag
from flagseal.model.canonical import canonical_json, sha256_digest
from flagseal.model.document import subject_of
from flagseal.model.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.evaluation.catalogue import Catalogue
    from flagseal.evaluation.resolved import ResolvedFlag
    from flagseal.model.canonical import Json
    from flagseal.model.flag import FlagDefinition

_BYTES_KEPT: Final = 128 * 1024 * 1024
_VERSIONS_KEPT: Final = 8
"""Of one flag in one environment: as it is, as it is held, and as others in the same process have it."""


@dataclass(frozen=True, slots=True)
class Held:
    """How a flag is compiled that a freeze holds back.

    Attributes:
        catalogue: All definitions as they were; where the flag is not among them, it is not served.
        instant: At which its schedules are held, unix seconds; None if it has none.
        approval: The id of the statement by which it was in effect; None where there was none.
        incident: For which it is held.
    """

    catalogue: Catalogue
    instant: int | None
    approval: str | None
    incident: str

    def mark(self, flag: str) -> tuple[object, ...]:
        """Give what the compiled flag is made from; equal only where that is."""
        return self.catalogue.fingerprint(flag), self.instant, self.approval, self.incident


def compile_flag(
    resolved: ResolvedFlag,
    definition: FlagDefinition,
    approval: str | None,
    incident: str | None = None,
    frozen: str | None = None,
) -> dict[str, Json]:
    """Write one flag of a flagd document.

    Args:
        resolved: The flag in its environment.
        definition: What it was resolved from: its governance fields go into the metadata.
        approval: The id of the statement that approved it.
        incident: For which it is rolled back; None if it is not.
        frozen: The incident for which a change of it is held back; None if none is.

    Raises:
        CompileError: A prerequisite has no form inside another flag, or the targeting is nested too deeply.
    """
    targeting = targeting_of(resolved)
    if nesting(targeting) > DEEPEST_TARGETING:
        raise CompileError(
            f"{definition.reference}, {resolved.environment}: the compiled targeting is nested deeper than "
            f"{DEEPEST_TARGETING} levels",
            code="TooDeep",
            remedy="Nest conditions less, or require fewer flags in a row.",
        )
    metadata: dict[str, Json] = {"owner": definition.owner, "riskTier": definition.risk_tier}
    if definition.expires is not None:
        metadata["expires"] = definition.expires
    if approval is not None:
        metadata["approval"] = approval
    if incident is not None:
        metadata["breakGlass"] = incident
    if frozen is not None:
        metadata["frozen"] = frozen
    flag: dict[str, Json] = {
        "state": "ENABLED",
        "variants": dict(resolved.variants),
        "defaultVariant": resolved.default,
        "metadata": metadata,
    }
    if isinstance(targeting, str):
        # One variant for everyone, by a rule that always matches.
        flag["targeting"] = {"if": [True, targeting]}
    elif targeting is not None:
        flag["targeting"] = targeting
    return flag


def compile_namespace(
    catalogue: Catalogue,
    namespace: str,
    environment: str,
    *,
    bucketing: str,
    approvals: Mapping[str, str],
    rolled_back: Mapping[str, str] = MappingProxyType({}),
    held: Mapping[str, Held] = MappingProxyType({}),
) -> bytes:
    """Write the flagd document of a namespace in an environment.

    Args:
        catalogue: All definitions.
        namespace: Its flags that list the environment are served.
        environment: The environment.
        bucketing: How its splits hash; written into the metadata, for evaluators that can choose.
        approvals: The id of the statement that approved each subject, as far as there is one.
        rolled_back: Flags (``namespace/name``) that serve their safe variant to everyone, with the incident. What asks
            for one of them as a prerequisite is not touched: name it too if it is meant.
        held: Flags (``namespace/name``) that are compiled as they were.

    Raises:
        CompileError: A flag has no meaning there.
    """
    parts: dict[str, bytes] = {}
    own = {reference for reference in held if reference.startswith(f"{namespace}/")}
    for reference in sorted(own.union(catalogue.namespaces.get(namespace, ()))):
        hold = held.get(reference)
        definition = (catalogue if hold is None else hold.catalogue).flags.get(reference)
        if definition is not None and environment in definition.environments:
            if definition.key in parts:
                raise CompileError(
                    f"{reference}, {environment}: another flag has the key {definition.key!r}",
                    code="Contradiction",
                    remedy="Give each flag a key of its own.",
                )
            if hold is None:
                hold = Held(catalogue, None, approvals.get(subject_of("FlagDefinition", *reference.split("/"))), "")
            parts[definition.key] = _part(definition, environment, hold, rolled_back.get(reference))
    flags = b",".join(parts[key] for key in sorted(parts, key=lambda key: key.encode("utf-16-be")))
    metadata: dict[str, Json] = {"flagSetId": namespace, "environment": environment, "bucketing": bucketing}
    metadata["version"] = sha256_digest(_document(flags, metadata))
    return _document(flags, metadata) + b"\n"


def compile_environment(
    catalogue: Catalogue, environment: str, *, bucketing: str, approvals: Mapping[str, str]
) -> dict[str, bytes]:
    """Write the documents of every namespace that serves a flag in an environment.

    Raises:
        CompileError: A flag has no meaning there.
    """
    return {
        namespace: compile_namespace(catalogue, namespace, environment, bucketing=bucketing, approvals=approvals)
        for namespace, references in catalogue.namespaces.items()
        if any(environment in catalogue.flags[reference].environments for reference in references)
    }


def _document(flags: bytes, metadata: Mapping[str, Json]) -> bytes:
    # Canonical JSON put together from canonical parts; both keys are in their order.
    return b'{"flags":{' + flags + b'},"metadata":' + canonical_json(metadata) + b"}"


def _part(definition: FlagDefinition, environment: str, hold: Held, incident: str | None) -> bytes:
    """Write one flag with its key, from memory where all it is made from is as it was."""
    place, key = (definition.reference, environment), (incident, *hold.mark(definition.reference))
    part = _memory.get(place, key)
    if part is None:
        meant = definition if incident is None else switched_off(definition, environment)
        resolved = resolve_flag(meant, environment, hold.catalogue)
        if hold.instant is not None:
            resolved = at_instant(resolved, hold.instant, grants_end=True)
        flag = compile_flag(resolved, meant, hold.approval, incident, hold.incident or None)
        part = canonical_json(definition.key) + b":" + canonical_json(flag)
        _memory.keep(place, key, part)
    return part


def switched_off(definition: FlagDefinition, environment: str) -> FlagDefinition:
    """Give a flag as if one of its environments said ``off: true``."""
    section = msgspec.structs.replace(definition.environments[environment], off=True)
    return msgspec.structs.replace(definition, environments={**definition.environments, environment: section})


class _Memory:
    """Keep compiled flags by all they are made from: some versions of each, and no more than :data:`_BYTES_KEPT`.

    Several threads may build at once; what one of them loses of another's is made again.
    """

    def __init__(self) -> None:
        self._parts: dict[tuple[str, str], tuple[tuple[object, bytes], ...]] = {}
        self._size = 0

    def get(self, place: tuple[str, str], key: object) -> bytes | None:
        """Give what is kept of a flag in an environment."""
        for known, part in self._parts.get(place, ()):
            if known == key:
                return part
        return None

    def keep(self, place: tuple[str, str], key: object, part: bytes) -> None:
        """Keep a part; the oldest of the flag there goes."""
        known = self._parts.get(place, ())
        self._size += len(part) - sum(len(gone) for _, gone in known[: 1 - _VERSIONS_KEPT])
        if self._size > _BYTES_KEPT:
            self._parts, self._size, known = {}, len(part), ()
        self._parts[place] = (*known[1 - _VERSIONS_KEPT :], (key, part))


_memory: Final = _Memory()
