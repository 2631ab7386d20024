"""Statements too large for one object: their payload travels in pieces, and counts only whole (docs/adr/0110).

Pieces are told apart by the names of their carriers alone, and cut at fixed places: whoever writes a statement cuts it
the same way. What they come to together is held against the hash that all of them are named by; no piece is believed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flagseal.approval.envelope import Envelope, merge_all
from flagseal.model.errors import ApprovalError
from flagseal.model.schema.cluster import MOST_PIECES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.canonical import Json

PIECE: Final = 192 * 1024
"""Bytes of payload in one piece: 256 KiB in base64, which leaves as much room for signatures and documents."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a statement.

    Attributes:
        of: How many pieces there are.
        envelope: Around this part of the payload; signatures are over the whole, and lie in the first by custom.
    """

    of: int
    envelope: Envelope

    def body(self) -> dict[str, Json]:
        """Give its form in ``spec.piece``."""
        return {"of": self.of, **self.envelope.body()}

    @staticmethod
    def from_body(body: object) -> Piece:
        """Read ``spec.piece``.

        Raises:
            ApprovalError: ``EnvelopeMalformed``.
        """
        match body:
            case {"of": int(of), **envelope} if not isinstance(of, bool) and 0 < of <= MOST_PIECES:
                return Piece(of, Envelope.from_body(envelope))
            case _:
                raise ApprovalError(
                    f"Not a piece of a statement, of which there are 1 to {MOST_PIECES}.", code="EnvelopeMalformed"
                )


@dataclass(frozen=True, slots=True)
class Joined:
    """What the pieces under one name come to.

    Attributes:
        of: How many there must be.
        envelope: The whole; None unless all are there and make up what they are named by.
        missing: Numbers of those that are not there, from 1.
    """

    of: int
    envelope: Envelope | None
    missing: tuple[int, ...] = ()


def cut(envelope: Envelope) -> tuple[Piece, ...]:
    """Cut a statement into pieces; the first has the signatures."""
    payload = envelope.payload
    parts = [payload[start : start + PIECE] for start in range(0, len(payload), PIECE)] or [b""]
    return tuple(
        Piece(len(parts), Envelope(part, envelope.signatures if number == 0 else ()))
        for number, part in enumerate(parts)
    )


def join(name: str, pieces: Mapping[int, Piece]) -> Joined:
    """Put pieces together.

    Args:
        name: SHA-256 of the whole payload, in hexadecimal.
        pieces: By number, from 1. The first says how many there are; those that say otherwise are no part of it.
    """
    of = pieces[1].of if 1 in pieces else max(piece.of for piece in pieces.values())
    found = [pieces[number] for number in range(1, of + 1) if number in pieces and pieces[number].of == of]
    missing = tuple(number for number in range(1, of + 1) if number not in pieces or pieces[number].of != of)
    if missing:
        return Joined(of, None, missing)
    payload = b"".join(piece.envelope.payload for piece in found)
    if hashlib.sha256(payload).hexdigest() != name:
        return Joined(of, None)
    signed = (Envelope(payload, piece.envelope.signatures) for piece in found)
    return Joined(of, merge_all(signed)[0])


def place_of(name: str) -> tuple[str, int]:
    """Split a carrier's name into the name of the whole and the number of this part, from 1."""
    whole, _, number = name.partition("-")
    return whole, int(number or 1)
