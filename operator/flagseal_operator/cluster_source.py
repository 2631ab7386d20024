"""Statements and their content from the resources of a cluster; see :class:`flagseal_operator.engine.Source`.

What is in effect follows from the chain of FlagApprovals alone. Which resource carries a document does not matter: it
is found by its digest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from flagseal.approval.envelope import merge_all
from flagseal.history import Advance, Bundle, Manifest, Offer, advanced, follow, genesis, recovered
from flagseal.model.errors import ApprovalError, InvalidDocuments
from flagseal.model.loader import parse_body
from flagseal_operator.carriers import Carried, genesis_carrier
from flagseal_operator.pieces import Joined, join, place_of
from flagseal_operator.resources import DECLARING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from flagseal.approval.envelope import Envelope
    from flagseal.approval.statement import Statement
    from flagseal.approval.trust import Trust
    from flagseal.history import Acceptance, Head
    from flagseal.model.document import Document
    from flagseal_operator.inventory import Inventory, Seen
    from flagseal_operator.pieces import Piece


_Bare: TypeAlias = "tuple[Envelope, ...] | dict[int, Piece]"
"""What carriers hold of one statement: whole, or in pieces."""


@dataclass(frozen=True)
class _Parsed:
    """What one statement's carriers come to; nothing of it is verified but that they are named by it.

    Attributes:
        carried: As the carriers have it.
        statement: None if it is not whole, or none.
        envelope: Around it.
        joined: How the pieces stand; None where there are none.
    """

    carried: _Bare
    statement: Statement | None
    envelope: Envelope | None
    joined: Joined | None

    @staticmethod
    def of(name: str, carried: _Bare) -> _Parsed:
        if isinstance(carried, dict):
            joined = join(name, carried)
            envelope = joined.envelope
        else:
            joined, envelope = None, merge_all(carried)[0]
        try:
            statement = None if envelope is None else envelope.statement
        except ApprovalError:
            statement = None
        return _Parsed(carried, statement, envelope, joined)


class Offered:
    """All statements that an inventory carries, indexed by the head they claim to build on.

    Args:
        inventory: Read once, here.
        before: What was read before: what is still the same is not parsed again.

    Attributes:
        carriers: What carries something, by name.
        statements: By the name of their (first) carrier.
        joined: What the pieces of large statements come to, by the same.
        parsed: All that was parsed, by the same.
    """

    def __init__(self, inventory: Inventory, before: Offered | None = None) -> None:
        self._inventory = inventory
        self._documents: dict[str, Document] = {}
        self.carriers: dict[str, tuple[Carried, Seen]] = {}
        self.statements: dict[str, tuple[Statement, Envelope]] = {}
        self.joined: dict[str, Joined] = {}
        self.parsed: dict[str, _Parsed] = {}
        self._next: dict[tuple[str, int], list[str]] = {}
        pieces: dict[str, dict[int, Piece]] = {}
        for ref, seen in sorted(inventory.of("FlagApproval").items()):
            if not isinstance(seen.content, Carried):
                continue
            self.carriers[ref.name] = seen.content, seen
            self._documents.update(seen.content.documents)
            if seen.content.piece is not None:
                whole, number = place_of(ref.name)
                pieces.setdefault(whole, {})[number] = seen.content.piece
            elif seen.content.envelopes:
                self._take(ref.name, seen.content.envelopes, before)
        for whole, found in pieces.items():
            self._take(whole, found, before)
        for name in sorted(self.statements):
            statement = self.statements[name][0]
            self._next.setdefault((statement.from_commit, statement.sequence - 1), []).append(name)

    def _take(self, name: str, carried: _Bare, before: Offered | None) -> None:
        parsed = None if before is None else before.parsed.get(name)
        if parsed is None or parsed.carried != carried:
            parsed = _Parsed.of(name, carried)
        self.parsed[name] = parsed
        if parsed.joined is not None:
            self.joined[name] = parsed.joined
        if parsed.statement is not None and parsed.envelope is not None:
            self.statements[name] = parsed.statement, parsed.envelope

    def document(self, digest: str) -> Document | None:
        """Find a document by its digest, whoever carries it."""
        found = self._documents.get(digest)
        if found is None and (canonical := self._inventory.content(digest)) is not None:
            try:
                found = parse_body(json.loads(canonical), place=digest, allow_tombstone=True)
            except InvalidDocuments:
                return None
            self._documents[digest] = found
        return found

    def documents_of(self, name: str) -> tuple[Document, ...]:
        """Give all documents that a carrier and its further parts carry."""
        return tuple(document for carried in self._parts(name) for document in carried.documents.values())

    def genesis(self, manifest: str) -> Mapping[str, Document]:
        """Give the documents that a history begins with, by subject; none if they are not carried.

        How many parts their carrier has, nothing says, and anybody may have added one: the first that come to the
        manifest together are it.

        Args:
            manifest: Its digest.
        """
        found: dict[str, Document] = {}
        for carried in self._parts(genesis_carrier(manifest)):
            found |= {it.subject: it for it in carried.documents.values()}
            if Manifest.of(found).digest == manifest:
                return found
        return {}

    def _parts(self, name: str) -> Iterator[Carried]:
        number = 1
        while (part := name if number == 1 else f"{name}-{number}") in self.carriers:
            yield self.carriers[part][0]
            number += 1

    def after(self, head: Head) -> tuple[str, ...]:
        """Name the carriers of what claims to build on a head."""
        return tuple(self._next.get((head.commit, head.sequence), ()))

    def bundle(self, name: str) -> Bundle:
        """Give a statement with as much of its content as anybody carries."""
        statement, envelope = self.statements[name]
        found = {subject: self.document(digest) for subject, digest in statement.subjects.items()}
        return Bundle(envelope, {subject: document for subject, document in found.items() if document is not None})

    def committed(self, name: str, now: datetime) -> datetime:
        """Give the time at which a statement was made, as far as its carrier knows; never one to come."""
        carried, seen = self.carriers[name]
        for text in (carried.committed, seen.created):
            try:
                found = datetime.fromisoformat(text or "")
            except ValueError:
                continue
            if found.tzinfo is not None:
                return min(found.astimezone(UTC), now)
        return now


class ClusterSource:
    """Follow the FlagApprovals of a cluster.

    Args:
        inventory: What the cluster holds.
        trust: Pins where the history begins.
        most: Documents that change on the way, beyond which :meth:`advance` goes no further; None to go to the end.
    """

    def __init__(self, inventory: Inventory, trust: Trust, *, most: int | None = None) -> None:
        self._inventory = inventory
        self._trust = trust
        self._most = most
        self._offered: tuple[int, Offered] | None = None

    def offered(self) -> Offered:
        """Index what is carried now; the same object as long as nothing changed."""
        revision = self._inventory.revision
        if self._offered is None or self._offered[0] != revision:
            before = None if self._offered is None else self._offered[1]
            self._offered = revision, Offered(self._inventory, before)
        return self._offered[1]

    def genesis_documents(self) -> tuple[Document, ...]:
        """Find the documents that ``trust.json`` pins: from their carrier, or as they are declared.

        Raises:
            ApprovalError: ``GenesisMissing``.
        """
        wanted = self._trust.genesis.manifest
        for documents in (self.offered().genesis(wanted), self._declared()):
            if documents and Manifest.of(documents).digest == wanted:
                return tuple(documents.values())
        raise ApprovalError(
            f"The documents of commit {self._trust.genesis.commit[:12]}, where trust.json lets the history begin, are"
            " not in the cluster.",
            code="GenesisMissing",
            remedy="Name the repository in a FlagRepository, or run `flagseal cluster apply` in a checkout of it.",
        )

    def advance(self, head: Head, now: datetime) -> Advance:
        """Accept what can be accepted after a head, and note why not of what builds on where that leads."""
        refused: list[tuple[Head, Bundle, Acceptance]] = []
        steps = follow(
            head, self._offers(lambda _: now), self._trust, lambda *found: refused.append(found), most=self._most
        )
        found = advanced(head, steps)
        return replace(
            found,
            refused={
                bundle.envelope.statement.id: acceptance
                for before, bundle, acceptance in refused
                if (before.sequence, before.statement) == (found.head.sequence, found.head.statement)
            },
        )

    def recover(self, now: datetime) -> Advance:
        """Rebuild the history from genesis by the whole chain."""
        first = genesis(self._trust, self.genesis_documents())
        offered = self.offered()
        return recovered(first, self._offers(lambda name: offered.committed(name, now)), self._trust, now=now)

    def _offers(self, clock: Callable[[str], datetime]) -> Callable[[Head], Iterator[Offer]]:
        offered = self.offered()

        def offers(head: Head) -> Iterator[Offer]:
            for name in offered.after(head):
                yield Offer((offered.bundle(name),), clock(name))

        return offers

    def _declared(self) -> Mapping[str, Document]:
        digests = [seen.digest for kind in DECLARING for seen in self._inventory.of(kind).values() if seen.digest]
        documents = (self.offered().document(digest) for digest in digests)
        return {document.subject: document for document in documents if document is not None}
