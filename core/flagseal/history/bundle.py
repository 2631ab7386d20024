"""What is carried: a statement with the documents it approves, and a line of the history with when it was accepted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flagseal.approval.envelope import Envelope
from flagseal.model.canonical import canonical_json
from flagseal.model.errors import ApprovalError
from flagseal.model.loader import parse_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.canonical import Json
    from flagseal.model.document import Document


@dataclass(frozen=True)
class Bundle:
    """Carry a statement and the content of its subjects. Nothing is believed for being in it.

    Attributes:
        envelope: The statement and its signatures.
        documents: By subject; removed ones as tombstones.
    """

    envelope: Envelope
    documents: Mapping[str, Document]


@dataclass(frozen=True)
class HistoryEntry:
    """One accepted statement, as the history keeps it (docs/adr/0007-history-carries-content.md).

    Attributes:
        envelope: The statement and the signatures that counted.
        documents: Of its subjects.
        accepted_at: When it was accepted.
    """

    envelope: Envelope
    documents: Mapping[str, Document]
    accepted_at: datetime

    @property
    def bundle(self) -> Bundle:
        """What is to be accepted again."""
        return Bundle(self.envelope, self.documents)

    def to_line(self) -> bytes:
        """Write it as one line of JSON, without the line break."""
        body: dict[str, Json] = {
            "envelope": self.envelope.body(),
            "documents": [document.body() for _, document in sorted(self.documents.items())],
            "acceptedAt": write_instant(self.accepted_at),
        }
        return canonical_json(body)

    @staticmethod
    def parse_line(line: bytes) -> HistoryEntry:
        """Read one line.

        Raises:
            ApprovalError: ``EntryMalformed``, ``EnvelopeMalformed``.
            InvalidDocuments: A document is not valid.
        """
        try:
            body = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ApprovalError(f"A line of the history is not JSON: {error}", code="EntryMalformed") from error
        match body:
            case {"envelope": envelope, "documents": list(bodies), "acceptedAt": str(at), **rest} if not rest:
                pass
            case _:
                raise ApprovalError("A line of the history lacks its parts.", code="EntryMalformed")
        documents = [parse_body(entry, place="history", allow_tombstone=True) for entry in bodies]
        return HistoryEntry(
            Envelope.from_body(envelope), {document.subject: document for document in documents}, read_instant(at)
        )


def write_instant(instant: datetime) -> str:
    """Write an instant as RFC 3339 in UTC, with a fraction only where there is one."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_instant(text: str) -> datetime:
    """Read an instant as it was written.

    Raises:
        ApprovalError: ``EntryMalformed``.
    """
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is not None and write_instant(instant) == text:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ApprovalError(f"{text[:40]!r} is not an instant in UTC (2026-01-31T09:00:00Z).", code="EntryMalformed")
