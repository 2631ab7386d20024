"""Definitions as other systems' files: what an environment serves, one file a namespace."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from flagseal.evaluation.compile import compile_namespace
from flagseal.model.errors import FlagsealError, UsageError
from flagseal_validators.exchange.comparing import Asked, compare
from flagseal_validators.exchange.source import FEATURE_FLAG, OPERATOR_API, read_flagd, read_operator
from flagseal_validators.exchange.writing import yaml_text

if TYPE_CHECKING:
    from flagseal.evaluation.catalogue import Catalogue
    from flagseal.model.canonical import Json
    from flagseal.model.policies import Environment

Form = Literal["flagd", "openfeature-operator"]

_SUFFIX: Final = {"flagd": "flagd.json", "openfeature-operator": "featureflag.yaml"}
_RELEASED: Final = "v2"


@dataclass(frozen=True, slots=True)
class Exported:
    """One namespace as a file.

    Attributes:
        namespace: Its name.
        file: What the file should be called.
        text: Its content.
        flags: How many flags are in it.
        evaluated: Contexts over which both sides were evaluated, all flags together.
        notes: What was not kept, as sentences.
    """

    namespace: str
    file: str
    text: str
    flags: int
    evaluated: int
    notes: tuple[str, ...]


def export(
    catalogue: Catalogue, environment: Environment, form: Form, *, namespace: str | None = None, now: int
) -> tuple[Exported, ...]:
    """Write what an environment serves in another system's form.

    Args:
        catalogue: All definitions.
        environment: Whose sections are written.
        form: ``flagd`` or ``openfeature-operator``.
        namespace: Only this one.
        now: Unix seconds, at which both sides are compared.

    Raises:
        CompileError: A flag has no meaning there.
        UsageError: The namespace serves nothing there.
        FlagsealError: ``NotExportable``: the file would answer otherwise.
    """
    serving = [
        name
        for name, references in catalogue.namespaces.items()
        if any(environment.name in catalogue.flags[reference].environments for reference in references)
    ]
    if namespace is not None and namespace not in serving:
        raise UsageError(
            f"--namespace {namespace}: no flag of it is served in {environment.name}",
            code="UnknownNamespace",
            remedy=f"Use one of {', '.join(sorted(serving)) or 'none'}.",
        )
    chosen = sorted(serving) if namespace is None else [namespace]
    return tuple(_exported(catalogue, environment, form, name, now) for name in chosen)


def _exported(catalogue: Catalogue, environment: Environment, form: Form, namespace: str, now: int) -> Exported:
    ours = json.loads(
        compile_namespace(catalogue, namespace, environment.name, bucketing=environment.bucketing, approvals={})
    )
    file = f"{namespace}.{_SUFFIX[form]}"
    text = json.dumps(ours, indent=2, ensure_ascii=False) + "\n" if form == "flagd" else _resource(namespace, ours)
    data = text.encode("utf-8")
    theirs = (read_flagd(data, file=file) if form == "flagd" else read_operator(data, file=file)[0]).document()
    evaluated = 0
    for key, flag in ours["flags"].items():
        sides = Asked(ours, environment.bucketing), Asked(theirs, environment.bucketing)
        found = compare(*sides, key, (flag.get("targeting"),), now=now)
        if found.differ:
            raise FlagsealError(f"{file}: {key} would be answered otherwise", code="NotExportable")
        evaluated += found.evaluated
    return Exported(
        namespace, file, text, len(ours["flags"]), evaluated, tuple(_notes(catalogue, environment, namespace, ours))
    )


def _resource(namespace: str, document: dict[str, Any]) -> str:
    spec: Json = {"flagSpec": cast("Json", document)}
    return yaml_text(
        {
            "apiVersion": OPERATOR_API,
            "kind": FEATURE_FLAG,
            "metadata": {"name": namespace, "namespace": namespace},
            "spec": spec,
        }
    )


def _notes(catalogue: Catalogue, environment: Environment, namespace: str, document: dict[str, Any]) -> list[str]:
    found = ["purpose, lifecycle, safe variant, expiry criteria and the names of rules have no place in it"]
    if environment.bucketing != _RELEASED and "fractional" in repr(document):
        found.append(
            f"splits hash by {environment.bucketing} here, and released flagd servers by {_RELEASED}: people move there"
        )
    foreign = sorted(
        {
            required
            for reference in catalogue.namespaces[namespace]
            for required in catalogue.references(reference).flags
            if not required.startswith(f"{namespace}/")
        }
    )
    if foreign:
        found.append(f"prerequisites are written in, so they no longer follow {', '.join(foreign)}")
    granted = [
        reference
        for reference in catalogue.namespaces[namespace]
        if catalogue.references(reference).entitled and catalogue.grants(reference)
    ]
    if granted:
        found.append(f"grants of today are written in, so {', '.join(granted)} no longer follow their bindings")
    return found
