"""Reading other systems' files: flagd documents, and FeatureFlag resources of the OpenFeature operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from flagseal_validators.exchange.files import read_bodies, read_body, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flagseal.model.canonical import Json

OPERATOR_API: Final = "core.openfeature.dev/v1beta1"
FEATURE_FLAG: Final = "FeatureFlag"
_REMEDY: Final = "Name a flagd flag document."


@dataclass(frozen=True, slots=True)
class FlagSource:
    """One flag document of another system.

    Attributes:
        file: As the person named it.
        namespace: Of the Kubernetes resource; None for files that have none.
        flags: By key.
        evaluators: Shared rules by name.
        metadata: Of the whole document.
        passed_over: What else the file held, in words.
    """

    file: str
    namespace: str | None
    flags: Mapping[str, Json]
    evaluators: Mapping[str, Json]
    metadata: Mapping[str, Json]
    passed_over: tuple[str, ...] = ()

    def document(self) -> dict[str, Json]:
        """Give it as a flagd document."""
        return {"flags": dict(self.flags), "$evaluators": dict(self.evaluators), "metadata": dict(self.metadata)}


def read_flagd(data: bytes, *, file: str) -> FlagSource:
    """Read a flagd document, JSON or YAML, its flags a map or a list.

    Raises:
        UsageError: It is no flagd document.
        InvalidDocuments: It is YAML that parsers read differently.
    """
    return _source(read_body(data, file=file, remedy=_REMEDY), file, None)


def read_operator(data: bytes, *, file: str) -> tuple[FlagSource, ...]:
    """Read the FeatureFlag resources of a manifest, which may hold others too.

    Raises:
        UsageError: There is none, or one of another version.
        InvalidDocuments: It is YAML that parsers read differently.
    """
    found: list[FlagSource] = []
    others: list[str] = []
    for body in read_bodies(data, file=file):
        resource = _mapping(body, file, "a resource")
        kind, version = resource.get("kind"), resource.get("apiVersion")
        if kind == "List" and isinstance(resource.get("items"), list):
            _refuse(file, "a List is not read", "Write its items as documents of their own, divided by `---`.")
        if kind != FEATURE_FLAG:
            others.append(f"{kind} is passed over")
            continue
        if version != OPERATOR_API:
            _refuse(file, f"{kind} has the version {version}", f"Convert it to {OPERATOR_API} first.")
        metadata = _mapping(resource.get("metadata", {}), file, "metadata")
        spec = _mapping(resource.get("spec"), file, "spec")
        namespace = metadata.get("namespace")
        found.append(_source(spec.get("flagSpec"), file, namespace if isinstance(namespace, str) else None))
    if not found:
        _refuse(file, f"there is no {FEATURE_FLAG} in it", f"Name a manifest with a {FEATURE_FLAG} of {OPERATOR_API}.")
    first = found[0]
    told = FlagSource(first.file, first.namespace, first.flags, first.evaluators, first.metadata, tuple(others))
    return (told, *found[1:])


def _source(body: Json, file: str, namespace: str | None) -> FlagSource:
    document = _mapping(body, file, "a flagd document")
    flags = document.get("flags")
    pairs: Iterable[tuple[object, Json]]
    if isinstance(flags, dict):
        pairs = flags.items()
    elif isinstance(flags, list):
        pairs = ((flag.get("key") if isinstance(flag, dict) else None, flag) for flag in flags)
    else:
        _refuse(file, "`flags` is neither a map nor a list")
    named: dict[str, Json] = {}
    for key, flag in pairs:
        if not isinstance(key, str):
            _refuse(file, "a flag of the list has no `key`")
        if key in named:
            _refuse(file, f"two flags have the key {key!r}", "Keep the one that is meant.")
        named[key] = flag
    evaluators = _mapping(document.get("$evaluators") or {}, file, "`$evaluators`")
    metadata = _mapping(document.get("metadata") or {}, file, "`metadata`")
    return FlagSource(file, namespace, named, evaluators, metadata)


def _mapping(value: object, file: str, what: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        _refuse(file, f"{what} is not an object")
    return value


def _refuse(file: str, problem: str, remedy: str = _REMEDY) -> NoReturn:
    refuse(file, problem, remedy)
