"""What a snapshot should hold, given what is published: files to keep, files to add. Writes and signs nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tuf.api.metadata import TargetFile

from flagseal.model.canonical import canonical_json
from flagseal.model.document import split_subject
from flagseal.model.errors import SnapshotError
from flagseal.snapshot.layout import GENESIS, HEAD, REPOSITORY, history_file, history_number, role_of
from flagseal.snapshot.trust_change import rebased

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from flagseal.approval.trust import Trust
    from flagseal.history import Build, HistoryEntry
    from flagseal.model.document import Document
    from flagseal.snapshot.content import Content, Files
    from flagseal.snapshot.published import Live


@dataclass(frozen=True)
class Proposal:
    """What the next snapshot should hold.

    Attributes:
        wanted: For every namespace its targets by path.
        added: Bytes of those that may not be in the store yet, by path.
    """

    wanted: Mapping[str, Mapping[str, TargetFile]]
    added: Mapping[str, bytes] = field(default_factory=dict)


def as_published(live: Live, files: Files | None, now: datetime) -> Proposal:
    """Keep everything as it is, unless trust.json has moved genesis: then build again from there.

    Args:
        live: What is published.
        files: Its targets; None if nothing is.
        now: The clock.

    Raises:
        SnapshotError: What :func:`~flagseal.snapshot.trust_change.rebased` says.
    """
    proposal = Proposal(_kept(live))
    content, trust = live.content, live.trusted.trust
    if content is None or files is None or trust.genesis == content.trust.genesis:
        return proposal
    documents, build = rebased(files, content, trust, now)
    added = {GENESIS: genesis_file(documents)}
    wanted = {REPOSITORY: {**proposal.wanted[REPOSITORY], GENESIS: _target(GENESIS, added[GENESIS])}}
    return _with_build(live, build, wanted, added)


def propose(
    live: Live,
    files: Files | None,
    build: Build,
    entries: Sequence[HistoryEntry],
    genesis_documents: Iterable[Document] | None,
    *,
    lost: bool = False,
) -> Proposal:
    """Put a build and the history that leads to it in place of what is published.

    Args:
        live: What is published.
        files: Its targets; None if nothing is.
        build: What to publish.
        entries: At least the history since the published head, in order.
        genesis_documents: The documents of genesis, where they are not published yet.
        lost: Whether something was published before, which is lost: then every namespace of which the history knows
            is there, be it empty, since clients that knew it would refuse every snapshot without it.

    Raises:
        SnapshotError: ``Superseded``, ``HistoryForked``, ``HistoryGap``, ``GenesisMissing``, ``OtherEnvironment``,
            ``TrustChanged``.
    """
    trust, content = live.trusted.trust, live.content
    if build.environment != trust.environment:
        raise SnapshotError(
            f"a build for {build.environment} cannot be published where {trust.environment} is served",
            code="OtherEnvironment",
            remedy="Give each environment a store of its own.",
        )
    own: dict[str, TargetFile] = {}
    start = trust.genesis.sequence
    if content is not None:
        build = _reconciled(content, build, trust)
        start = content.head.sequence
        own = dict(_kept(live)[REPOSITORY])
    added: dict[str, bytes] = {}
    if GENESIS not in own:
        if genesis_documents is None:
            raise SnapshotError(
                "the documents of genesis are not published yet, and were not given",
                code="GenesisMissing",
                remedy="Give the governed documents at genesis with the first build.",
            )
        added[GENESIS] = genesis_file(genesis_documents)
    added |= _history(files if content is not None else None, own, start, build.head.sequence, entries)
    own |= {path: _target(path, data) for path, data in added.items()}
    wanted: dict[str, dict[str, TargetFile]] = {REPOSITORY: own}
    if lost and content is None:
        subjects = (split_subject(subject) for subject in build.head.documents)
        wanted |= {namespace: {} for kind, namespace, _ in subjects if kind == "FlagDefinition" and namespace}
    return _with_build(live, build, wanted, added)


def _with_build(
    live: Live, build: Build, wanted: dict[str, dict[str, TargetFile]], added: dict[str, bytes]
) -> Proposal:
    """Add a build's files; those that are published already under the same digest need not be written."""
    content = live.content if live.content is not None and not live.content.foreign else None
    for path, data in build.files.items():
        known = live.chain.target(path) if live.chain is not None and content is not None else None
        if known is None or content is None or content.build.files.get(path) != data:
            known = _target(path, data)
            added[path] = data
        wanted.setdefault(path.partition("/")[0], {})[path] = known
    return Proposal(wanted, added)


def genesis_file(documents: Iterable[Document]) -> bytes:
    """Write ``genesis.json``: the documents whose manifest trust.json pins, sorted by subject."""
    bodies = [document.body() for document in sorted(documents, key=lambda document: document.subject)]
    return canonical_json({"documents": bodies}) + b"\n"


def _kept(live: Live) -> dict[str, dict[str, TargetFile]]:
    chain = live.chain
    return {} if chain is None else {name: dict(chain.roles[role_of(name)].targets) for name in chain.namespaces}


def _reconciled(content: Content, build: Build, trust: Trust) -> Build:
    """Refuse a build that is behind what is published or beside it; let one that says nothing new be the old one."""
    published = content.build
    if content.trust.genesis != trust.genesis:
        raise SnapshotError(
            f"a ceremony has moved genesis to sequence {trust.genesis.sequence}",
            code="TrustChanged",
            remedy="Refresh, load what is published then, and go on from there.",
        )
    if build.head.sequence < content.head.sequence:
        raise SnapshotError(
            f"the build is at sequence {build.head.sequence}, and {content.head.sequence} is published",
            code="Superseded",
            remedy="Another publisher is ahead: load what is published, and go on from there.",
        )
    same = build.head.manifest.digest == content.head.manifest.digest and build.head.statement == content.head.statement
    if build.head.sequence == content.head.sequence and not same:
        raise SnapshotError(
            f"two different states claim sequence {build.head.sequence}",
            code="HistoryForked",
            remedy="Load what is published, and go on from there: one of two competing statements was accepted.",
        )
    if _says_the_same(published, build):
        return published
    if build.as_of < published.as_of:
        raise SnapshotError(
            f"the build is as of {build.as_of.isoformat()}, and {published.as_of.isoformat()} is published",
            code="Superseded",
            remedy="Build again: time has passed, or the clock was set back.",
        )
    return build


def _says_the_same(published: Build, build: Build) -> bool:
    """Compare two builds but for the instant they were made for, which alone is no news."""
    if published.files.keys() != build.files.keys():
        return False
    if any(published.files[path] != data for path, data in build.files.items() if path != HEAD):
        return False
    before, after = json.loads(published.files[HEAD]), json.loads(build.files[HEAD])
    return {**before, "asOf": None} == {**after, "asOf": None}


def _history(
    files: Files | None,
    listed: Mapping[str, TargetFile],
    start: int,
    end: int,
    entries: Sequence[HistoryEntry],
) -> dict[str, bytes]:
    """Append what is new to the last file of history, and begin others where it is full."""
    new = _since(start, end, entries)
    grown: dict[str, bytes] = {}
    for sequence, entry in enumerate(new, start + 1):
        path = history_file(history_number(sequence))
        if path not in grown:
            grown[path] = files.read(path) if files is not None and path in listed else b""
        grown[path] += entry.to_line() + b"\n"
    return grown


def _since(start: int, end: int, entries: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    new: list[HistoryEntry] = []
    for entry in reversed(entries):
        sequence = entry.envelope.statement.sequence
        if sequence <= start:
            break
        if sequence > end:
            continue
        new.append(entry)
    sequences = [entry.envelope.statement.sequence for entry in reversed(new)]
    if sequences != list(range(start + 1, end + 1)):
        raise SnapshotError(
            f"statements {start + 1} to {end} are needed, and {sequences} were given",
            code="HistoryGap",
            remedy="Give every accepted statement since what is published.",
        )
    new.reverse()
    return new


def _target(path: str, data: bytes) -> TargetFile:
    return TargetFile.from_data(path, data, ["sha256"])
