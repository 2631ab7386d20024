"""Admission receipts, from the side that signs them: what the API server said of who asked, bound to one claim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal.approval.envelope import Signature
from flagseal.emergency.proof import Receipt, payload_of
from flagseal.model.canonical import canonical_json

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from securesystemslib.signer import Signer

    from flagseal.emergency.claim import Claim
    from flagseal.emergency.proof import Proof

MOST_RECORDED: Final = 8 * 1024
"""Bytes of groups, and of extras, in a receipt: all for the record, and a user may be in thousands of groups."""


def issue(claim: Claim, repository: str, receipt: Receipt, signer: Signer, *, at: datetime, nonce: str) -> Proof:
    """Sign who asked for a claim.

    Args:
        claim: The claim.
        repository: Its id, as in ``trust.json``.
        receipt: Whom the API server authenticated. The caller must have it from the API server itself.
        signer: The key of admission.
        at: Now.
        nonce: 32 to 64 hexadecimal digits of chance.
    """
    unsigned = payload_of(claim, repository, at=at, nonce=nonce, receipt=fitting(receipt))
    signature = signer.sign(unsigned.pae)
    return unsigned.with_signature(Signature(signature.keyid, bytes.fromhex(signature.signature)))


def fitting(receipt: Receipt, first: Collection[str] = ()) -> Receipt:
    """Leave out of a receipt the groups and extras that there is no room for.

    Args:
        receipt: Who asked.
        first: Extras that come before all others.
    """
    groups: list[str] = []
    room = MOST_RECORDED
    for group in receipt.groups:
        room -= len(canonical_json(group)) + 1
        if room < 0:
            break
        groups.append(group)
    extra: dict[str, tuple[str, ...]] = {}
    room = MOST_RECORDED
    for key, values in sorted((receipt.extra or {}).items(), key=lambda it: (it[0] not in first, it[0])):
        size = len(canonical_json({key: list(values)}))
        if size <= room:
            extra[key] = values
            room -= size
    return Receipt(receipt.username, tuple(groups), extra)
