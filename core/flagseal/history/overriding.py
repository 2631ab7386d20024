"""What is served, flag by flag, and which flags serve their safe variant to everyone (docs/adr/0070, 0115)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.evaluation.catalogue import qualified
from flagseal.policy.state import flag_subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flagseal.history.freezing import Hold
    from flagseal.model.flag import FlagDefinition
    from flagseal.policy.state import State


@dataclass(frozen=True, slots=True)
class Serving:
    """The documents that each flag of one environment is served from.

    Attributes:
        environment: Its name.
        state: What is in effect.
        holds: The flags that a freeze holds back, by ``namespace/name``.
    """

    environment: str
    state: State
    holds: Mapping[str, Hold]

    def state_of(self, flag: str) -> State:
        """Give the documents that a flag is served from; it may not be among them."""
        hold = self.holds.get(flag)
        return self.state if hold is None else hold.state

    def definition(self, flag: str) -> FlagDefinition | None:
        """Give the definition that is served of a flag; None where it is not served."""
        found = self.state_of(flag).definition(flag)
        return found if found is not None and self.environment in found.environments else None

    def flags(self, namespace: str) -> Iterator[str]:
        """Name the flags of a namespace that may be served."""
        own = {flag for flag in self.holds if flag.startswith(f"{namespace}/")}
        yield from sorted(own.union(self.state.catalogue.namespaces.get(namespace, ())))

    def namespaces(self) -> frozenset[str]:
        """Name the namespaces that may have a flag that is served."""
        return frozenset(self.state.catalogue.namespaces) | {flag.partition("/")[0] for flag in self.holds}

    def dependents(self, flag: str) -> list[str]:
        """Name the flags that reach another as a prerequisite, as they are served."""
        subject = flag_subject(flag)
        now = {it for it in self.state.dependents(subject) if it not in self.holds}
        return sorted(now.union(it for it, hold in self.holds.items() if it in hold.state.dependents(subject)))


def overridden(serving: Serving, flags: Mapping[str, str]) -> dict[str, str]:
    """Follow overrides through prerequisites.

    A flag that asks a flag rolled back for another variant than its safe one serves its own safe variant to everyone
    too. One that asks for the safe variant would serve more than before: it goes on as if nothing had happened, so
    that an override never serves anybody anything but a safe variant.

    Args:
        serving: What each flag is served from.
        flags: Those rolled back (``namespace/name``), with the incident; those that are not served are passed over.

    Returns:
        The flags to be served off, with the incident.
    """
    found: dict[str, str] = {}
    waiting = [(flag, incident) for flag, incident in sorted(flags.items()) if serving.definition(flag) is not None]
    while waiting:
        flag, incident = waiting.pop(0)
        rolled_back = serving.definition(flag)
        if flag in found or rolled_back is None:
            continue
        found[flag] = incident
        for other in serving.dependents(flag):
            definition = serving.definition(other)
            if other not in found and definition is not None:
                asked = definition.environments[serving.environment].requires
                if any(
                    qualified(it.flag, definition.namespace) == flag and it.variant != rolled_back.safe_variant
                    for it in asked
                ):
                    waiting.append((other, incident))
    return found
