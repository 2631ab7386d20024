"""To decide of a snapshot before it is made: what takes long is done beside whoever publishes meanwhile.

A statement that changes ten thousand flags takes half a minute to judge, and an override must not wait for that
(docs/adr/0147). What is foreseen is the judgement of statements alone: that a snapshot holds what they lead to, to the
byte, with every emergency in force, is decided when there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.snapshot.chain import verify_target
from flagseal.snapshot.content import TOLERANCE, history_entries, verify_content
from flagseal.snapshot.layout import history_file, history_number
from flagseal.snapshot.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tuf.api.metadata import TargetFile

    from flagseal.approval.trust import Trust
    from flagseal.history import Head
    from flagseal.snapshot.chain import Read
    from flagseal.snapshot.content import Claim, Content, Files, Known
    from flagseal.snapshot.proposal import Proposal


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a publisher has decided beforehand, of a snapshot that was not published.

    Attributes:
        start: Sequence and statement of the head that it goes on from.
        content: What was decided.
        history: SHA-256 of the files of history that it was decided from, in hexadecimal, by path.
        accepted_at: When the first of the statements was accepted; none of the others was earlier.
    """

    start: tuple[int, str | None]
    content: Content
    history: Mapping[str, str]
    accepted_at: datetime

    def is_of(self, head: Head, files: Files, trust: Trust, claim: Claim, now: datetime) -> bool:
        """Tell whether deciding again, from a head by these files, would come by where it leads."""
        reached = self.content.build.head
        return (
            self.content.trust == trust
            and self.start == (head.sequence, head.statement)
            and head.sequence < reached.sequence <= claim.sequence
            and reached.accepted_at <= now + TOLERANCE
            and all(files.sha256(path) == sha256 for path, sha256 in self.history.items())
        )


def foresee(
    files: Files, trust: Trust, *, now: datetime, base: Content | None = None, known: Known | None = None
) -> Foreseen:
    """Decide of a snapshot before it is there, for :func:`verify_content` to go on from.

    Raises:
        Refused: As :func:`verify_content`.
    """
    content = verify_content(files, trust, now=now, base=base, known=known)
    goes_on = base is not None and base.trust == trust
    start = (
        (base.head.sequence, base.head.statement) if base is not None and goes_on else (trust.genesis.sequence, None)
    )
    numbers = range(history_number(start[0] + 1), history_number(content.build.head.sequence) + 1)
    history = {path: files.sha256(path) or "" for path in map(history_file, numbers)}
    reached = content.build.head
    first = next(iter(history_entries(files, start[0], min(start[0] + 1, reached.sequence))), None)
    return Foreseen(start, content, history, reached.accepted_at if first is None else first.accepted_at)


class ProposedFiles:
    """The targets of a snapshot that nobody has signed.

    Args:
        proposal: What it should hold.
        read: Reads what is in the store already.
    """

    def __init__(self, proposal: Proposal, read: Read) -> None:
        self._proposal = proposal
        self._read = read

    def namespaces(self) -> tuple[str, ...]:
        """Name every namespace."""
        return tuple(self._proposal.wanted)

    def paths(self, namespace: str) -> tuple[str, ...]:
        """Name a namespace's targets."""
        return tuple(self._proposal.wanted[namespace])

    def sha256(self, path: str) -> str | None:
        """Give the hash under which a target would be signed."""
        file = self._file(path)
        return None if file is None else file.hashes["sha256"]

    def read(self, path: str) -> bytes:
        """Give a target's bytes."""
        if path in self._proposal.added:
            return self._proposal.added[path]
        file = self._file(path)
        if file is None:
            raise Refused("mix-and-match", f"{path}: it is not among what is proposed")
        return verify_target(self._read, file)

    def _file(self, path: str) -> TargetFile | None:
        return self._proposal.wanted.get(path.partition("/")[0], {}).get(path)
