"""Who may read one namespace in one environment: the part of the AccessPolicy that its relay needs (access.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from flagseal.model.canonical import Json


def access_for(policy: Json, namespace: str, environment: str) -> Json:
    """Cut an AccessPolicy down to a namespace.

    Bindings and anonymous access that mean other namespaces or environments are left out; everything else, revocations
    above all, is kept as it is, whatever later versions add.

    Args:
        policy: The AccessPolicy's spec; None where there is none.
        namespace: The namespace.
        environment: The environment.

    Returns:
        ``{"namespace", "environment", "policy"}``; a policy of None opens nothing.
    """
    kept: Json = None
    if isinstance(policy, dict):
        spec = cast("dict[str, Any]", dict(policy))
        spec["bindings"] = [entry for entry in spec["bindings"] if _means(entry, namespace, environment)]
        anonymous = spec.pop("anonymous", None)
        if anonymous is not None and _means(anonymous, namespace, environment):
            spec["anonymous"] = {"namespaces": [namespace]}
        kept = cast("Json", spec)
    return {"namespace": namespace, "environment": environment, "policy": kept}


def _means(entry: dict[str, Any], namespace: str, environment: str) -> bool:
    """Tell whether an entry counts here; what it does not name, it does not restrict."""
    return namespace in entry.get("namespaces", [namespace]) and environment in entry.get("environments", [environment])
