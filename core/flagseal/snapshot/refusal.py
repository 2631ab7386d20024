"""Why a published state is not taken, in words that metrics and people share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, Snapshot
from tuf.api.serialization import DeserializationError

from flagseal.model.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Callable

Reason = Literal[
    "rollback",  # older than what was seen before
    "stale-metadata",  # expired, or behind what must have happened by now
    "mix-and-match",  # parts of different states
    "wrong-signature",  # too few signatures by trusted keys
    "hash-mismatch",  # bytes other than the signed ones
    "oversized",  # more bytes than signed or sensible
    "malformed",  # no metadata at all
    "unapproved-content",  # signed online, and yet not what people approved
    "unreachable",  # the store does not answer, or withholds a file
    "cache-unusable",  # our own disk
]

_CODES: dict[Reason, str] = {
    "rollback": "Rollback",
    "stale-metadata": "StaleMetadata",
    "mix-and-match": "MixAndMatch",
    "wrong-signature": "WrongSignature",
    "hash-mismatch": "HashMismatch",
    "oversized": "Oversized",
    "malformed": "Malformed",
    "unapproved-content": "UnapprovedContent",
    "unreachable": "Unreachable",
    "cache-unusable": "CacheUnusable",
}

_REMEDIES: dict[Reason, str] = {
    "rollback": "Ask whether the store was restored from a copy; the last good snapshot stays in use.",
    "stale-metadata": "See that the publisher runs and can write to the store, and that this clock is right.",
    "mix-and-match": "Somebody else writes to the store, or a proxy caches it; the last good snapshot stays in use.",
    "wrong-signature": "Compare `flagseal trust show` with the keys in use; a rotation may not be published yet.",
    "hash-mismatch": "A file of the store is damaged or was replaced; publish again.",
    "oversized": "Find out who writes to the store.",
    "malformed": "Find out who writes to the store, or whether the address is that of one.",
    "unapproved-content": "Treat the online key as stolen until you know better: `flagseal trust rotate online`.",
    "unreachable": "See that the store is up and reachable from here.",
    "cache-unusable": "Let this process write to its cache directory, and see that the disk is not full.",
}


# The first that fits: DownloadLengthMismatchError is a DownloadError too, DeserializationError a RepositoryError.
_BY_KIND: tuple[tuple[type[Exception], Reason], ...] = (
    (UnsignedMetadataError, "wrong-signature"),
    (ExpiredMetadataError, "stale-metadata"),
    (LengthOrHashMismatchError, "hash-mismatch"),
    (DownloadLengthMismatchError, "oversized"),
    (DownloadError, "unreachable"),
    (DeserializationError, "malformed"),
    (OSError, "cache-unusable"),
)


class Refused(SnapshotError):
    """Refuse a published state; whatever was good before stays.

    Attributes:
        reason: Stable word for metrics and events.
    """

    def __init__(self, reason: Reason, message: str, *, remedy: str = "") -> None:
        super().__init__(message, code=_CODES[reason], remedy=remedy or _REMEDIES[reason])
        self.reason: Reason = reason


def refusal_of(error: Exception, last: str, reread: Callable[[str], bytes | None]) -> Refused:
    """Name the reason of an error of ``tuf.ngclient``.

    Args:
        error: What the client raised.
        last: The file it had asked for last (:mod:`flagseal.snapshot.source`): the one it did not take.
        reread: Gives that file again.
    """
    said = f"{last or 'the repository'}: {error}"
    if isinstance(error, BadVersionNumberError):
        return Refused(_version_reason(last, reread), said)
    for kind, reason in _BY_KIND:
        if isinstance(error, kind):
            return Refused(reason, said)
    if isinstance(error, RepositoryError):
        # In a snapshot: a role that the trusted one listed is missing from the new one (TUF 5.5.5).
        return Refused("rollback" if ".snapshot.json" in last else "mix-and-match", said)
    return Refused("malformed", said)


def _version_reason(last: str, reread: Callable[[str], bytes | None]) -> Reason:
    """Tell an older state from one that does not fit: ngclient has one error for both."""
    file = last.rpartition("/")[2]
    if file == "timestamp.json" or file.endswith(".root.json"):
        return "rollback"
    if file.endswith(".snapshot.json"):
        try:
            data = reread(last)
            snapshot = None if data is None else Metadata[Snapshot].from_bytes(data).signed
        except (DeserializationError, DownloadError, SnapshotError):
            return "mix-and-match"
        return "rollback" if snapshot is not None and file.startswith(f"{snapshot.version}.") else "mix-and-match"
    return "mix-and-match"
