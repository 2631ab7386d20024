"""Overrides and freezes with their reviews, as reports give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.history import reviewed

if TYPE_CHECKING:
    from flagseal.emergency import Standing
    from flagseal.history import Head


def emergency_json(standing: Standing, head: Head) -> dict[str, object]:
    """Give an override or freeze as JSON: what is published of it, what was proven, and its review."""
    review = reviewed(head, standing)
    return {
        **standing.body(),
        "digest": standing.proof.digest,
        "person": standing.person,
        "until": standing.until,
        "reviewed": None if review is None else review.body(),
    }
