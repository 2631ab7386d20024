"""What a decision is made from: contents, people, a ticket and a clock. Nothing else counts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from flagseal.model.canonical import digest_of
from flagseal.policy.state import changed_subjects, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.canonical import Json
    from flagseal.model.document import Document

EvidenceKind = Literal["keys", "forge"]


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's approval, and what proves it.

    Attributes:
        person: Their id in the Organisation.
        evidence: ``keys`` if their own signature proves it, ``forge`` if the attestor's does. Empty proves nothing.
        at: When it was given, which is when roles are looked up; None means at acceptance.
    """

    person: str
    evidence: frozenset[EvidenceKind]
    at: datetime | None = None

    def __post_init__(self) -> None:
        _require_aware(self.at, "an approval's time")


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a decision depends on, besides the policies in force.

    The mappings go from subject to document, tombstones included. Give a :class:`~flagseal.policy.state.State`
    where the same contents are judged again and again: it keeps what it has parsed.

    Attributes:
        accepted: All governed documents of the head.
        in_effect: By environment, what is in effect there; an environment that is not named has the head's in effect.
        after: All governed documents if this is accepted. A removed one is there as its tombstone.
        subjects: What the statement says it changes.
        contributors: Persons who wrote any part of it; their approvals never count.
        approvals: In any order; a person may appear more than once.
        ticket: The change's ticket; None if it names none.
        now: The time of acceptance, by the clock of who decides.
        accepted_at: When the head was accepted. The clock is the later of this and ``now``.
        head: Digest of the head's manifest, where it is known already; it names ``accepted`` in the facts' digest.
        pending_until: By environment, the earliest instant at which this may take effect there because something
            pending, with which it shares a subject or a dependency, takes effect only then.
        mergers: Who merged it in the forge, by the attestor's word; None where that is not known. Nobody where no
            attestor speaks: then a merge is a commit like any other, and whoever signed it contributed.
    """

    accepted: Mapping[str, Document]
    after: Mapping[str, Document]
    subjects: tuple[str, ...]
    contributors: tuple[str, ...]
    approvals: tuple[Approval, ...]
    now: datetime
    ticket: str | None = None
    in_effect: Mapping[str, Mapping[str, Document]] = field(default_factory=dict)
    pending_until: Mapping[str, datetime] = field(default_factory=dict)
    accepted_at: datetime | None = None
    head: str | None = None
    mergers: tuple[str, ...] | None = ()

    def __post_init__(self) -> None:
        _require_aware(self.now, "now")
        _require_aware(self.accepted_at, "the time of the last acceptance")
        for instant in self.pending_until.values():
            _require_aware(instant, "the time until which something is pending")

    @property
    def clock(self) -> datetime:
        """The later of now and the last acceptance, in UTC: a clock set back changes nothing."""
        return max(self.now, self.accepted_at or self.now).astimezone(UTC)

    @property
    def digest(self) -> str:
        """The digest of all of it; it does not depend on the order of mappings, people or approvals."""
        return digest_of(
            {
                "accepted": self.head or contents_digest(self.accepted),
                "after": self._differences(self.after),
                "approvals": sorted(_approval(approval) for approval in self.approvals),
                "clock": rfc3339(self.clock),
                "contributors": sorted(set(self.contributors)),
                "inEffect": {
                    name: differences
                    for name, documents in self.in_effect.items()
                    if (differences := self._differences(documents))
                },
                "pendingUntil": {name: rfc3339(instant) for name, instant in self.pending_until.items()},
                "subjects": sorted(self.subjects),
                "ticket": self.ticket,
                # Named only where there is anything to name: what was decided before keeps its digest.
                **({"mergers": self._mergers()} if self.mergers != () else {}),
            }
        )

    def _mergers(self) -> list[Json] | None:
        return None if self.mergers is None else [*sorted(set(self.mergers))]

    def _differences(self, documents: Mapping[str, Document]) -> dict[str, str | None]:
        """Give the digest of each document that is not the accepted one; None where there is none."""
        return {
            subject: documents[subject].digest if subject in documents else None
            for subject in changed_subjects(self.accepted, documents)
        }


def contents_digest(documents: Mapping[str, Document]) -> str:
    """Name a set of documents by their subjects and digests, in time proportional to their number."""
    found = plain(documents)
    lines = "".join([f"{subject}\0{found[subject].digest}\n" for subject in sorted(found)])
    return "sha256:" + hashlib.sha256(lines.encode()).hexdigest()


def rfc3339(instant: datetime) -> str:
    """Write an instant as RFC 3339 in UTC, with a fraction only where there is one."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _approval(approval: Approval) -> list[Json]:
    return [approval.person, ",".join(sorted(approval.evidence)), rfc3339(approval.at) if approval.at else ""]


def _require_aware(instant: datetime | None, what: str) -> None:
    """Stop a caller who passes a time without a zone: comparing it would be a guess."""
    if instant is not None and instant.tzinfo is None:
        msg = f"{what} has no time zone: {instant!r}"
        raise ValueError(msg)
