"""Rebuilding a head from what the history keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.history.acceptance import accept
from flagseal.history.head import Head, genesis

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagseal.approval.trust import Trust
    from flagseal.history.bundle import HistoryEntry
    from flagseal.model.document import Document


def replay(trust: Trust, documents: Iterable[Document], entries: Iterable[HistoryEntry]) -> Head:
    """Rebuild a head: each entry is decided again as it was, at the time at which it was accepted.

    Args:
        trust: Pins the genesis.
        documents: Those of the genesis.
        entries: In order.

    Raises:
        FlagsealError: What :func:`~flagseal.history.head.genesis` raises, or the refusal of the first entry that does
            not hold (:func:`~flagseal.history.acceptance.accept`).
    """
    head = genesis(trust, documents)
    for entry in entries:
        head = accept(head, entry.bundle, trust, now=entry.accepted_at).require()
    return head
