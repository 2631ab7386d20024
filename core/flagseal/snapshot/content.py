"""What TUF cannot know: that the content was approved (distribution.md, Clients).

TUF says who signed the files; with a stolen online key that says little. So whoever takes a snapshot decides
again what the publisher decided, by the same functions, from the people's signatures up:

1. the statements from the own last head (or genesis) to ``head.json`` are accepted, and lead to its manifest;
2. the documents are the manifest's;
3. what ``head.json`` lists of emergencies is proven, each by its own proof, and nothing that still matters is left out;
4. building from all that gives exactly the published bytes, digest for digest.

What is built here is never downloaded: the signed hash of a file is enough to know that it is the same.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import msgspec

from flagseal.emergency.ledger import missing, require_holding
from flagseal.history import HistoryEntry, accept, build, genesis, replay
from flagseal.history.building import COMPILER
from flagseal.history.bundle import read_instant
from flagseal.history.freezing import LATEST_START, let_go
from flagseal.model.errors import ApprovalError, FlagsealError
from flagseal.model.loader import parse_body
from flagseal.snapshot.layout import (
    GENESIS,
    HEAD,
    HISTORY,
    HISTORY_LENGTH,
    REPOSITORY,
    history_file,
    history_number,
)
from flagseal.snapshot.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from flagseal.approval.trust import Trust
    from flagseal.emergency.ledger import Emergencies
    from flagseal.history import Build, Head
    from flagseal.model.canonical import Json
    from flagseal.model.document import Document
    from flagseal.snapshot.foreseeing import Foreseen

TOLERANCE = timedelta(seconds=30)
"""How far clocks of publisher and client may differ."""

LATENESS = timedelta(minutes=10)
"""How long ago a statement may have been accepted before the last look at the store (docs/adr/0008)."""


class Files(Protocol):
    """The targets of one signed snapshot."""

    def namespaces(self) -> tuple[str, ...]:
        """Name every namespace, ``_repository`` included."""
        ...

    def paths(self, namespace: str) -> tuple[str, ...]:
        """Name a namespace's targets."""
        ...

    def sha256(self, path: str) -> str | None:
        """Give the signed hash of a target, in hexadecimal; None if no role lists it."""
        ...

    def read(self, path: str) -> bytes:
        """Give a target's bytes, held against its signed length and hash.

        Raises:
            Refused: It is missing, damaged, or larger than any honest one.
        """
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """What a verifier knew when it last looked.

    Attributes:
        sequence: Of the head then.
        statement: Id of the statement that led there; None for genesis.
        fresh_at: When it last saw a snapshot that was certainly the newest.
        of_emergencies: Whether that bounds too when emergencies were taken, and not statements alone.
    """

    sequence: int
    statement: str | None
    fresh_at: datetime
    of_emergencies: bool = True


@dataclass(frozen=True)
class Content:
    """Content that was found to be approved.

    Attributes:
        trust: By which trust.
        head: The accepted state.
        build: What it compiles to.
        hashes: SHA-256 of every built file, hexadecimal.
        foreign: Whether another compiler published it. The published bytes were not compared then, and must not be
            used: what was built here, from documents that people approved, is served in their place.
    """

    trust: Trust
    head: Head
    build: Build
    hashes: Mapping[str, str]
    foreign: bool = False


def verify_content(
    files: Files,
    trust: Trust,
    *,
    now: datetime,
    base: Content | None = None,
    known: Known | None = None,
    foreseen: Foreseen | None = None,
) -> Content:
    """Decide again what a publisher claims.

    Args:
        files: The targets of one snapshot.
        trust: ``trust.json`` of the same snapshot.
        now: The verifier's clock.
        base: What this verifier has verified before; statements up to its head are not decided again, unless
            the trust has changed since.
        known: What it knew when it last looked.
        foreseen: What it decided beforehand: where the statements are those, they are not decided again. All else is.

    Raises:
        Refused: ``unapproved-content`` for everything that people did not approve; ``rollback`` for less than
            was known; what :meth:`Files.read` raises.
    """
    claim = Claim.parse(files.read(HEAD))
    _require_time(claim, base, now)
    if known is not None and claim.sequence < known.sequence:
        raise Refused("rollback", f"{HEAD}: is at sequence {claim.sequence}, and {known.sequence} was seen before")
    try:
        goes_on = base is not None and base.trust == trust and base.head.sequence <= claim.sequence
        head = base.head if base is not None and goes_on else genesis(trust, genesis_documents(files))
        ahead = foreseen.content if foreseen is not None and foreseen.is_of(head, files, trust, claim, now) else None
        if foreseen is not None and ahead is not None:
            _require_seen_in_time(head.sequence + 1, foreseen.accepted_at, known)
        # The head before anything of it was let go: what this build must remember, that one may have forgotten.
        head = head if ahead is None else ahead.build.head
        for entry in history_entries(files, head.sequence, claim.sequence):
            _require_acceptance_time(entry, head, known, now)
            head = accept(head, entry.bundle, trust, now=entry.accepted_at).require()
            _require_same_past(head, known)
        _require_all(head, claim)
        emergencies = _emergencies(head, trust, claim, base, known)
        built = _built(head, trust.environment, claim.as_of, ahead or base, emergencies)
    except Refused:
        raise
    except FlagsealError as error:
        raise Refused("unapproved-content", f"{error.message} ({error.code})") from error
    hashes = _hashes(built, ahead or base)
    foreign = claim.compiler != COMPILER
    if not foreign:
        _require_same(files, hashes)
    kept = let_go(head, trust.environment, built.as_of, emergencies)
    return Content(trust, kept, built, hashes, foreign=foreign)


def head_at(files: Files, trust: Trust, sequence: int) -> Head:
    """Replay verified history from genesis up to a statement.

    Args:
        files: Where the history lies; its content was verified before.
        trust: By which it was.
        sequence: Of the last statement to take.

    Raises:
        FlagsealError: The history is not there, or does not hold.
    """
    return replay(trust, genesis_documents(files), history_entries(files, trust.genesis.sequence, sequence))


@dataclass(frozen=True, slots=True)
class Claim:
    """What ``head.json`` says, which nobody has checked.

    Attributes:
        sequence: Of the head.
        as_of: The instant for which the snapshot was built.
        statement: Id of the last statement; None at genesis.
        compiler: Number of the compiler that built it; None if it says none.
        body: All of it.
    """

    sequence: int
    as_of: datetime
    statement: str | None
    compiler: object
    body: Mapping[str, Json]

    @staticmethod
    def parse(data: bytes) -> Claim:
        """Read the file.

        Raises:
            Refused: It is no ``head.json``.
        """
        try:
            body = json.loads(data)
            sequence, as_of = _integer(body["sequence"]), read_instant(body["asOf"])
            return Claim(sequence, as_of, body["statement"], body.get("compiler"), body)
        except (ValueError, KeyError, TypeError, RecursionError, ApprovalError) as error:
            raise Refused("malformed", f"{HEAD}: cannot be understood ({error})") from error


def _require_time(claim: Claim, base: Content | None, now: datetime) -> None:
    """Refuse a state from the future, where what still waits would be in effect, and one that goes back in time."""
    if claim.as_of > now + TOLERANCE:
        raise Refused(
            "unapproved-content",
            f"{HEAD}: is as of {claim.as_of.isoformat()}, and it is {now.isoformat()}: what waits must wait",
            remedy="Compare this machine's clock with the publisher's; if they agree, count the online key as stolen.",
        )
    if base is not None and claim.as_of < base.build.as_of:
        raise Refused(
            "rollback",
            f"{HEAD}: is as of {claim.as_of.isoformat()}, and {base.build.as_of.isoformat()} was seen before",
        )


def _require_acceptance_time(entry: HistoryEntry, head: Head, known: Known | None, now: datetime) -> None:
    """Bound the publisher's word on when a statement was accepted (docs/adr/0008-accepted-at-is-bounded.md)."""
    at, number = entry.accepted_at, head.sequence + 1
    if at > now + TOLERANCE:
        raise Refused("unapproved-content", f"statement {number} was accepted at {at.isoformat()}, which is to come")
    if at < head.accepted_at:
        raise Refused("unapproved-content", f"statement {number} was accepted before the one it follows")
    _require_seen_in_time(number, at, known)


def _require_seen_in_time(number: int, at: datetime, known: Known | None) -> None:
    if known is not None and number > known.sequence and at < known.fresh_at - LATENESS:
        raise Refused(
            "unapproved-content",
            f"statement {number} claims to have been accepted at {at.isoformat()}, "
            f"and was not there at {known.fresh_at.isoformat()}",
        )


def _require_same_past(head: Head, known: Known | None) -> None:
    """Refuse another history than the one that was seen."""
    if known is not None and head.sequence == known.sequence and head.statement != known.statement:
        raise Refused("rollback", f"statement {head.sequence} is another one than was seen before")


def _require_all(head: Head, claim: Claim) -> None:
    """Refuse a history that ends before what is claimed."""
    if head.sequence != claim.sequence:
        raise Refused("unapproved-content", f"{HEAD}: is at sequence {claim.sequence}, the history at {head.sequence}")


def _emergencies(head: Head, trust: Trust, claim: Claim, base: Content | None, known: Known | None) -> Emergencies:
    """Check every emergency listed, that none is new and yet old, and that none is gone too early."""
    listed = [*_listed(claim, "overrides"), *_listed(claim, "freezes")]
    organisation = head.policies.organisation
    found = require_holding(listed, organisation, trust, as_of=claim.as_of)
    if base is None:
        return found
    before = base.build.emergencies
    for standing in found.standings:
        seen = before.find(standing.claim)
        if seen is not None and seen.taken_at != standing.taken_at:
            raise Refused(
                "unapproved-content",
                f"{standing.claim.title} claims to have been seen at {standing.taken_at.isoformat()}, "
                f"and was seen at {seen.taken_at.isoformat()} before",
            )
        if seen is None and standing.claim.freezes is not None and standing.since < base.build.as_of - LATEST_START:
            raise Refused(
                "unapproved-content",
                f"{standing.claim.title} claims to hold since {standing.since.isoformat()}, "
                f"and did not at {base.build.as_of.isoformat()}",
            )
        late = known is not None and known.of_emergencies and standing.taken_at < known.fresh_at - LATENESS
        if seen is None and known is not None and late:
            raise Refused(
                "unapproved-content",
                f"{standing.claim.title} claims to have been seen at {standing.taken_at.isoformat()}, "
                f"and was not there at {known.fresh_at.isoformat()}",
            )
    gone = missing(before, found, organisation, trust, as_of=claim.as_of)
    if gone is not None:
        raise Refused("rollback", f"{HEAD}: {gone.claim.title} is left out, and holds until {gone.until.isoformat()}")
    return found


def _listed(claim: Claim, field: str) -> list[Mapping[str, Json]]:
    listed = claim.body.get(field, [])
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise Refused("malformed", f"{HEAD}: {field} is no list of objects")
    return [entry for entry in listed if isinstance(entry, dict)]


def _built(head: Head, environment: str, as_of: datetime, base: Content | None, emergencies: Emergencies) -> Build:
    previous = base.build if base is not None else None
    built = build(head, environment, as_of, previous=previous, emergencies=emergencies)
    # Where nothing differs, the previous build comes back with its own instant: right for a publisher, who then
    # has nothing to publish; here the instant is part of what is compared.
    if built.as_of == as_of:
        return built
    return build(head, environment, as_of, previous=previous, exact=True, emergencies=emergencies)


def history_entries(files: Files, above: int, up_to: int) -> Iterator[HistoryEntry]:
    """Read the statements of a stretch of history, in order.

    Raises:
        Refused: Some are missing.
        ApprovalError: A line is no entry.
    """
    if above >= up_to:
        return
    for number in range(history_number(above + 1), history_number(up_to) + 1):
        path = history_file(number)
        lines = files.read(path).splitlines()
        if not 0 < len(lines) <= HISTORY_LENGTH:
            raise Refused("unapproved-content", f"{path}: has {len(lines)} statements")
        # A file may begin late, where genesis is; acceptance makes sure that none is missing between.
        first = HistoryEntry.parse_line(lines[0]).envelope.statement.sequence
        for sequence, line in enumerate(lines, first):
            if above < sequence <= up_to:
                yield HistoryEntry.parse_line(line)


def genesis_documents(files: Files) -> list[Document]:
    """Read the documents the history begins with; nobody has held them against ``trust.json`` yet.

    Raises:
        Refused: They are missing, or cannot be understood.
    """
    data = files.read(GENESIS)
    try:
        # One after the other, and each packed at once: ten thousand as objects would be most of a relay's memory.
        bodies = msgspec.json.decode(data, type=_Genesis).documents
        return [parse_body(json.loads(bytes(body)), place=GENESIS, allow_tombstone=True).packed() for body in bodies]
    except (ValueError, TypeError, RecursionError, msgspec.DecodeError) as error:
        raise Refused("malformed", f"{GENESIS}: cannot be understood ({error})") from error


class _Genesis(msgspec.Struct):
    """The file in which a history's first documents lie."""

    documents: list[msgspec.Raw]


def _hashes(built: Build, base: Content | None) -> dict[str, str]:
    """Hash what was built; what is the same object as before has the same hash."""
    files, hashes = (base.build.files, base.hashes) if base is not None else ({}, {})
    return {
        path: hashes[path] if files.get(path) is data else hashlib.sha256(data).hexdigest()
        for path, data in built.files.items()
    }


def _require_same(files: Files, hashes: Mapping[str, str]) -> None:
    """Hold every signed file against what was built; nothing may be missing, other, or more."""
    for path, sha256 in hashes.items():
        signed = files.sha256(path)
        if signed != sha256:
            what = "is missing" if signed is None else "is not what the approved documents compile to"
            raise Refused("unapproved-content", f"{path}: {what}")
    for namespace in files.namespaces():
        for path in files.paths(namespace):
            own = namespace == REPOSITORY and (path == GENESIS or path.startswith(HISTORY))
            if path not in hashes and not own:
                raise Refused("unapproved-content", f"{path}: nothing that was approved compiles to it")


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not a whole number")
    return value
