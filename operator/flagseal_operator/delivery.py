"""What a git source has to write so that a cluster carries, and declares, what was approved. Pure.

Two things, of which only the second depends on ``apply``: the carriers of what can be accepted next, and the resources
of the **accepted** head. What is unapproved in git is never written, and only an approved tombstone removes anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from flagseal.model.document import NAMESPACED_KINDS, REVIEW_KINDS
from flagseal_operator.carriers import Carried, carry, genesis_carrier, read_carrier, statement_carrier
from flagseal_operator.resources import Ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from flagseal.approval.envelope import Signature
    from flagseal.history import Head, HistoryEntry
    from flagseal.model.document import Document
    from flagseal_operator.inventory import Inventory, Seen

Verb = Literal["create", "replace", "renew", "delete"]
EVERYTHING: Final = "everything"


@dataclass(frozen=True)
class Action:
    """One write.

    Attributes:
        verb: ``renew`` deletes and creates, for what nobody can change.
        ref: The resource.
        body: What it is to be; None where it goes.
    """

    verb: Verb
    ref: Ref
    body: Mapping[str, Any] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.verb} {self.ref}"


def resource_of(document: Document) -> dict[str, Any]:
    """Write the resource that declares a document: nothing but it."""
    body: dict[str, Any] = document.body()
    if document.kind in NAMESPACED_KINDS:
        return body
    return {
        "apiVersion": body["apiVersion"],
        "kind": "FlagPolicy",
        "metadata": {"name": _ref_of(document).name},
        "spec": {"document": body},
    }


def chain_bodies(entries: Iterable[HistoryEntry], committed: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Write the carriers of statements, in their order.

    Args:
        entries: Each with its content.
        committed: When each commit was made, by its id.

    Raises:
        ApprovalError: ``CarrierTooLarge``.
    """
    for entry in entries:
        name = statement_carrier(entry.envelope.payload)
        at = committed.get(entry.envelope.statement.commit)
        yield from carry(name, entry.documents.values(), [entry.envelope], committed=at)


def genesis_bodies(manifest: str, documents: Iterable[Document]) -> Sequence[dict[str, Any]]:
    """Write the carriers of a genesis, the one that it is found by last: without it nothing begins."""
    return tuple(reversed(carry(genesis_carrier(manifest), documents)))


def carrier_actions(
    bodies: Iterable[Mapping[str, Any]], inventory: Inventory, *, exact: bool = False
) -> Iterator[Action]:
    """Find the carriers that are missing, and those that stand in the place of others.

    Args:
        bodies: What there must be.
        inventory: What there is.
        exact: Whether a carrier must not carry any other document. By itself one that carries more than is asked for
            is left alone: whoever else delivers may know more signatures.
    """
    for body in bodies:
        wanted = read_carrier(body)
        ref = Ref("FlagApproval", None, wanted.name)
        seen = inventory.get(ref)
        if seen is None:
            yield Action("create", ref, body)
        elif not _carries(seen, wanted) or (exact and _documents(seen) != wanted.documents.keys()):
            yield Action("renew", ref, body)


def resource_actions(head: Head, inventory: Inventory) -> Iterator[Action]:
    """Find what the resources of the accepted head lack.

    Args:
        head: The accepted state.
        inventory: What the cluster holds; all of it must have been seen.
    """
    for subject in sorted(head.documents):
        document = head.documents[subject]
        if document.kind in REVIEW_KINDS:
            continue  # no resource declares it: its statement carries it
        ref = _ref_of(document)
        seen = inventory.get(ref)
        if document.is_tombstone:
            if seen is not None:
                yield Action("delete", ref)
        elif seen is None:
            yield Action("create", ref, resource_of(document))
        elif seen.digest != document.digest:
            yield Action("replace", ref, resource_of(document))


def _carries(seen: Seen, wanted: Carried) -> bool:
    there = seen.content
    if not isinstance(there, Carried) or there.committed != wanted.committed:
        return False
    return _signed(wanted) <= _signed(there) and wanted.documents.keys() <= there.documents.keys()


def _documents(seen: Seen) -> frozenset[str]:
    return frozenset(seen.content.documents if isinstance(seen.content, Carried) else ())


def _signed(carried: Carried) -> set[tuple[int, bytes, Signature | None]]:
    """Name what a carrier has of statements: each (piece of a) payload, with each of its signatures."""
    piece = carried.piece
    envelopes = [(0, it) for it in carried.envelopes] if piece is None else [(piece.of, piece.envelope)]
    return {(of, it.payload, signature) for of, it in envelopes for signature in (None, *it.signatures)}


def _ref_of(document: Document) -> Ref:
    if document.kind in NAMESPACED_KINDS:
        return Ref(document.kind, document.namespace, document.name)
    return Ref("FlagPolicy", None, f"{document.kind.lower()}.{document.name}")
