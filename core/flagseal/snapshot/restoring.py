"""Putting the trust back into a store that was lost (docs/adr/0114): the same roots, and targets with trust.json.

What was published comes back by itself then: the history from git or from the cluster, the snapshot from the history.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Root, Targets, Timestamp

from flagseal.approval.trust import Attestor
from flagseal.model.errors import SnapshotError, UsageError
from flagseal.snapshot.ceremony import delegations_to, put_targets, put_trust, trusted
from flagseal.snapshot.chain import load_root, root_history
from flagseal.snapshot.layout import metadata_name
from flagseal.snapshot.store import AlreadyExists

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from securesystemslib.signer import Signer

    from flagseal.approval.trust import Trust
    from flagseal.snapshot.ceremony import Trusted
    from flagseal.snapshot.store import Store


def restore(store: Store, roots: Sequence[bytes], trust: Trust, *, signers: Sequence[Signer], now: datetime) -> Trusted:
    """Hold the ceremony that gives a lost store its roots, its targets and its trust.json back.

    Args:
        store: An empty one, or one in which this broke off.
        roots: The pinned root, and every one that followed it, in any order: clients and relays keep them.
        trust: What trust.json said.
        signers: Enough of the targets' keys of the newest root.
        now: The clock. The targets' version is its minutes, which is above that of any targets that were lost.

    Raises:
        UsageError: Roots are missing between the first and the last (``RootsMissing``), or none is given.
        SnapshotError: The store is not lost (``NotLost``); a root does not follow the one before (``Refused``); keys
            that are needed were not given (``SignaturesMissing``); the store fails.
    """
    given = {load_root(data).version: data for data in roots}
    if not given:
        raise UsageError("no root was given", code="RootsMissing", remedy="Give the pinned root.json.")
    first = min(given)
    names = {metadata_name(Root.type, version): data for version, data in given.items()}
    newest = root_history(given[first], names.get)[-1]
    if newest.version != max(given):
        raise UsageError(
            f"root version {newest.version + 1} is missing, and {max(given)} is there",
            code="RootsMissing",
            remedy="Bring it from any client's or relay's cache.",
        )
    _require_lost(store, given[first])
    for name, data in sorted(names.items()):
        with suppress(AlreadyExists):
            store.put_new(name, data)
        there = store.get(name)
        if there is None or there.data != data:
            raise SnapshotError(f"{name}: holds another root", code="NotLost", remedy="Use an empty store.")
    online = newest.get_key(newest.roles[Timestamp.type].keyids[0])
    targets = Targets(version=int(now.timestamp()) // 60, delegations=delegations_to(online))
    put_trust(store, targets, _decided_anew(trust))
    put_targets(store, targets, newest, signers, now)
    return trusted(store, given[first])


def _decided_anew(trust: Trust) -> Trust:
    """Make it another trust, so that clients replay the history, whose times of acceptance are others now.

    The difference is an attestor whose key nobody has and that counts for no statement at all.
    """
    nobody = CryptoSigner.generate_ed25519().public_key
    return replace(trust, attestors=(*trust.attestors, Attestor(nobody, until=trust.genesis.sequence)))


def _require_lost(store: Store, root: bytes) -> None:
    try:
        trusted(store, root)
    except SnapshotError:
        return
    raise SnapshotError(
        "the store has its trust: it is not lost",
        code="NotLost",
        remedy="If what was published is lost and the trust is not, say so: `flagseal cluster store-lost`.",
    )
