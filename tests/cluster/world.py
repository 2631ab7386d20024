"""A company whose history runs through a cluster: what is approved is carried by FlagApprovals, and published."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flagseal_operator.carriers import carry, genesis_carrier, statement_carrier
from tests.cluster.cluster import resource_of
from tests.snapshot.world import Clock, World

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flagseal.history import HistoryEntry
    from flagseal.model.document import Document


class CarriedWorld(World):
    """The company of the snapshot tests; statements are written as resources, and published by an operator."""

    def __init__(self, path: Path, **words: Any) -> None:  # noqa: ANN401 (those of the world)
        super().__init__(path, clock=Clock(datetime.now(UTC).replace(microsecond=0)), **words)

    def genesis_bodies(self) -> tuple[dict[str, Any], ...]:
        """Write the FlagApprovals that carry the genesis."""
        return carry(genesis_carrier(self.trust.genesis.manifest), self.genesis_documents)

    def approve(
        self, *changed: Document, by: Sequence[str] = ("alice", "dora"), removed: Sequence[Document] = ()
    ) -> tuple[dict[str, Any], ...]:
        """Have a change approved; give the FlagApprovals that carry it."""
        self.clock.now = datetime.now(UTC).replace(microsecond=0)
        return bodies_of(self.accept(*changed, by=by, removed=removed))

    def declared(self) -> list[dict[str, Any]]:
        """Write the resources that declare what is accepted."""
        return [resource_of(it) for it in self.head.documents.values() if not it.is_tombstone]


def bodies_of(entry: HistoryEntry) -> tuple[dict[str, Any], ...]:
    """Write the FlagApprovals that carry an accepted statement."""
    return carry(statement_carrier(entry.envelope.payload), entry.documents.values(), [entry.envelope])
