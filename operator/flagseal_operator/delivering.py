"""From a clone to a delivery: what is to be written for a repository, and to be said about it. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flagseal.intake import advance, recover
from flagseal.model.errors import FlagsealError
from flagseal_operator.delivery import (
    EVERYTHING,
    Action,
    carrier_actions,
    chain_bodies,
    genesis_bodies,
    resource_actions,
)
from flagseal_operator.standing import standing
from flagseal_operator.status.conditions import READY, RECONCILING, STALLED, Condition, holds, kstatus, lacks

if TYPE_CHECKING:
    from datetime import datetime

    from flagseal.approval.trust import Trust
    from flagseal.history import Head
    from flagseal.repository import FlagRepository
    from flagseal_operator.inventory import Inventory
    from flagseal_operator.standing import Standing


@dataclass(frozen=True)
class Delivery:
    """What is to be done for a repository.

    Attributes:
        actions: In this order.
        conditions: What is to be said; complete.
        commit: The end of the branch that was reached; None if none was.
        waits: The commit that waits for approval; None if nothing does.
    """

    actions: tuple[Action, ...]
    conditions: tuple[Condition, ...]
    commit: str | None = None
    waits: str | None = None

    def status(self) -> dict[str, Any]:
        """Give the fields beside the conditions."""
        return {
            **({"commit": self.commit} if self.commit else {}),
            **({"waiting": self.waits} if self.waits else {}),
        }


def delivery(
    repository: FlagRepository,
    head: Head | None,
    trust: Trust,
    inventory: Inventory,
    *,
    mode: str,
    now: datetime,
) -> Delivery:
    """Work out what a cluster lacks of a repository.

    Args:
        repository: A clone, with its notes.
        head: The accepted state; None where nothing is published and nothing can be, for want of a genesis.
        trust: Names repository, branch and genesis.
        inventory: What the cluster holds.
        mode: ``everything`` or ``approvals``.
        now: The clock.
    """
    try:
        commit = repository.resolve(trust.ref)
        if head is None:
            found = recover(repository, trust, now=now)
            documents, _ = repository.documents(trust.genesis.commit)
            beginning = genesis_bodies(trust.genesis.manifest, documents)
        else:
            found = advance(repository, head, trust, now=now)
            beginning = ()
        dates = {
            name: repository.commit(name).committed_at.strftime("%Y-%m-%dT%H:%M:%SZ")
            for name in (entry.envelope.statement.commit for entry in found.entries)
        }
        actions = [*carrier_actions(chain_bodies(found.entries, dates), inventory)]
        # A genesis has no signature: its documents are the pinned ones together, or not at all.
        actions += carrier_actions(beginning, inventory, exact=True)
        if head is not None and mode == EVERYTHING:
            actions += resource_actions(head, inventory)
        tip = standing(repository, found.head, trust, trust.ref, now)
    except FlagsealError as error:
        return held(error)
    return Delivery(tuple(actions), tuple(_said(actions, commit, tip)), commit, None if tip.settled else tip.commit)


def held(error: FlagsealError, *, passing: bool = False) -> Delivery:
    """Say that nothing is delivered, and why.

    Args:
        error: Why.
        passing: Whether it may well be over by the next attempt.
    """
    words = f"{error.message} {error.remedy or ''}".strip()
    if passing:
        return Delivery(
            (), tuple(kstatus(ready=lacks(READY, error.code, words), busy=holds(RECONCILING, error.code, words)))
        )
    words = f"Nothing is delivered: {words}"
    return Delivery((), tuple(kstatus(ready=lacks(READY, error.code, words), stuck=holds(STALLED, error.code, words))))


def _said(actions: list[Action], commit: str, tip: Standing) -> list[Condition]:
    place = f"Commit {commit[:12]} is reached"
    busy = None
    if actions:
        busy = holds(RECONCILING, "Delivering", f"{len(actions)} resources are being written, first: {actions[0]}.")
    if tip.settled:
        return kstatus(ready=holds(READY, "Delivered", f"{place}, and nothing waits for approval."), busy=busy)
    return kstatus(ready=holds(READY, "WaitsForApproval", f"{place}. {waiting_words(tip)}"), busy=busy)


def waiting_words(tip: Standing) -> str:
    """Say what a commit waits for, and who can give it."""
    refusal = tip.problem or (tip.acceptance.refusal if tip.acceptance else None)
    words = f"Commit {tip.commit[:12]} waits"
    if refusal is not None:
        words += f" ({refusal.code}): {refusal.message} {refusal.remedy or ''}".rstrip()
    given = ", ".join(sorted({it.person for it in tip.approvals}))
    return f"{words} Approved so far by {given}." if given else words
