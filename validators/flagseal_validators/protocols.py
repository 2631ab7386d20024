"""Flags that choose how a workload authenticates, as the rules look at them (auth-protocols.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from flagseal.model.condition import AllOf, AnyOf, Negation, Test
from flagseal.model.schema.access import PROTOCOLS, WORKLOAD_CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flagseal.model.condition import Condition
    from flagseal.model.document import Document
    from flagseal.model.flag import FlagDefinition
    from flagseal_validators.declared import Declared

CLASS: Final = ("workload", "class")
"""The attribute that says of which class a workload is."""

COMBINATIONS: Final = ("all-of", "any-of")


def auth_flags(declared: Declared) -> Iterator[tuple[Document, FlagDefinition]]:
    """Give the flags of purpose auth-protocol that are looked at."""
    return ((document, flag) for document, flag in declared.flags if flag.purpose == "auth-protocol")


def trust_tiers(declared: Declared) -> Mapping[str, Mapping[str, Any]] | None:
    """Give the trust tiers by class of workload; None where no policy says any."""
    if declared.policies is None:
        return None
    documents = (it for it in declared.policies.documents.values() if it.kind == "TrustTiers")
    document = next(documents, None)
    return None if document is None else cast("dict[str, Any]", document.spec)["tiers"]


def protocol(flag: FlagDefinition, variant: str) -> str | None:
    """Give the protocol that a variant names; None if it names none."""
    value = flag.variants.get(variant)
    name = value.get("protocol") if isinstance(value, dict) else None
    return name if isinstance(name, str) and name in PROTOCOLS else None


def is_allowed(flag: FlagDefinition, variant: str, allowed: list[str]) -> bool:
    """Tell whether a list of protocols allows a variant: by its name, or by those of all that it combines."""
    name = protocol(flag, variant)
    if name is None or name in allowed:
        return True  # what names no protocol is told for itself
    parts = cast("dict[str, Any]", flag.variants[variant]).get("of")
    if name not in COMBINATIONS or not isinstance(parts, list) or not parts:
        return False
    return all(protocol(flag, part) in allowed if part in flag.variants else part in allowed for part in parts)


def classes(condition: Condition) -> frozenset[str]:
    """Name the classes of workloads that a condition asks for."""
    match condition:
        case AllOf(parts=parts) | AnyOf(parts=parts):
            return frozenset[str]().union(*map(classes, parts))
        case Negation(part=part):
            return classes(part)
        case Test(path=path, predicate="eq" | "in", operand=operand) if path == CLASS:
            named = operand if isinstance(operand, tuple) else (operand,)
            return frozenset(it for it in named if isinstance(it, str) and it in WORKLOAD_CLASSES)
        case _:
            return frozenset()
