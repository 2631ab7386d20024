"""DSSE envelopes around statements, and the lines of git notes that carry them."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from securesystemslib.dsse import Envelope as Dsse

from flagseal.approval.statement import LARGEST_PAYLOAD, PAYLOAD_TYPE, Statement
from flagseal.model.canonical import canonical_json
from flagseal.model.errors import ApprovalError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagseal.model.canonical import Json

LARGEST_LINE = 2 * LARGEST_PAYLOAD
LARGEST_NOTE = 16 * 1024 * 1024
MOST_SIGNATURES = 256
_LONGEST_KEYID = 256
_LONGEST_SIGNATURE = 8192


@dataclass(frozen=True, slots=True, order=True)
class Signature:
    """One signature, not verified by being here.

    Attributes:
        keyid: Which key it claims: a fingerprint (``SHA256:…``) for reviewers, a TUF key id for attestors.
        sig: SSHSIG in binary form, or a bare signature.
    """

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """Hold a payload and every signature collected for it.

    One key may appear several times: whoever can write a note can add rubbish under anybody's key id, and must not
    displace the real one by it. (The library's own envelope keeps one signature a key id.)

    Attributes:
        payload: The statement's bytes.
        signatures: Sorted, none twice.
    """

    payload: bytes
    signatures: tuple[Signature, ...] = ()

    @property
    def pae(self) -> bytes:
        """The bytes that are signed: DSSE's pre-authentication encoding of the payload."""
        encoded: bytes = Dsse(self.payload, PAYLOAD_TYPE, {}).pae()
        return encoded

    @property
    def statement(self) -> Statement:
        """The statement inside.

        Raises:
            ApprovalError: ``StatementMalformed``, ``StatementTooLarge``.
        """
        return Statement.parse(self.payload)

    def with_signature(self, signature: Signature) -> Envelope:
        """Add one signature."""
        return Envelope(self.payload, tuple(sorted({*self.signatures, signature})))

    def merge(self, other: Envelope) -> Envelope:
        """Put the signatures of two envelopes around the same payload together.

        Raises:
            ApprovalError: ``PayloadDiffers``.
        """
        if other.payload != self.payload:
            raise ApprovalError("Two statements cannot share their signatures.", code="PayloadDiffers")
        return Envelope(self.payload, tuple(sorted({*self.signatures, *other.signatures})))

    def body(self) -> dict[str, Json]:
        """Give DSSE's JSON form."""
        return {
            "payload": base64.b64encode(self.payload).decode("ascii"),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [
                {"keyid": entry.keyid, "sig": base64.b64encode(entry.sig).decode("ascii")} for entry in self.signatures
            ],
        }

    def to_line(self) -> bytes:
        """Write it as one line of JSON, without the line break."""
        return canonical_json(self.body())

    @staticmethod
    def from_body(body: object) -> Envelope:
        """Read DSSE's JSON form.

        Raises:
            ApprovalError: ``EnvelopeMalformed``.
        """
        match body:
            case {"payload": str(payload), "payloadType": str(kind), "signatures": list(entries), **rest} if not rest:
                pass
            case _:
                raise ApprovalError("Not a DSSE envelope.", code="EnvelopeMalformed")
        if kind != PAYLOAD_TYPE:
            raise ApprovalError(f"The envelope holds {kind[:80]!r}, not a statement.", code="EnvelopeMalformed")
        if len(entries) > MOST_SIGNATURES:
            raise ApprovalError(f"More than {MOST_SIGNATURES} signatures.", code="EnvelopeMalformed")
        signatures = {_signature(entry) for entry in entries}
        return Envelope(_decode(payload, 2 * LARGEST_PAYLOAD), tuple(sorted(signatures)))


def parse_line(line: bytes) -> Envelope:
    """Read one line of JSON.

    Raises:
        ApprovalError: ``EnvelopeMalformed``.
    """
    if len(line) > LARGEST_LINE:
        raise ApprovalError("The envelope is too large.", code="EnvelopeMalformed")
    try:
        body = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ApprovalError(f"Not JSON: {error}", code="EnvelopeMalformed") from error
    return Envelope.from_body(body)


def parse_notes(data: bytes) -> tuple[Envelope, ...]:
    """Read the lines of a note; what is no envelope is passed over.

    Args:
        data: JSON Lines; beyond 16 MiB nothing is read.

    Returns:
        One envelope a payload, with all the signatures that any line held for it, in the order of first appearance.
    """
    if len(data) > LARGEST_NOTE:
        return ()
    found: list[Envelope] = []
    for line in data.split(b"\n"):
        if not line.startswith(b"{"):
            continue
        try:
            found.append(parse_line(line))
        except ApprovalError:
            continue
    return merge_all(found)


def merge_all(envelopes: Iterable[Envelope]) -> tuple[Envelope, ...]:
    """Merge envelopes by payload, in the order of first appearance."""
    merged: dict[bytes, set[Signature]] = {}
    for envelope in envelopes:
        merged.setdefault(envelope.payload, set()).update(envelope.signatures)
    return tuple(Envelope(payload, tuple(sorted(signatures))) for payload, signatures in merged.items())


def _signature(entry: object) -> Signature:
    match entry:
        case {"keyid": str(keyid), "sig": str(sig), **rest} if not rest and sig and 0 < len(keyid) <= _LONGEST_KEYID:
            return Signature(keyid, _decode(sig, _LONGEST_SIGNATURE))
        case _:
            raise ApprovalError("Not a DSSE signature.", code="EnvelopeMalformed")


def _decode(text: str, longest: int) -> bytes:
    if len(text) > longest:
        raise ApprovalError("A part of the envelope is too large.", code="EnvelopeMalformed")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ApprovalError("A part of the envelope is not base64.", code="EnvelopeMalformed") from error
