"""Which flags serve their safe variant to everyone because of an override (docs/adr/0070)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.evaluation.catalogue import qualified
from flagseal.policy.state import flag_subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.policy.state import State


def overridden(state: State, environment: str, flags: Mapping[str, str]) -> dict[str, str]:
    """Follow overrides through prerequisites.

    A flag that asks a flag rolled back for another variant than its safe one serves its own safe variant to everyone
    too. One that asks for the safe variant would serve more than before: it goes on as if nothing had happened, so
    that an override never serves anybody anything but a safe variant.

    Args:
        state: What is in effect.
        environment: Where.
        flags: Those rolled back (``namespace/name``), with the incident; those that are not served are passed over.

    Returns:
        The flags to be served off, with the incident.
    """
    found: dict[str, str] = {}
    waiting = [(flag, incident) for flag, incident in sorted(flags.items()) if _is_served(state, environment, flag)]
    while waiting:
        flag, incident = waiting.pop(0)
        if flag in found:
            continue
        found[flag] = incident
        safe = state.catalogue.flags[flag].safe_variant
        for other in sorted(state.dependents(flag_subject(flag))):
            if other not in found and _is_served(state, environment, other):
                definition = state.catalogue.flags[other]
                asked = definition.environments[environment].requires
                if any(qualified(it.flag, definition.namespace) == flag and it.variant != safe for it in asked):
                    waiting.append((other, incident))
    return found


def _is_served(state: State, environment: str, flag: str) -> bool:
    definition = state.definition(flag)
    return definition is not None and environment in definition.environments
