"""FlagApprovals: how statements, and the documents they approve, travel through a cluster.

A carrier proves nothing by being there. It is named by what it carries, so it can neither be overwritten unnoticed
nor be there twice; documents are text in their canonical form, which no tool on the way rewrites. What does not fit
into one object of etcd goes on in others: documents are found by their digest in whichever of them they lie, and a
statement that is too large is cut into pieces (:mod:`flagseal_operator.pieces`).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flagseal.approval.envelope import Envelope, merge_all
from flagseal.model.document import API_VERSION
from flagseal.model.errors import ApprovalError, InvalidDocuments
from flagseal.model.loader import parse_body
from flagseal.model.schema.cluster import CARRIER, LARGEST_OBJECT
from flagseal_operator.pieces import Piece, cut, place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from flagseal.model.canonical import Json
    from flagseal.model.document import Document

KIND: Final = "FlagApproval"
COMMITTED: Final = "flagseal.dev/committed"
"""Annotation: when the statement's commit was made, by git. For a recovery (docs/adr/0030), and nothing else."""

_ROOM: Final = LARGEST_OBJECT - 4096
"""Bytes of envelopes and documents in one object; the rest is for its names and its status."""


@dataclass(frozen=True)
class Carried:
    """What one FlagApproval carries.

    Attributes:
        name: Of the resource.
        envelopes: Statements with their signatures, none of them verified.
        documents: By digest.
        committed: When the commit was made, as whoever wrote the resource says; None if it says nothing.
        piece: Of a statement that needs several objects; its number is in the name.
    """

    name: str
    envelopes: tuple[Envelope, ...]
    documents: Mapping[str, Document]
    committed: str | None = None
    piece: Piece | None = None


def statement_carrier(payload: bytes) -> str:
    """Name the FlagApproval that carries a statement."""
    return hashlib.sha256(payload).hexdigest()


def genesis_carrier(manifest: str) -> str:
    """Name the FlagApproval that carries the documents a history begins with.

    Args:
        manifest: Digest of the genesis' manifest (``sha256:…``).
    """
    return manifest.removeprefix("sha256:")


def carry(
    name: str,
    documents: Iterable[Document],
    envelopes: Sequence[Envelope] = (),
    *,
    committed: str | None = None,
) -> tuple[dict[str, Json], ...]:
    """Write the FlagApprovals that carry a statement, or a genesis.

    Args:
        name: :func:`statement_carrier` or :func:`genesis_carrier`.
        documents: All that it names.
        envelopes: One a payload.
        committed: When the commit was made (RFC 3339).

    Raises:
        ApprovalError: ``CarrierTooLarge``: a single document or statement is too large for an object of etcd.
    """
    texts = [document.canonical.decode() for document in sorted(documents, key=lambda it: it.subject)]
    annotations: dict[str, Json] = {} if committed is None else {"annotations": {COMMITTED: committed}}
    return tuple(
        {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": name if number == 1 else f"{name}-{number}", **annotations},
            "spec": spec,
        }
        for number, spec in enumerate(_filled(_begun(envelopes), texts), 1)
    )


def _begun(envelopes: Sequence[Envelope]) -> list[dict[str, Json]]:
    """Begin the specs of as many objects as the statements need."""
    if not envelopes:
        return [{}]
    whole: dict[str, Json] = {"envelopes": [envelope.body() for envelope in envelopes]}
    if _size(whole) <= _ROOM:
        return [whole]
    return [{"piece": piece.body()} for envelope in merge_all(envelopes) for piece in cut(envelope)]


def _filled(specs: list[dict[str, Json]], texts: Iterable[str]) -> list[dict[str, Json]]:
    """Lay documents into specs so that each fits into an object; further ones are begun as needed."""
    taken = [_size(spec) for spec in specs]
    if max(taken) > _ROOM:
        raise _too_large("a statement with all its signatures", max(taken))
    laid: list[list[Json]] = [[] for _ in specs]
    number = 0
    for text in texts:
        size = len(json.dumps(text)) + 1
        if size > _ROOM:
            raise _too_large("a document", size)
        while number < len(laid) and taken[number] + size > _ROOM:
            number += 1
        if number == len(laid):
            laid.append([])
            taken.append(0)
        laid[number].append(text)
        taken[number] += size
    begun = [*specs, *({} for _ in laid[len(specs) :])]
    return [
        {**spec, **({"documents": documents} if documents else {})} for spec, documents in zip(begun, laid, strict=True)
    ]


def _size(spec: Mapping[str, Json]) -> int:
    return len(json.dumps(spec)) if spec else 0


def _too_large(what: str, size: int) -> ApprovalError:
    return ApprovalError(
        f"{what} of {size} bytes does not fit into a resource of {LARGEST_OBJECT} bytes.",
        code="CarrierTooLarge",
        remedy="Approve the change in several smaller ones.",
    )


def read_carrier(body: Mapping[str, object]) -> Carried:
    """Read a FlagApproval as the API server gives it.

    Args:
        body: The whole object; the server's own fields in ``metadata`` do not matter.

    Raises:
        ApprovalError: ``CarrierMalformed``, naming the place; its name is not that of what it carries, included.
    """
    metadata, spec = body.get("metadata"), body.get("spec")
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        raise _malformed("?", "$", "is no resource")
    name = str(metadata.get("name"))
    if not re.fullmatch(CARRIER, name):
        raise _malformed(name, "$.metadata.name", "is no SHA-256 in hexadecimal")
    if unknown := spec.keys() - {"envelopes", "documents", "piece"}:
        raise _malformed(name, "$.spec", f"has unknown fields {sorted(map(str, unknown))}")
    annotations = metadata.get("annotations")
    committed = annotations.get(COMMITTED) if isinstance(annotations, dict) else None
    return Carried(
        name,
        tuple(_envelopes(name, spec.get("envelopes", []))),
        {document.digest: document for document in _documents(name, spec.get("documents", []))},
        committed if isinstance(committed, str) else None,
        _piece(name, spec),
    )


def _envelopes(name: str, entries: object) -> Iterator[Envelope]:
    if not isinstance(entries, list):
        raise _malformed(name, "$.spec.envelopes", "is no list")
    found = []
    for number, entry in enumerate(entries):
        try:
            found.append(Envelope.from_body(entry))
        except ApprovalError as error:
            raise _malformed(name, f"$.spec.envelopes[{number}]", error.message) from error
        if statement_carrier(found[-1].payload) != name:
            raise _malformed(name, f"$.spec.envelopes[{number}]", "is not the statement that the resource is named by")
    yield from merge_all(found)


def _piece(name: str, spec: Mapping[str, object]) -> Piece | None:
    if "piece" not in spec:
        return None
    if "envelopes" in spec:
        raise _malformed(name, "$.spec.piece", "lies beside a whole statement")
    try:
        piece = Piece.from_body(spec["piece"])
    except ApprovalError as error:
        raise _malformed(name, "$.spec.piece", error.message) from error
    if place_of(name)[1] > piece.of:
        raise _malformed(name, "$.spec.piece", f"is one of {piece.of}, and the name counts further")
    return piece


def _documents(name: str, entries: object) -> Iterator[Document]:
    if not isinstance(entries, list):
        raise _malformed(name, "$.spec.documents", "is no list")
    for number, text in enumerate(entries):
        place = f"$.spec.documents[{number}]"
        try:
            document = parse_body(json.loads(text), place=f"{name} {place}", allow_tombstone=True).packed()
        except InvalidDocuments as error:
            raise _malformed(name, place, error.message) from error
        except (TypeError, ValueError, RecursionError) as error:
            raise _malformed(name, place, f"is no JSON: {error}") from error
        if document.canonical != text.encode("utf-8", "surrogatepass"):
            raise _malformed(name, place, "is not in its canonical form")
        yield document


def _malformed(name: str, path: str, reason: str) -> ApprovalError:
    return ApprovalError(
        f"FlagApproval {name[:80]}: {path} {reason}",
        code="CarrierMalformed",
        remedy="Let the git source, or `flagseal cluster apply`, write it.",
    )
