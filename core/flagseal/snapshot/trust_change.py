"""Changing trust.json: attestors come and go, genesis moves forward (approval.md, Genesis).

A genesis that has moved is a new beginning: what was accepted up to there counts as approved by it. So the
build changes although no document does, and everybody replays from there.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

from flagseal.approval.trust import Attestor
from flagseal.emergency import take
from flagseal.history import build, replay, reviewed
from flagseal.model.errors import ApprovalError, SnapshotError, UsageError
from flagseal.snapshot.ceremony import put_targets, put_trust, trusted
from flagseal.snapshot.content import genesis_documents, head_at, history_entries
from flagseal.snapshot.keys import same_key
from flagseal.snapshot.marks import Mark
from flagseal.snapshot.published import ChainFiles, read_live

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from securesystemslib.signer import Key, Signer

    from flagseal.approval.trust import Trust
    from flagseal.history import Build, Head
    from flagseal.model.document import Document
    from flagseal.snapshot.ceremony import Trusted
    from flagseal.snapshot.content import Content, Files
    from flagseal.snapshot.store import Store


def set_trust(store: Store, root: bytes, trust: Trust, *, signers: Sequence[Signer], now: datetime) -> Trusted:
    """Hold the ceremony that replaces trust.json.

    Args:
        store: The repository.
        root: The pinned root.
        trust: What is to be trusted from now on.
        signers: Enough of the targets' keys.
        now: The clock.

    Raises:
        SnapshotError: Genesis would move back (``GenesisMovesBack``) or to a state that was not accepted or still
            waits (``GenesisUnknown``, ``GenesisWaits``); an attestor would be taken out on whom the published history
            rests (``HistoryNeedsKey``); the trust is another repository's or environment's
            (``OtherRepository``); keys that are needed were not given (``SignaturesMissing``); the store fails.
    """
    was = trusted(store, root)
    old = was.trust
    if (old.repository_id, old.environment) != (trust.repository_id, trust.environment):
        raise SnapshotError(
            f"trust.json is for {trust.repository_id} in {trust.environment}, "
            f"this store for {old.repository_id} in {old.environment}",
            code="OtherRepository",
            remedy="Found a repository of its own: `flagseal trust init`.",
        )
    if trust.genesis != old.genesis and trust.genesis.sequence <= old.genesis.sequence:
        raise SnapshotError(
            f"genesis would move from sequence {old.genesis.sequence} to {trust.genesis.sequence}",
            code="GenesisMovesBack",
            remedy="Genesis may only move forward, to a state that was accepted since.",
        )
    if (trust.genesis, trust.attestors) != (old.genesis, old.attestors):
        live = read_live(store, root, Mark(), now=now)
        if live.chain is not None and live.content is not None:
            reader = ChainFiles(live.chain, lambda name: stored.data if (stored := store.get(name)) else None)
            _require_holding(reader, live.content, trust, now)
    targets = deepcopy(was.targets)
    put_trust(store, targets, trust)
    put_targets(store, targets, was.root, signers, now)
    return trusted(store, root)


def without_attestor(trust: Trust, keyid: str, until: int, replacement: Key | None = None) -> Trust:
    """Take an attestor's key out, for everything after a statement.

    Args:
        trust: As it is.
        keyid: The key's id.
        until: The last sequence for which it counts: what people and the key approved before goes on holding.
        replacement: A key that counts from now on.

    Raises:
        UsageError: ``UnknownKey``: no attestor has it. ``KeyTwice``: the replacement is an attestor's already.
    """
    if keyid not in {it.key.keyid for it in trust.attestors}:
        raise UsageError(
            f"{keyid}: is no attestor’s key", code="UnknownKey", remedy="`flagseal trust show` lists them."
        )
    changed = tuple(replace(it, until=until) if it.key.keyid == keyid else it for it in trust.attestors)
    if replacement is not None:
        if any(same_key(replacement, it.key) or replacement.keyid == it.key.keyid for it in changed):
            raise UsageError(
                f"{replacement.keyid}: is an attestor’s key already", code="KeyTwice", remedy="Make a fresh one."
            )
        changed = (*changed, Attestor(replacement))
    return replace(trust, attestors=changed)


def _require_holding(files: Files, content: Content, trust: Trust, now: datetime) -> None:
    """Refuse a trust under which what is published would not hold: every client would refuse it whole."""
    if trust.genesis != content.trust.genesis:
        _new_beginning(files, content, trust, now)
        return
    try:
        replay(trust, genesis_documents(files), history_entries(files, trust.genesis.sequence, content.head.sequence))
    except ApprovalError as error:
        raise SnapshotError(
            f"the published history would not hold any more: {error.message}",
            code="HistoryNeedsKey",
            remedy="Undo what must not stay by a change that people approve, and let the key count up to the newest"
            " statement that rests on it; or move genesis past that.",
        ) from error


def rebased(files: Files, content: Content, trust: Trust, now: datetime) -> tuple[tuple[Document, ...], Build]:
    """Build what is published again, from a genesis that has moved.

    Args:
        files: The published targets.
        content: What they hold.
        trust: With the new genesis.
        now: The clock.

    Raises:
        SnapshotError: ``GenesisUnknown``, ``GenesisWaits``.

    Returns:
        The documents at the new genesis, and the build.
    """
    beginning = _new_beginning(files, content, trust, now)
    documents = tuple(beginning.documents.values())
    head = replay(trust, documents, history_entries(files, beginning.sequence, content.head.sequence))
    instant = max(now, content.build.as_of)
    known, organisation = content.build.emergencies, head.policies.organisation
    emergencies, _ = take(
        known, (), organisation, trust, now=instant, reviewed=lambda it: reviewed(head, it) is not None
    )
    return documents, build(head, trust.environment, instant, emergencies=emergencies)


def _new_beginning(files: Files, content: Content, trust: Trust, now: datetime) -> Head:
    """Find the state that a genesis names in the published history."""
    genesis = trust.genesis
    head = content.head
    if genesis.sequence <= head.sequence:
        head = head_at(files, content.trust, genesis.sequence)
    if (head.sequence, head.commit, head.manifest.digest) != (genesis.sequence, genesis.commit, genesis.manifest):
        raise SnapshotError(
            f"no state with sequence {genesis.sequence}, commit {genesis.commit[:12]} and that manifest was accepted",
            code="GenesisUnknown",
            remedy="Name a state of the published history; `flagseal snapshot show` lists the newest.",
        )
    waiting = head.waiting(trust.environment, now)
    if waiting:
        until = max(entry.effective_from for entry in waiting)
        raise SnapshotError(
            f"what was accepted up to sequence {genesis.sequence} is not all in effect before {until.isoformat()}",
            code="GenesisWaits",
            remedy="Move genesis after that, or to an earlier state: a genesis is in effect at once.",
        )
    holds = content.build.emergencies.freezing(max(now, content.build.as_of))
    since = min((it.since for it in holds), default=now)
    if any(entry.sequence <= genesis.sequence for entry in content.head.since(trust.environment, since)):
        raise SnapshotError(
            f"{holds[0].claim.title} holds what was in effect before sequence {genesis.sequence} until"
            f" {holds[0].until.isoformat()}, and a genesis forgets it",
            code="GenesisWaits",
            remedy="Move genesis when the freeze is over, or end the freeze.",
        )
    return head
