"""What admission knows of the accepted state: enough to say early what would be refused later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.emergency import Emergencies
    from flagseal.history import Head
    from flagseal.model.policies import Organisation


@dataclass(frozen=True, slots=True)
class Known:
    """The accepted state, as of the last step or the last look.

    Attributes:
        organisation: Who may do what.
        emergencies: What was proven, and holds or held.
        digests: Of every approved document, by subject; None for an approved removal.
    """

    organisation: Organisation
    emergencies: Emergencies
    digests: Mapping[str, str | None]

    @staticmethod
    def of(head: Head, emergencies: Emergencies) -> Known:
        """Keep of a head what admission needs, so that the rest of it can be forgotten."""
        digests = {subject: None if it.is_tombstone else it.digest for subject, it in head.documents.items()}
        return Known(head.policies.organisation, emergencies, digests)

    def has_flag(self, namespace: str | None, name: str | None) -> bool:
        """Tell whether there is a flag."""
        return self.digests.get(f"FlagDefinition/{namespace}/{name}") is not None
